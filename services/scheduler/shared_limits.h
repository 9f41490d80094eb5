// Rates of messages and bytes that hold for several sources together, as this scheduler keeps its shares of them (policy/shared_limit.h, policy/rate_share.h),
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
#include "policy/shared_limit.h"

namespace sluice::scheduler {

// As stored, of this scheduler.
struct GivenShare {
  std::string limit;  // KeyOf(SharedLimit)
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
  using Numbers = SharedLimitTable::Numbers;
  void SetPolicy(const std::vector<SharedLimit>& all, SteadyInstant now);
  // Those not named have nothing; good until `until`.
  void Give(const std::vector<GivenShare>& shares, SteadyInstant until, SteadyInstant now);
  // Lowers shares that are too high, and tells of each.
  std::vector<ShareNow> Now(SteadyInstant now);

  bool empty() const { return limits_.empty(); }
  const SharedLimitTable& table() const { return table_; }
  // Some count bytes: what an entry counts is asked for.
  bool counts_bytes() const { return counts_bytes_; }
  // Of a message of which that is not known yet.
  int64_t usual_bytes() const { return static_cast<int64_t>(usual_bytes_); }
  // Of all these together, by their messages; `blocking` is one that lets the fewest go.
  int64_t Available(const Numbers& numbers, int64_t most, SteadyInstant now, uint32_t& blocking) const;
  // Whether those that count bytes let one of so many go; `blocking` is one that does not.
  bool FitsBytes(const Numbers& numbers, int64_t bytes, SteadyInstant now, uint32_t& blocking) const;
  // The entry is handed out against these; then it has begun, or came back. Nothing when it was not, or that was said before.
  void HandOut(int64_t entry, Numbers numbers, int64_t bytes);
  // It has so many bytes. False: too many for now; it must come back.
  bool Weigh(int64_t entry, int64_t bytes, SteadyInstant now);
  void Begun(int64_t entry, SteadyInstant now);
  void CameBack(int64_t entry);
  // Something of so many bytes waits for it from now on.
  void Awaits(uint32_t number, int64_t bytes, SteadyInstant now);
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
    bool counts_bytes = false;
    SteadyInstant wanted_at{};
    bool was_wanted = false, is_awaited = false;
    int64_t weight = 1;  // The most that was awaited since something was woken: lighter mail leaves room for it.

    int64_t WeightOf(int64_t bytes) const { return counts_bytes ? bytes : 1; }
  };
  struct HandedOut {
    Numbers numbers;
    int64_t bytes = 0;
  };
  // How many may be woken now.
  int64_t Wakes(const Limit& limit, SteadyInstant now) const;

  SharedLimitTable table_;
  std::vector<Limit> limits_;
  std::unordered_map<std::string, uint32_t> numbers_;  // By key.
  Numbers awaited_;
  absl::flat_hash_map<int64_t, HandedOut> handed_out_;  // By entry: those not begun.
  bool counts_bytes_ = false;
  double usual_bytes_ = 10'000;  // Of a message, lately.
};

template <class Wake>
void SharedLimits::WakeReady(SteadyInstant now, Wake wake) {
  std::erase_if(awaited_, [&](uint32_t number) {
    Limit& limit = limits_[number];
    limit.wanted_at = now;
    const int64_t count = Wakes(limit, now);
    if (count > 0) limit.weight = 1;
    limit.is_awaited = count <= 0 || wake(number, count);
    return !limit.is_awaited;
  });
}

}  // namespace sluice::scheduler
