#include "smtp/command.h"

#include <algorithm>

#include "base/text.h"

namespace sluice {
namespace {

bool IsControl(char c) { return (static_cast<unsigned char>(c) < 0x20) || c == 0x7f; }
bool Is8Bit(char c) { return static_cast<unsigned char>(c) >= 0x80; }

absl::Status CheckAddress(std::string_view address, bool smtputf8) {
  if (address.size() > kMaxCommandAddressBytes) {
    return absl::InvalidArgumentError(
        Cat("address too long for a command: ", address.size(), " bytes"));
  }
  if (std::ranges::any_of(address, IsControl)) {
    return absl::InvalidArgumentError(Cat("control character in address ", Quoted(address)));
  }
  if (!smtputf8 && std::ranges::any_of(address, Is8Bit)) {
    return absl::InvalidArgumentError(Cat("address ", Quoted(address), " needs SMTPUTF8"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AppendMail(std::string& out, std::string_view return_path,
                        const MailParameters& parameters, const Extensions& peer) {
  const bool smtputf8 = parameters.smtputf8 && peer.smtputf8;
  if (absl::Status status = CheckAddress(return_path, smtputf8); !status.ok()) {
    return status;
  }
  Append(out, "MAIL FROM:<", return_path, ">");
  if (peer.size && parameters.size_bytes > 0) {
    Append(out, " SIZE=", parameters.size_bytes);
  }
  if (parameters.eight_bit && peer.eight_bit_mime) {
    out += " BODY=8BITMIME";
  }
  if (smtputf8) {
    out += " SMTPUTF8";
  }
  if (peer.dsn) {
    AppendDsnOfMail(out, parameters.dsn_return, parameters.dsn_envelope_id);
  }
  out += "\r\n";
  return absl::OkStatus();
}

absl::Status AppendRcpt(std::string& out, std::string_view recipient,
                        const RcptParameters& parameters, const Extensions& peer) {
  if (recipient.empty()) {
    return absl::InvalidArgumentError("empty recipient");
  }
  if (absl::Status status = CheckAddress(recipient, parameters.smtputf8); !status.ok()) {
    return status;
  }
  Append(out, "RCPT TO:<", recipient, ">");
  if (peer.dsn) {
    AppendDsnOfRcpt(out, parameters.dsn_notify, recipient);
  }
  out += "\r\n";
  return absl::OkStatus();
}

absl::Status AppendHello(std::string& out, std::string_view verb, std::string_view name) {
  const bool is_word = !name.empty() && name.size() <= 255 &&
                       std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!is_word) {
    return absl::InvalidArgumentError(Cat("EHLO name ", Quoted(name), " is not a host name"));
  }
  Append(out, verb, " ", name, "\r\n");
  return absl::OkStatus();
}

void AppendBdatLast(std::string& out, uint64_t size_bytes) {
  Append(out, "BDAT ", size_bytes, " LAST\r\n");
}

}  // namespace sluice
