// A header field with raw UTF-8 (RFC 6532) written in ASCII: encoded words where a field may hold them
// (RFC 2047), extended parameters (RFC 2231), A-labels. What these standards give no way for stays out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

// `field` is one field, folded as it came, with its line ends. Nothing: its name, an address's local
// part, or what stands there for programs is not ASCII and cannot be written so, or the bytes are not
// UTF-8.
[[nodiscard]] std::optional<std::string> AsciiField(std::string_view field);

}  // namespace sluice
