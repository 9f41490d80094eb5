// Command lines of the client (RFC 5321 §4.1), built so that nothing a caller passes can end a line
// early or begin another.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "smtp/dsn_request.h"
#include "smtp/extensions.h"

namespace sluice {

struct MailParameters {
  uint64_t size_bytes = 0;  // said when the peer offers SIZE; 0 = not said
  bool eight_bit = false;   // BODY=8BITMIME
  bool smtputf8 = false;    // SMTPUTF8
  DsnReturn dsn_return = DsnReturn::kNone;   // RET, where the peer offers DSN
  std::string_view dsn_envelope_id = {};     // ENVID, likewise
};

struct RcptParameters {
  bool smtputf8 = false;
  uint8_t dsn_notify = 0;  // bits of smtp/dsn_request.h: NOTIFY and ORCPT, where the peer offers DSN
};

// Longest address that goes into a command. RFC 5321 §4.5.3.1.3 asks servers to take 256; real ones
// take more.
constexpr size_t kMaxCommandAddressBytes = 1000;

// Append "MAIL FROM:<…> …\r\n" and "RCPT TO:<…>\r\n". `return_path` may be empty (null sender);
// addresses come without angle brackets. InvalidArgument, with nothing appended, for an address
// with control characters, one that is empty (recipient) or too long, or bytes over 127 without
// `smtputf8`. Parameters whose extension the peer lacks are left out: callers have checked what
// must not be left out.
[[nodiscard]] absl::Status AppendMail(std::string& out, std::string_view return_path,
                                      const MailParameters& parameters, const Extensions& peer);
[[nodiscard]] absl::Status AppendRcpt(std::string& out, std::string_view recipient,
                                      const RcptParameters& parameters, const Extensions& peer);

// "EHLO name\r\n", "HELO name\r\n"; InvalidArgument for a name that is empty, too long or not
// printable ASCII.
[[nodiscard]] absl::Status AppendHello(std::string& out, std::string_view verb,
                                       std::string_view name);
// "BDAT n LAST\r\n", RFC 3030.
void AppendBdatLast(std::string& out, uint64_t size_bytes);

}  // namespace sluice
