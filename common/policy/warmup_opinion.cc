#include "policy/warmup_opinion.h"

#include <algorithm>
#include <tuple>

#include "policy/shipped_data.h"

namespace sluice {

WarmupOpinion OpinionOfWord(std::string_view word, std::string evidence, Instant since) {
  WarmupOpinion out{.why = "listed", .evidence = std::move(evidence), .since = since};
  if (word == "listed_critical" || word == "snds_blocked") {
    out.standing = Standing::kListed;
  } else if (word.starts_with("listed_")) {
    out.standing = Standing::kDoubted;
  } else if (word == "snds_traps") {
    out.standing = Standing::kTrap;
    out.why = "trap";
  } else if (word == "snds_red" || word == "snds_yellow") {
    out.standing = word == "snds_red" ? Standing::kRed : Standing::kDoubted;
    out.why = "snds";
  } else {
    return {};  // Of our own making (reverse DNS, EHLO): health watches it.
  }
  return out;
}

WarmupOpinion OpinionOfHealth(HealthState state, std::string evidence, Instant since) {
  if (state < HealthState::kThrottled) return {};
  return {.standing = Standing::kDoubted, .why = "health", .evidence = std::move(evidence), .since = since};
}

WarmupOpinion OpinionOfRefusal(std::string_view rule, std::string evidence, Instant since) {
  const auto rules = ShippedReplies();
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const ShippedReply& reply) { return reply.name == rule; });
  if (found == rules.end()) return {};
  const ReplyReaction& does = found->reaction;
  if (does.regress == 0 && does.pause_warmup == Duration()) return {};
  return {.standing = Standing::kRefused, .why = "refused", .evidence = std::move(evidence), .since = since, .stages = does.regress,
          .pause = does.pause_warmup};
}

bool IsGraver(const WarmupOpinion& a, const WarmupOpinion& b) {
  return std::tie(a.standing, a.since) > std::tie(b.standing, b.since);
}

}  // namespace sluice
