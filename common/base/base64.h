// Base64 of RFC 4648 section 4, and as MIME writes it (RFC 2045 section 6.8).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

// Appends, padded, in one line.
void AppendBase64(std::string& out, std::string_view bytes);
[[nodiscard]] std::string EncodeBase64(std::string_view bytes);
// Blanks and line ends are skipped. Nothing when there is another character, or bits are missing.
[[nodiscard]] std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace sluice
