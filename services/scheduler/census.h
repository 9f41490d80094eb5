// How much waits for which pool and provider, and since when: counted on a walk over the index, a little at a time, so that ten million
// entries cost no more in any turn than ten thousand. What a lap has counted stands until the next one has ended. Pure; time is the
// caller's. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "scheduler/entry_index.h"

namespace sluice::scheduler {

// `-` as pool: no route names one; as provider: the domain is not resolved yet.
struct QueueDepth {
  std::string pool, provider;
  int64_t entries = 0;
  Instant oldest{};  // When the oldest of them was accepted.
};
using QueueDepths = std::shared_ptr<const std::vector<QueueDepth>>;

class Census {
 public:
  static constexpr size_t kMostRows = 500;          // Published; what is smaller is added up as `other`.
  static constexpr int64_t kMostPerTurn = 5'000;    // Entries looked at.
  static constexpr int64_t kMostPerSecond = 100'000;
  static constexpr auto kPause = std::chrono::seconds(5);  // Between laps.

  static constexpr uint32_t kNone = UINT32_MAX;

  // Slots [first, end) to be counted now; empty while it pauses.
  struct Stretch {
    Slot first = 0, end = 0;
  };
  Stretch Next(Slot capacity, SteadyInstant now);
  void Count(uint32_t pool, uint32_t provider, uint32_t accepted);
  // A lap has ended and is not published yet.
  bool is_complete() const { return is_complete_; }
  // Ends the lap. `pool_name(number)` and `provider_name(number)` answer text; kNone is never asked.
  template <class PoolName, class ProviderName>
  QueueDepths Publish(PoolName pool_name, ProviderName provider_name, SteadyInstant now);

 private:
  static constexpr size_t kMostKeys = 100'000;
  struct Tally {
    int64_t entries = 0;
    uint32_t oldest = UINT32_MAX;  // Ticks.
    void Add(int64_t count, uint32_t accepted);
  };
  static QueueDepths Shortened(std::vector<QueueDepth> rows);

  absl::flat_hash_map<uint64_t, Tally> tallies_;  // By pool and provider.
  Tally beyond_;                                  // Of keys that are too many.
  Slot at_ = 0;
  bool is_complete_ = false;
  SteadyInstant begins_at_{}, looked_at_{};
};

template <class PoolName, class ProviderName>
QueueDepths Census::Publish(PoolName pool_name, ProviderName provider_name, SteadyInstant now) {
  std::vector<QueueDepth> rows;
  rows.reserve(tallies_.size() + 1);
  for (const auto& [key, tally] : tallies_) {
    const auto pool = static_cast<uint32_t>(key >> 32), provider = static_cast<uint32_t>(key);
    rows.push_back({.pool = pool == kNone ? "-" : std::string(pool_name(pool)),
                    .provider = provider == kNone ? "-" : std::string(provider_name(provider)),
                    .entries = tally.entries,
                    .oldest = FromTicks(tally.oldest)});
  }
  if (beyond_.entries > 0) {
    rows.push_back({.pool = "other", .provider = "other", .entries = beyond_.entries, .oldest = FromTicks(beyond_.oldest)});
  }
  tallies_.clear();
  beyond_ = {};
  at_ = 0;
  is_complete_ = false;
  begins_at_ = now + kPause;
  return Shortened(std::move(rows));
}

}  // namespace sluice::scheduler
