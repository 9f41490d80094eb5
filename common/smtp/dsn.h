// Delivery status notifications (RFC 3464), as mail servers really write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/smtp_reply.h"
#include "smtp/mime.h"

namespace sluice {

enum class DsnAction { kFailed, kDelayed, kDelivered, kRelayed, kExpanded };

struct DsnRecipient {
  std::string final_recipient{}, original_recipient{};  // Without `rfc822;`; may be empty.
  DsnAction action = DsnAction::kFailed;
  // What the remote server said, or the reporter said for it: code 0 when there was only a status.
  SmtpReply reply{};
  std::string remote_mta{};
};

struct Dsn {
  std::string reporting_mta{}, envelope_id{};
  std::vector<DsnRecipient> recipients{};  // At most 100.
};

// Nothing when the message has no part of delivery status, or one that names no recipient.
std::optional<Dsn> ReadDsn(const MimeMessage& message);

// A reply inside free text, such as a Diagnostic-Code: the first code and enhanced status found, each
// line's repetition of them left out. Code 0 when the text has none.
SmtpReply ReplyInText(std::string_view text);

// The address in `rfc822; <a@b>`, `a@b (comment)`, `"Name" <a@b>`: a guess, not a valid address.
std::string AddressInText(std::string_view text);

}  // namespace sluice
