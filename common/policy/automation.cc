#include "policy/automation.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace sluice {
namespace {

constexpr size_t kMostEvidence = 500;
// What is known of a present rate that is next to nothing.
constexpr double kLeastPerSecond = 1.0 / 60;

re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

bool IsMeant(const Match& match, const Refusal& refusal) {
  const auto is = [](const std::string& wanted, std::string_view given) { return wanted.empty() || wanted == given; };
  const SendingFacts& mail = refusal.mail;
  return is(match.tenant, mail.tenant) && is(match.stream, mail.stream) && is(match.campaign, mail.campaign) &&
         is(match.provider, mail.provider) && is(match.site, mail.site) && is(match.domain, mail.domain) &&
         is(match.sender_domain, refusal.sender_domain) && is(match.source, mail.source) && is(match.pool, mail.pool) &&
         is(match.reply_class, ToString(refusal.verdict.reply_class));
}

Scope SourceScope(const Refusal& refusal) {
  return {.source = std::string(refusal.mail.source),
          .provider = std::string(refusal.mail.provider),
          .site = std::string(refusal.mail.site)};
}

// Whom a shipped rule means; empty: nobody that a constraint could name.
Scope ShippedScope(const Refusal& refusal) {
  const std::string provider(refusal.mail.provider);
  switch (refusal.verdict.scope) {
    case ReplyScope::kSourceProvider:
    case ReplyScope::kConnection:
      return SourceScope(refusal);
    case ReplyScope::kSource:
      return {.source = std::string(refusal.mail.source)};
    case ReplyScope::kSenderProvider:
    case ReplyScope::kSender:
      return {.provider = provider, .tenant = std::string(refusal.mail.tenant)};
    case ReplyScope::kMessage:
      if (refusal.mail.campaign.empty()) return {};
      return {.provider = provider, .tenant = std::string(refusal.mail.tenant), .campaign = std::string(refusal.mail.campaign)};
    case ReplyScope::kRecipient:
    case ReplyScope::kRecipientOrg:
      return {};
  }
  return {};
}

Rate AnHour(double per_second) {
  return {.count = std::max<int64_t>(1, std::llround(std::max(per_second, kLeastPerSecond) * 3600)), .per = std::chrono::hours(1)};
}

std::string Evidence(const Refusal& refusal, const std::optional<Rate>& when, std::string_view change) {
  std::string out = Cat("reply '", refusal.reply.substr(0, kMostEvidence), "'");
  if (when) Append(out, ", ", when->count, " times within ", ToString(when->per));
  if (!change.empty()) Append(out, "; ", change);
  return out;
}

std::string SlowedText(double taken, double share) {
  return Cat("from ", ToString(AnHour(taken)), " to ", ToString(AnHour(taken * share)));
}

}  // namespace

std::vector<PlacedAutomation> PlacedAutomations(const PolicyDocument& policy) {
  std::vector<PlacedAutomation> out;
  for (size_t i = 0; i < policy.automation.size(); ++i) out.push_back({static_cast<int>(i), policy.automation[i]});
  return out;
}

struct AutomationRules::Compiled {
  struct Rule {
    PlacedAutomation placed;
    std::unique_ptr<RE2> pattern;  // Null = any reply of its class.
  };
  std::vector<Rule> rules;
};

AutomationRules::AutomationRules(std::vector<PlacedAutomation> rules) {
  auto compiled = std::make_unique<Compiled>();
  for (PlacedAutomation& placed : rules) {
    Compiled::Rule rule;
    if (!placed.rule.match.reply.empty()) {
      RE2::Options options;
      options.set_case_sensitive(false);
      options.set_log_errors(false);
      rule.pattern = std::make_unique<RE2>(Piece(placed.rule.match.reply), options);
      if (!rule.pattern->ok()) continue;
    }
    rule.placed = std::move(placed);
    compiled->rules.push_back(std::move(rule));
  }
  compiled_ = std::move(compiled);
}

AutomationRules::~AutomationRules() = default;

std::vector<const PlacedAutomation*> AutomationRules::Matching(const Refusal& refusal) const {
  std::vector<const PlacedAutomation*> out;
  for (const Compiled::Rule& rule : compiled_->rules) {
    if (!IsMeant(rule.placed.rule.match, refusal)) continue;
    if (rule.pattern == nullptr || RE2::PartialMatch(Piece(refusal.text), *rule.pattern)) out.push_back(&rule.placed);
  }
  return out;
}

bool Automation::IsOften(const std::string& key, const std::optional<Rate>& when, Instant now) {
  if (!when) return true;
  if (counts_.size() >= kMostCounted && !counts_.contains(key)) Sweep(now);
  if (counts_.size() >= kMostCounted && !counts_.contains(key)) return false;
  Count& count = counts_[key];
  count.per = when->per;
  while (!count.seen.empty() && count.seen.front() + when->per <= now) count.seen.pop_front();
  count.seen.push_back(now);
  if (static_cast<int64_t>(count.seen.size()) < when->count) return false;
  counts_.erase(key);  // It begins to count anew.
  return true;
}

