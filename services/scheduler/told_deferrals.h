// Entries whose deferral an egress has told lately. Its inventory, made before it heard that the report is settled, names them still: taken
// for what is being sent they would wait for a report that never comes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "scheduler/fleet.h"

namespace sluice::scheduler {

// Not thread-safe.
class ToldDeferrals {
 public:
  void Add(int64_t entry, EgressNumber egress, SteadyInstant now) {
    while (!order_.empty() && (order_.front().first < now - kKept || order_.size() >= kMost)) {
      const auto it = by_entry_.find(order_.front().second);
      if (it != by_entry_.end() && it->second.at == order_.front().first) by_entry_.erase(it);
      order_.pop_front();
    }
    order_.emplace_back(now, entry);
    by_entry_[entry] = {.egress = egress, .at = now};
  }
  bool Has(int64_t entry, EgressNumber egress, SteadyInstant now) const {
    const auto it = by_entry_.find(entry);
    return it != by_entry_.end() && it->second.egress == egress && it->second.at >= now - kKept;
  }
  // What was told of a shard means nothing when it was another's since.
  void ForgetShard(int shard) {
    absl::erase_if(by_entry_, [shard](const auto& item) { return static_cast<int>(item.first >> 56) == shard; });
  }

 private:
  static constexpr Duration kKept = std::chrono::seconds(10);  // An inventory is under way for less.
  static constexpr size_t kMost = 100'000;
  struct Told {
    EgressNumber egress = kNoEgress;
    SteadyInstant at{};
  };
  std::deque<std::pair<SteadyInstant, int64_t>> order_;
  absl::flat_hash_map<int64_t, Told> by_entry_;
};

}  // namespace sluice::scheduler
