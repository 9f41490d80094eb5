// Any bytes as a message for a host that takes only ASCII: what comes of it is ASCII, has the same parts
// with the same bytes in them, lines that fit, and needs nothing more.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "base/check.h"
#include "mail/mime.h"
#include "mail/seven_bit.h"
#include "mail/utf8.h"

namespace {

std::string Decoded(std::string_view message, const sluice::MimeEntity& leaf) {
  const std::string_view coded = message.substr(leaf.body, leaf.end - leaf.body);
  std::optional<std::string> text(coded);
  if (leaf.encoding == sluice::TransferEncoding::kBase64) text = sluice::DecodeBase64(coded);
  if (leaf.encoding == sluice::TransferEncoding::kQuotedPrintable) text = sluice::DecodeQuotedPrintable(coded);
  return text.value_or(std::string(coded));
}

// As CheckContent lets messages in: CRLF alone ends lines, and no line is too long.
std::string Message(const uint8_t* data, size_t size) {
  std::string message;
  size_t column = 0;
  for (size_t i = 0; i < size; ++i) {
    const char c = static_cast<char>(data[i]);
    if (c == '\r' || c == '\0') continue;
    if (c == '\n' || column == 998) message += "\r\n";
    column = c == '\n' || column == 998 ? 0 : column + 1;
    if (c != '\n') message += c;
  }
  message += "\r\n";
  return message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool also_body = data[0] % 2 == 0;
  const std::string message = Message(data + 1, size - 1);
  const sluice::SevenBit made = sluice::MakeSevenBit(message, also_body);
  SLUICE_CHECK(made.why.empty() != made.message.empty());
  if (!made.why.empty() || !also_body) return 0;
  SLUICE_CHECK(sluice::IsAscii(made.message));
  SLUICE_CHECK(made.message.size() < 8 * message.size() + 1000);
  const auto before = sluice::ReadMimeLeaves(message), after = sluice::ReadMimeLeaves(made.message);
  SLUICE_CHECK(before.ok() && after.ok() && before->size() == after->size());
  for (size_t i = 0; i < before->size(); ++i) {
    SLUICE_CHECK(Decoded(message, (*before)[i]) == Decoded(made.message, (*after)[i]));
  }
  SLUICE_CHECK(sluice::MakeSevenBit(made.message, true).message == made.message);
  return 0;
}
