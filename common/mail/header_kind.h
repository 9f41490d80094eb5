// What may stand in a header field, by its name: what decides how text is put into it.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

enum class HeaderKind {
  kText,        // for people, or not known to us: encoded words
  kAddresses,   // display names and addresses
  kPlain,       // for programs: identifiers, dates, URLs
  kParameters,  // a value and parameters: Content-Type, Content-Disposition
  kFixed,       // describes or seals the message: not ours to change
};

// `name` in lower case.
HeaderKind KindOfHeader(std::string_view name);

// ASCII letters in lower case.
std::string LowerName(std::string_view name);

// The first field of a header section with its line ends, which leaves `header`. Precondition:
// `header` is not empty.
std::string_view TakeFieldLines(std::string_view& header);

}  // namespace sluice
