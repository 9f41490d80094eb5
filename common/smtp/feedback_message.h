// What came back by mail, read: a bounce (RFC 3464 or in the many older shapes), a complaint (RFC 5965
// or older), or something that is neither. Pure; never fails.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mail/smtp_reply.h"

namespace sluice {

enum class FeedbackKind : uint8_t {
  kBounce,       // Will not be delivered.
  kComplaint,    // A recipient called it spam.
  kUnsubscribe,  // A recipient asked for no more.
  kDelay,        // Not delivered yet; the reporter goes on trying.
  kReceipt,      // Delivered, relayed, read: nothing to do.
  kAutoReply,    // Out of office and the like.
  kOther,
};
std::string_view ToString(FeedbackKind kind);

struct ReportedRecipient {
  std::string address{};  // As reported; may be empty or redacted.
  SmtpReply reply{};
};

struct FeedbackMessage {
  FeedbackKind kind = FeedbackKind::kOther;
  // `dsn`, `arf`, or the shape that was recognised (`text`, `gmail`, `qmail` …): for people.
  std::string_view shape = "none";
  // Of a bounce: those that failed; of a complaint: those named, often none.
  std::vector<ReportedRecipient> recipients{};
  // What looks like a token (smtp/token.h), the likeliest first; at most 64. Only the secrets tell.
  std::vector<std::string> tokens{};
};

// `envelope_to` is the address it came for, `envelope_from` who sent it (empty = the null path). Of a
// message at most the first megabyte is read.
FeedbackMessage ReadFeedbackMessage(std::string_view message, std::string_view envelope_to,
                                    std::string_view envelope_from);

}  // namespace sluice
