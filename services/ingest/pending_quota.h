// How many recipients of a tenant may still be accepted: the quota of the policy, less what waits as the schedulers counted it a moment
// ago, less what this process has accepted since. What other ingests accepted since is not seen: they may exceed the quota together by
// what they take between two counts. Pure but for its lock; time is the caller's.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "storage/pending_store.h"

namespace sluice::ingest {

// Thread-safe.
class PendingQuota {
 public:
  // What the schedulers have counted.
  void Counted(storage::Pending pending);
  // Takes room for `recipients` of the tenant, of `most` that may wait; false = there is none. Everything passes before anybody has
  // counted.
  bool Take(std::string_view tenant, int64_t most, int64_t recipients, Instant now);

 private:
  // The clocks of two machines may differ by so much, and a hand-off may take so long.
  static constexpr Duration kMargin = std::chrono::seconds(3);
  static constexpr Duration kSlice = std::chrono::milliseconds(100);
  struct Taken {
    std::deque<std::pair<Instant, int64_t>> slices;  // One for each kSlice, the oldest first.
    int64_t sum = 0;
  };
  static void ForgetBefore(Taken& taken, Instant at);

  std::mutex mutex_;
  storage::Pending counted_;
  std::map<std::string, Taken, std::less<>> taken_;
};

}  // namespace sluice::ingest
