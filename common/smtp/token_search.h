// Finds what looks like a token anywhere in text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// Appends the runs of exactly kTokenTextSize characters of the token alphabet, in lower case and each
// once, until `found` has `most`.
void FindTokens(std::string_view text, size_t most, std::vector<std::string>& found);

}  // namespace sluice
