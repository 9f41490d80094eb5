// A message for a host that takes only ASCII: header fields by mail/ascii_field.h, parts as
// quoted-printable or base64 (RFC 6152 §3, RFC 2045 §6). What is signed, encrypted or a message of its
// own is never touched: if that holds 8-bit bytes the message cannot go there.
#pragma once

#include <string>
#include <string_view>

#include "mail/smtp_reply.h"

namespace sluice {

struct SevenBit {
  std::string message;    // all ASCII; empty when `why` is not
  std::string why;        // what stands in the way, and the cure
  EnhancedStatus status;  // then: 5.6.3; of a header field 5.6.9 (RFC 6531)
};

// `message` has CRLF line ends. With `also_body` false only the header is written anew: the host takes
// 8-bit content and no UTF-8 in headers.
[[nodiscard]] SevenBit MakeSevenBit(std::string_view message, bool also_body);

}  // namespace sluice
