// Two texts line by line, for people.
#pragma once

#include <string>
#include <string_view>

namespace sluice::ctl {

// Lines that went with "-", lines that came with "+", and the unindented line above each change so
// that one sees what list it is in. Empty when the texts are equal.
std::string Diff(std::string_view before, std::string_view after);

}  // namespace sluice::ctl
