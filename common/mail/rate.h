// "So many per so long" and large counts as people write them: 500/s, 2/h, 10k/d, 2M. Values only;
// spending a rate is policy/rate.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice {

// `count` ≥ 1 in every `per` > 0.
struct Rate {
  int64_t count = 1;
  Duration per = std::chrono::seconds(1);
  friend bool operator==(const Rate&, const Rate&) = default;
};

// `<count>/<unit>` with unit s, min (or m), h, d, or a duration: `3/10m`. The count as ParseCount
// takes it, at least 1. The error names what was wrong and the cure.
[[nodiscard]] absl::StatusOr<Rate> ParseRate(std::string_view text);
// What ParseRate reads: "500/s", "3/10m".
std::string ToString(const Rate& rate);

// A whole number with an optional k (thousand), M or G: `2M`, `1500`, `1.5k` is refused. At most
// 10^15.
[[nodiscard]] absl::StatusOr<int64_t> ParseCount(std::string_view text);
// The shortest text that ParseCount reads back: 2000000 → "2M".
std::string CountText(int64_t count);

}  // namespace sluice
