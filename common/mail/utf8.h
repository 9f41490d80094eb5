// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <string_view>

namespace sluice {

// True for ASCII too.
bool IsValidUtf8(std::string_view text);
bool IsAscii(std::string_view text);

}  // namespace sluice
