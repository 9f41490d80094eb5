// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice {

// True for ASCII too.
bool IsValidUtf8(std::string_view text);
bool IsAscii(std::string_view text);
// At most `most` bytes from the start of well-formed text, cut between two characters.
std::string_view Utf8Prefix(std::string_view text, size_t most);

}  // namespace sluice
