// A reply as the rules read it, and what can be read out of it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "mail/smtp_reply.h"
#include "policy/classification.h"

namespace sluice {

// `code status text` in one line and lower case, without the `code-status ` that the lines of a long reply repeat.
std::string MatchText(const SmtpReply& reply);

// "try again in 5 minutes", "greylisted for 300 seconds", "come back in 00:05:00": the time, 10 s added, clamped to 11 s …
// kMostRetryAfter. `text` as above.
std::optional<Duration> ParseRetryAfter(std::string_view text);

// Whom the text blames, and its name where one stands behind it in brackets.
Culprit FindCulprit(std::string_view text, std::string& name);

}  // namespace sluice
