// A limit that several keep together (schedulers a rate of messages, egresses a number of connections), without asking one another each
// time: each has a share of its count, in whole numbers, and keeps that in a window of its own (policy/rate_window.h), or as what it has
// at once. Never doubled:
//
//   sum over all of `most`  ≤  the rate's count          and each lets go at most its `most` in any interval
//
//  - PlanShares, under a lock that all who plan take, raises a `most` only by what nobody has, and says by `target` who has too much;
//  - who has too much lowers its own to the target, but never below what still counts in its window: what it gave away it cannot have
//    used any more;
//  - who is not heard has nothing any more when its lease ends; what it may have let go before is kept back from the others until an
//    interval has passed: evenly, where it let go evenly.
//
// So no interval, wherever it begins and whoever let go, holds more than the count. Where there is less than one for each who wants
// some, they take turns. Pure; time is the caller's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "mail/rate.h"
#include "policy/rate_window.h"

namespace sluice {

// What is shared: so many an interval; or so many at once, and `per` is how long one that is not heard of any more may have them.
struct ShareTerms {
  Rate rate = {};
  bool is_even = true;
  // How long each has its turn, where there is not one for each.
  Duration turn = std::chrono::seconds(10);
  friend bool operator==(const ShareTerms&, const ShareTerms&) = default;
};

struct ShareRow {
  std::string holder = {};
  // It may have let go so many within an interval, and shall come down, or may hope to rise, to the target.
  int64_t most = 0, target = 0;
  // The limit's count when `most` was given.
  int64_t of = 0;
  // As it said: what counts in its window, or is open, and that mail waits for more.
  int64_t used = 0;
  bool wants = false;
  // Since when its lease is over; absent = it lives.
  std::optional<Duration> lapsed = {};
  friend bool operator==(const ShareRow&, const ShareRow&) = default;
};
// Changes `most`, `target` and `of`. Rows that lapsed and hold nothing back any more go.
// `turn` rises by one when the next shall have theirs, of which there are not enough.
void PlanShares(const ShareTerms& terms, int64_t turn, std::vector<ShareRow>& rows);

// What is given to a holder, and until when; what of it holds now.
class ShareGrant {
 public:
  void SetCount(int64_t count) { count_ = count; }
  void Give(int64_t most, int64_t target, int64_t of, SteadyInstant until);
  // Comes down to the target, or to what is used. The value to store as `most` before anybody else may have it; absent = unchanged.
  std::optional<int64_t> Lower(int64_t used);
  // What may be used, until until().
  int64_t share() const;
  SteadyInstant until() const { return until_; }

 private:
  int64_t count_ = 0, most_ = 0, target_ = 0, of_ = 0;
  SteadyInstant until_{};
};

// One holder's share of one rate. Nothing may leave before the first Give. Not thread-safe.
class RateShare {
 public:
  explicit RateShare(bool is_even = true) : window_(is_even) {}
  // What went counts on; a lower count cuts the share in proportion until the others are planned anew.
  void SetRate(const Rate& rate, SteadyInstant now);
  // As stored; not used from `until` on.
  void Give(int64_t most, int64_t target, int64_t of, SteadyInstant until, SteadyInstant now);
  // Comes down to the target as far as it can. The value to store as `most` before anybody else may have it; absent = unchanged.
  std::optional<int64_t> Lower(SteadyInstant now);

  // What is handed out counts from then until an interval after it was begun, or until it came back: however long it is under way, no
  // interval holds more.
  int64_t Available(int64_t most, SteadyInstant now) const;
  // One thing that counts `weight` (bytes of a message). One that counts more than the share goes when nothing else went for an interval.
  bool Fits(int64_t weight, SteadyInstant now) const;
  void HandOut(int64_t weight = 1) { handed_out_ += weight; }
  void Begun(SteadyInstant now, int64_t weight = 1);
  void CameBack(int64_t weight = 1) { handed_out_ -= weight; }
  // Begun last, and did not go.
  void Untake() { window_.Untake(1); }
  int64_t Used(SteadyInstant now) const { return window_.Counted(now) + handed_out_; }
  // When one more (of that weight) may leave, as things stand; absent = not before the share changes or something handed out has begun.
  std::optional<SteadyInstant> ReadyAt(SteadyInstant now, int64_t weight = 1) const;
  const Rate& rate() const { return rate_; }

 private:
  void Apply(SteadyInstant now);

  Rate rate_{};
  RateWindow window_;
  ShareGrant grant_;
  int64_t handed_out_ = 0;  // And not begun.
  int64_t share_ = 0;
};

}  // namespace sluice
