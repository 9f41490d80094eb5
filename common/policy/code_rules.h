// What a reply means by its code, enhanced status and stage alone: the last word where no text is known. Pure.
#pragma once

#include "policy/classification.h"

namespace sluice {

// A positive reply is delivered at kBody only; elsewhere it decides nothing and gives deferred/our_bug. Never fails: what no rule
// knows is deferred, or bounced for a permanent reply to MAIL or later. Code 0 (we speak for the peer) is deferred, unless we
// refused ourselves with a class 5 status before sending. Whose fault a local failure is (a source that cannot be bound, an abort)
// is not in the reply: callers look at how the step ended first.
Verdict JudgeByCode(const SmtpReply& reply, Stage stage);

}  // namespace sluice
