// Pacing inside a day: how much of a cap may be granted by now, when the next grant is to be had, and how many to draw at once. The
// ledger's statement computes the same share in SQL (storage/warmup_sql.h); a test holds the two together. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace sluice {

// One row of the ledger's day as its pace sees it.
struct PacedCap {
  std::optional<int64_t> cap = {};  // None = no cap.
  int64_t used = 0;            // Granted and not returned.
  Instant opens_at{}, closes_at{};  // The cap is given out evenly between these.
  Instant stopped_until{};          // Nothing is granted before.
};

// What may be granted beyond the even share: 2 % of the cap, at least one.
int64_t PaceBurst(int64_t cap);
// Grants of the day that may have been given by `now`.
int64_t PaceAllows(const PacedCap& row, Instant now);
// Earliest time at which one more grant fits; none when the day gives no more.
std::optional<Instant> NextGrantAt(const PacedCap& row, Instant now);
// The days after this one, for a forecast: as many attempts each.
struct PacedDays {
  std::optional<int64_t> cap = {};
  Instant opens_at{};  // The first of them.
  Duration length{}, open{};  // `open` of each day's `length` gives out its cap.
};
// Earliest time at which the last of `count` more grants can be had; none = never, as things stand.
std::optional<Instant> LastGrantAt(const PacedCap& today, int64_t count, const PacedDays& then, Instant now);
// How many to draw at once: one below a cap of 200, else 2 % of it, at most 500.
int64_t DrawChunk(std::optional<int64_t> cap);

}  // namespace sluice
