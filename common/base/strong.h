// A value with a name of its own: two ids or two strings of different meaning never convert into each other.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {

template <class Tag, class T>
class Strong {
 public:
  using Value = T;
  constexpr Strong() = default;
  constexpr explicit Strong(T value) : value_(std::move(value)) {}
  constexpr const T& value() const { return value_; }
  friend constexpr auto operator<=>(const Strong&, const Strong&) = default;
  friend constexpr bool operator==(const Strong&, const Strong&) = default;
  template <class H>
  friend H AbslHashValue(H h, const Strong& s) {
    return H::combine(std::move(h), s.value_);
  }

 private:
  T value_{};
};

}  // namespace sluice
