// Rates that hold for several sources together, as this scheduler keeps its shares of them (policy/shared_rate.h, policy/rate_share.h),
// and which of them something waits for. Numbers of limits hold until the next SetPolicy.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "policy/rate_share.h"
#include "policy/shared_rate.h"

namespace sluice::scheduler {

// As stored, of this scheduler.
struct GivenShare {
  std::string limit;  // KeyOf(SharedRate)
  int64_t most = 0, target = 0, of = 0;
};
// What this scheduler says of its share.
struct ShareNow {
  std::string limit;
  int64_t used = 0;
  bool wants = false;
  std::optional<int64_t> lowered_to = {};
};

// Not thread-safe.
class SharedLimits {
 public:
  using Numbers = SharedRateTable::Numbers;
  void SetPolicy(const std::vector<SharedRate>& all, SteadyInstant now);
  // Those not named have nothing; good until `until`.
  void Give(const std::vector<GivenShare>& shares, SteadyInstant until, SteadyInstant now);
  // Lowers shares that are too high, and tells of each.
  std::vector<ShareNow> Now(SteadyInstant now);

  bool empty() const { return limits_.empty(); }
  const SharedRateTable& table() const { return table_; }
  // Of all these together; `blocking` is one that lets the fewest go.
  int64_t Available(const Numbers& numbers, int64_t most, SteadyInstant now, uint32_t& blocking) const;
  int64_t Available(uint32_t number, int64_t most, SteadyInstant now) const { return limits_[number].share.Available(most, now); }
  // The entry is handed out against these; then it has begun, or came back. Nothing when it was not, or that was said before.
  void HandOut(int64_t entry, Numbers numbers);
  void Begun(int64_t entry, SteadyInstant now);
  void CameBack(int64_t entry);
  // Something waits for it from now on.
  void Awaits(uint32_t number, SteadyInstant now);
  // Calls wake(number, how many may go) for each that something waits for and lets some go; it waits on if wake says so.
  template <class Wake>
  void WakeReady(SteadyInstant now, Wake wake);
  // When the first of those that something waits for lets one go, as things stand.
  std::optional<SteadyInstant> NextReady(SteadyInstant now) const;

 private:
  static constexpr int64_t kMostWoken = 64;
  // Shares must not go to and fro with each lull.
  static constexpr Duration kWantsFor = std::chrono::seconds(2);
  struct Limit {
    std::string key, scope;
    RateShare share;
    SteadyInstant wanted_at{};
    bool was_wanted = false, is_awaited = false;
  };

  SharedRateTable table_;
  std::vector<Limit> limits_;
  std::unordered_map<std::string, uint32_t> numbers_;  // By key.
  Numbers awaited_;
  absl::flat_hash_map<int64_t, Numbers> handed_out_;  // By entry: those not begun.
};

template <class Wake>
void SharedLimits::WakeReady(SteadyInstant now, Wake wake) {
  std::erase_if(awaited_, [&](uint32_t number) {
    Limit& limit = limits_[number];
    limit.wanted_at = now;
    const int64_t count = limit.share.Available(kMostWoken, now);
    limit.is_awaited = count <= 0 || wake(number, count);
    return !limit.is_awaited;
  });
}

}  // namespace sluice::scheduler
