// What ingest must know about a submitted RFC 5322 message, and what it refuses. Reads the header
// section and scans the body once; does not parse MIME.
//
// Line ends: the message is stored and sent with CRLF only. Two things are normalised: a message
// whose line ends are all LF gets CRLF, and one that does not end with a line end gets one.
// Everything else (bare CR, LF mixed with CRLF: the ways to smuggle a second message) is refused.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "mail/address.h"
#include "mail/header_section.h"
#include "mail/limits.h"

namespace sluice {

struct ContentRules {
  // False: a message with LF line ends is refused too.
  bool normalise_line_ends = true;
  size_t content_bytes = limits::kContentBytes;
  // Header names, lower case, whose values are kept as tags; must outlive the call.
  std::span<const std::string> tag_names = {};
};

struct ContentFacts {
  // Set when the message had to be normalised: these bytes are the message then.
  std::optional<std::string> normalised;
  // Of the message as it is to be stored.
  size_t size_bytes = 0;
  // First byte of the body; size_bytes when there is none.
  size_t body_offset = 0;
  // At least one, in order. Domains are A-labels.
  std::vector<EmailAddress> from;
  std::optional<EmailAddress> sender;
  // False: whoever renders the message adds the field.
  bool has_date = false;
  bool has_message_id = false;
  // List-Unsubscribe or List-Unsubscribe-Post is there: neither may be added.
  bool has_list_unsubscribe = false;
  bool has_feedback_id = false;
  // The body has bytes ≥ 0x80: 8BITMIME (or BINARYMIME's kin) is needed.
  bool has_8bit_body = false;
  // Header fields hold raw UTF-8: SMTPUTF8 is needed.
  bool has_utf8_header = false;
  std::vector<Tag> tags;

  std::string_view Bytes(std::string_view submitted) const {
    return normalised.has_value() ? std::string_view(*normalised) : submitted;
  }
};

// Errors are INVALID_ARGUMENT naming line and cure, without the name of the request's field.
[[nodiscard]] absl::StatusOr<ContentFacts> CheckContent(std::string_view submitted,
                                                        const ContentRules& rules);

}  // namespace sluice
