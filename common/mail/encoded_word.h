// Text of header fields beyond ASCII (RFC 2047), and character sets by iconv. Text is UTF-8 here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

// Nothing when the character set is unknown or the bytes are not of it. An empty name is ASCII, which
// is taken as UTF-8.
[[nodiscard]] std::optional<std::string> ToUtf8(std::string_view bytes, std::string_view charset);

// An unfolded value with its encoded words read; a word that cannot be read stays as it is.
std::string DecodeWords(std::string_view value);

// `text` as encoded words, folded, for a line that holds `used` characters already. The words are
// fit for phrases (section 5 (3)).
void AppendEncodedWords(std::string& out, std::string_view text, size_t used);


}  // namespace sluice
