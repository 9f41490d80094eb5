// Reply and stage in, verdict out: what an attempt's answer means for the recipient and what class
// of trouble it is. Pure. Today it judges by class digit, stage and enhanced status with the
// built-in rules; rules from data (patterns per provider) are put in front of them later: first
// match wins either way.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "mail/disposition.h"
#include "mail/smtp_reply.h"

namespace sluice {

struct Verdict {
  Disposition disposition = Disposition::kDeferred;
  ReplyClass reply_class = ReplyClass::kUnknown;
  // The refusal speaks of this host or connection, not of the message: another MX host may take it
  // now.
  bool host_only = false;
  // Name of the rule that decided, for explain and the delivery log; lives as long as the rules.
  std::string_view rule;

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

// One row: matches when stage, code and enhanced status all do.
struct ReplyRule {
  static constexpr uint16_t kAnyNumber = 0xffff;
  std::string_view name;
  uint16_t stages = 0;               // bit set of StageBit
  int code_from = 0, code_to = 999;  // inclusive; 0 = we speak for the peer (SmtpReply)
  // Of the enhanced status; if any of the three is set, there must be one.
  uint16_t subject = kAnyNumber;
  uint16_t detail = kAnyNumber;
  uint8_t klass = 0;  // 0 = any
  Disposition disposition = Disposition::kDeferred;
  ReplyClass reply_class = ReplyClass::kUnknown;
  bool host_only = false;
};
constexpr uint16_t StageBit(Stage stage) {
  return static_cast<uint16_t>(1U << static_cast<unsigned>(stage));
}

// By the built-in rules. A positive reply is delivered at kBody only; elsewhere it decides nothing
// and gives deferred/our_bug. Never fails: what no rule knows is deferred, or bounced for a
// permanent reply to MAIL or later. Code 0 (we speak for the peer) is deferred, unless we refused
// ourselves with a class 5 status before sending. Whose fault a local failure is (a source that
// cannot be bound, an abort) is not in the reply: callers look at how the step ended first.
Verdict Classify(const SmtpReply& reply, Stage stage);
// First match of `rules`, else of the built-in rules.
Verdict Classify(const SmtpReply& reply, Stage stage, std::span<const ReplyRule> rules);

}  // namespace sluice
