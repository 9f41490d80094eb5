// A rate that several schedulers keep together, without asking one another for each message: each has a share of its count, in whole
// messages, and keeps that in a window of its own (policy/rate_window.h). Never doubled:
//
//   sum over all of `most`  ≤  the rate's count          and each lets go at most its `most` in any interval
//
//  - PlanShares, under a lock that all who plan take, raises a `most` only by what nobody has, and says by `target` who has too much;
//  - who has too much lowers its own to the target, but never below what still counts in its window: what it gave away it cannot have
//    used any more;
//  - who is not heard has nothing any more when its lease ends; what it may have let go before is kept back from the others until an
//    interval has passed, evenly, as it let go evenly.
//
// So no interval, wherever it begins and whoever let go, holds more than the count. Pure; time is the caller's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "mail/rate.h"
#include "policy/rate_window.h"

namespace sluice {

struct ShareRow {
  std::string scheduler = {};
  // It may have let go so many within an interval, and shall come down, or may hope to rise, to the target.
  int64_t most = 0, target = 0;
  // The rate's count when `most` was given.
  int64_t of = 0;
  // As it said: what counts in its window, and that mail waits for more.
  int64_t used = 0;
  bool wants = false;
  // Since when its lease is over; absent = it lives.
  std::optional<Duration> lapsed = {};
  friend bool operator==(const ShareRow&, const ShareRow&) = default;
};
// Changes `most`, `target` and `of`. Rows that lapsed and hold nothing back any more go.
void PlanShares(const Rate& rate, std::vector<ShareRow>& rows);

// One scheduler's share of one rate. Nothing may leave before the first Give. Not thread-safe.
class RateShare {
 public:
  // What went counts on; a lower count cuts the share in proportion until the others are planned anew.
  void SetRate(const Rate& rate, SteadyInstant now);
  // As stored; not used from `until` on.
  void Give(int64_t most, int64_t target, int64_t of, SteadyInstant until, SteadyInstant now);
  // Comes down to the target as far as it can. The value to store as `most` before anybody else may have it; absent = unchanged.
  std::optional<int64_t> Lower(SteadyInstant now);

  // What is handed out counts from then until an interval after it was begun, or until it came back: however long it is under way, no
  // interval holds more.
  int64_t Available(int64_t most, SteadyInstant now) const;
  void HandOut() { ++handed_out_; }
  void Begun(SteadyInstant now);
  void CameBack() { --handed_out_; }
  int64_t Used(SteadyInstant now) const { return window_.Counted(now) + handed_out_; }
  // When one more may leave, as things stand; absent = not before the share changes or something handed out has begun.
  std::optional<SteadyInstant> ReadyAt(SteadyInstant now) const;
  const Rate& rate() const { return rate_; }

 private:
  void Apply(SteadyInstant now);

  Rate rate_{};
  RateWindow window_;
  int64_t handed_out_ = 0;  // And not begun.
  int64_t most_ = 0, target_ = 0, of_ = 0, share_ = 0;
  SteadyInstant until_{};
};

}  // namespace sluice
