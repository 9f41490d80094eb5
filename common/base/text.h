// Strings from parts. The distribution builds absl with a string_view of its own that std::string_view does not
// convert to, so absl::StrCat cannot take ours: Cat can, and takes absl's too.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace sluice {

inline std::string_view View(absl::string_view text) { return {text.data(), text.size()}; }
inline absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }

namespace internal {
template <class T>
void AppendPart(std::string& out, const T& part) {
  if constexpr (std::is_same_v<T, char>) {
    out += part;
  } else if constexpr (std::is_same_v<T, bool>) {
    out += part ? "true" : "false";
  } else if constexpr (std::is_arithmetic_v<T>) {
    std::array<char, 40> digits;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), part);
    out.append(digits.data(), error == std::errc() ? static_cast<size_t>(end - digits.data()) : 0);
  } else if constexpr (std::is_same_v<T, absl::string_view>) {
    out.append(part.data(), part.size());
  } else {
    out.append(std::string_view(part));
  }
}
}  // namespace internal

// Strings, characters, numbers and bools, one after the other.
template <class... Parts>
void Append(std::string& out, const Parts&... parts) {
  (internal::AppendPart(out, parts), ...);
}
template <class... Parts>
[[nodiscard]] std::string Cat(const Parts&... parts) {
  std::string out;
  Append(out, parts...);
  return out;
}

// Lets maps with std::string keys be asked with a std::string_view: std::unordered_map<std::string, V,
// StringHash, std::equal_to<>>, or the same arguments for absl::flat_hash_map.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

// Bytes outside printable ASCII as \xNN, at most `most` of input: for error messages that quote hostile input.
std::string Quoted(std::string_view text, size_t most = 80);

}  // namespace sluice
