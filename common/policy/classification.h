// Reply, stage and who said it in; verdict out: what an attempt's answer means for the recipient, what class of trouble it is, who is
// meant by it and what to do. Rules are layered, first match wins: the operator's, the shipped ones of the provider whose host spoke,
// those for everybody (policy/data/replies.yaml); then code, enhanced status and stage (policy/code_rules.h). Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mail/disposition.h"
#include "mail/rate.h"
#include "mail/reply_rule.h"
#include "mail/smtp_reply.h"

namespace sluice {

// What a shipped rule advises; the reactions of egress and the judgement of warmup act on it. Absent or 0 = not advised.
struct ReplyReaction {
  std::optional<Rate> when = {};  // Only when it comes so often.
  double slow_to = 0;             // Share of the present rate …
  std::optional<Rate> rate = {};
  std::optional<int> connections = {}, messages_per_connection = {};
  Duration lasts{};         // … all these so long.
  Duration suspend{};       // The scope rests.
  Duration then_suspend{};  // When it comes again while it is slowed.
  int regress = 0;          // Warmup stages back.
  Duration pause_warmup{};
  Duration retry_after{};
  bool suppress = false;
  bool check_blocklists = false;
  std::string_view alert = {};  // A person has to act: how.
};

// Whom Gmail's replies of one code blame.
enum class Culprit : uint8_t { kNone, kAddress, kNetblock, kDkimDomain, kSpfDomain, kUrlDomains };
std::string_view ToString(Culprit culprit);

struct Verdict {
  Disposition disposition = Disposition::kDeferred;
  ReplyClass reply_class = ReplyClass::kUnknown;
  ReplyScope scope = ReplyScope::kMessage;
  // The refusal speaks of this host or connection, not of the message: another MX host may take it
  // now.
  bool host_only = false;
  // A permanent refusal that says nothing against the message: it is tried again.
  bool is_transcoded = false;
  // Name of the rule that decided, for explain and the delivery log; lives as long as the rules.
  std::string_view rule = {};
  // Null when the rule advises nothing; lives as long as the rules.
  const ReplyReaction* reaction = nullptr;
  // When the peer wants to be asked again, or the rule says so; of deferrals. 1 s to kMostRetryAfter.
  std::optional<Duration> retry_after = {};
  Culprit culprit = Culprit::kNone;
  std::string culprit_name = {};  // `shop.example`, `192.0.2.0/24`; empty when the reply does not say.
};
inline constexpr Duration kMostRetryAfter = std::chrono::hours(24);

// Who spoke.
struct ReplyOrigin {
  std::string_view provider = {};  // As the policy calls it: for the operator's rules.
  std::string_view mx_host = {};   // Whose dialect it is: for the shipped ones.
};

constexpr uint16_t StageBit(Stage stage) {
  return static_cast<uint16_t>(1U << static_cast<unsigned>(stage));
}

// The scope of a class where no rule says otherwise.
ReplyScope UsualScope(ReplyClass reply_class);

// Compiled rules. Immutable, thread-safe.
class ReplyRules {
 public:
  // The shipped rules.
  ReplyRules();
  // With the operator's in front. A pattern that does not compile is left out (CheckPolicy refuses such a policy).
  explicit ReplyRules(const std::vector<ReplyRule>& operators);
  ~ReplyRules();

  // Never fails. What a 5xx does to the message, where a text rule matched:
  // - slow down, greylisted, mailbox full: deferred at every stage;
  // - our address, domain or host is refused: deferred up to MAIL (nothing was said against this recipient), bounced after; it
  //   counts for its scope either way;
  // - everything else: as the code says.
  Verdict Classify(const SmtpReply& reply, Stage stage, const ReplyOrigin& origin = {}) const;

  size_t size() const;

 private:
  struct Rule;
  struct Compiled;
  const Rule* FirstMatch(const SmtpReply& reply, Stage stage, const ReplyOrigin& origin,
                         std::string_view text) const;
  static bool IsTemporary(const SmtpReply& reply, Stage stage, const Rule& rule);
  std::unique_ptr<const Compiled> compiled_;
};

// By the shipped rules.
Verdict Classify(const SmtpReply& reply, Stage stage, const ReplyOrigin& origin = {});

}  // namespace sluice