void Automation::Operator(const PlacedAutomation& placed, const Refusal& refusal, double taken, Instant now, Outcome& out) {
  const AutomationRule& rule = placed.rule;
  const std::string name = Cat("automation[", placed.index, "]");
  const Scope source = SourceScope(refusal);
  Scope suspended = source;
  if (rule.scope == SuspendScope::kTenant) suspended = {.tenant = std::string(refusal.mail.tenant)};
  if (rule.scope == SuspendScope::kDomain) suspended = {.domain = std::string(refusal.mail.domain)};
  if (!IsOften(Cat(name, "\n", ToString(suspended)), rule.when, now)) return;
  const auto add = [&](const Scope& scope, ConstraintValue value, Duration life, std::string_view change) {
    out.reactions.push_back({.cause = ConstraintCause::kAutomation, .scope = scope, .rule = name, .value = std::move(value),
                             .evidence = Evidence(refusal, rule.when, change), .since = now, .until = now + life});
  };
  if (rule.suspend) add(suspended, {.suspend = true}, *rule.suspend, "");
  ConstraintValue limits;
  limits.connections = rule.connections;
  if (rule.slow_to > 0) limits.rate = AnHour(taken * rule.slow_to);
  if (limits == ConstraintValue()) return;
  // One row for each rule and scope: beside a suspension of the source its limits would be the same row.
  if (rule.suspend && suspended == source) {
    out.reactions.back().value.connections = limits.connections;
    out.reactions.back().value.rate = limits.rate;
    return;
  }
  add(source, limits, kUsualLife, rule.slow_to > 0 ? SlowedText(taken, rule.slow_to) : "");
}

void Automation::Shipped(const Refusal& refusal, double taken, Instant now, Outcome& out) {
  const ReplyReaction& does = *refusal.verdict.reaction;
  const Scope scope = ShippedScope(refusal);
  if (scope.empty()) return;
  const std::string key = Cat(refusal.verdict.rule, "\n", ToString(scope));
  const auto slowed = slowed_until_.find(key);
  const bool is_slowed = slowed != slowed_until_.end() && slowed->second > now;
  if (!IsOften(key, does.when, now)) return;
  const auto add = [&](ConstraintValue value, Duration life, std::string_view change) {
    out.reactions.push_back({.cause = ConstraintCause::kAutomation, .scope = scope, .rule = std::string(refusal.verdict.rule),
                             .value = std::move(value), .evidence = Evidence(refusal, does.when, change), .since = now,
                             .until = now + life});
  };
  const Duration suspend = is_slowed && does.then_suspend > Duration::zero() ? does.then_suspend : does.suspend;
  if (suspend > Duration::zero()) return add({.suspend = true}, suspend, "");
  if (scope.source.empty()) return;  // Limits are of sources.
  ConstraintValue limits;
  limits.connections = does.connections;
  limits.messages_per_connection = does.messages_per_connection;
  limits.rate = does.rate;
  // Throttling replies lower the rate by themselves (policy/aimd.h); what a peer takes on a connection, and how many of them, the path
  // learns.
  const ReplyClass reply_class = refusal.verdict.reply_class;
  const bool is_learnt = reply_class == ReplyClass::kThrottle || reply_class == ReplyClass::kConnLimit || reply_class == ReplyClass::kMsgPerConn;
  const bool slows = does.slow_to > 0 && !is_learnt;
  if (slows && !limits.rate) limits.rate = AnHour(taken * does.slow_to);
  if (limits == ConstraintValue()) return;
  const Duration life = does.lasts > Duration::zero() ? does.lasts : kUsualLife;
  if (does.then_suspend > Duration::zero()) slowed_until_[key] = now + life;
  add(limits, life, slows ? SlowedText(taken, does.slow_to) : "");
}

Automation::Outcome Automation::OnRefusal(const AutomationRules& rules, const Refusal& refusal, double taken, bool counts,
                                          Instant now) {
  Outcome out;
  bool acts = false;
  for (const PlacedAutomation* placed : rules.Matching(refusal)) {
    const AutomationRule& rule = placed->rule;
    if (rule.transcode && !out.transcode) {
      out.transcode = rule.transcode;
      out.rule = Cat("automation[", placed->index, "]");
    }
    if (rule.retry_after && !out.retry_after) out.retry_after = rule.retry_after;
    if (!rule.suspend && rule.slow_to == 0 && !rule.connections) continue;
    acts = true;
    if (counts) Operator(*placed, refusal, taken, now, out);
  }
  if (!acts && counts && refusal.verdict.reaction != nullptr) Shipped(refusal, taken, now, out);
  return out;
}

void Automation::Sweep(Instant now) {
  std::erase_if(counts_, [now](const auto& item) {
    return item.second.seen.empty() || item.second.seen.back() + item.second.per <= now;
  });
  std::erase_if(slowed_until_, [now](const auto& item) { return item.second <= now; });
}

}  // namespace sluice
