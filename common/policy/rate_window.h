// "So many per so long" kept exactly: in no interval of that length goes more than the limit, wherever the interval begins. Within it
// what goes is spread evenly, if wanted; lateness of up to a quarter of a second is caught up. Pure; time is the caller's.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/clock.h"
#include "mail/rate.h"

namespace sluice {

// Not thread-safe. Evenly spread, one may go at once when it begins, for nobody knows what went before. Memory is bounded (kMostSlots), whatever the
// limit is. Times that run backwards count as standing still.
class RateWindow {
 public:
  // Uneven: as many as the limit at once, then nothing for an interval.
  explicit RateWindow(bool is_even = true) : is_even_(is_even) {}

  // Absent = no limit. What went already counts on, so that an edit never lets more go than the new limit and what was spread
  // out before it allow.
  void SetRate(const std::optional<Rate>& rate, SteadyInstant now);
  bool has_rate() const { return rate_.has_value(); }

  // Whether one may go now.
  bool Fits(SteadyInstant now) const { return ReadyAt(1, now) <= now; }
  // How many single ones may go now, at most `most`.
  int64_t Available(int64_t most, SteadyInstant now) const;
  // `n` go; whoever asked before keeps the limit.
  void Take(int64_t n, SteadyInstant now);
  // Taken last, and did not go.
  void Untake(int64_t n);
  // When `n` more may have gone, if all go as soon as they may; `now` or later.
  SteadyInstant ReadyAt(int64_t n, SteadyInstant now) const { return Ready(n, n, now); }
  // When one thing that counts `weight` (bytes of a message) may go. One that counts more than the limit goes when nothing else
  // went for an interval.
  // `ahead`: what counts so much goes before it, at once.
  SteadyInstant ReadyFor(int64_t weight, SteadyInstant now, int64_t ahead = 0) const { return Ready(ahead + 1, ahead + weight, now); }
  // How many went within the last interval.
  int64_t Counted(SteadyInstant now) const;
  // Nothing is remembered that limits anything: it may be forgotten.
  bool IsBlank(SteadyInstant now) const;

 private:
  static constexpr int64_t kMostSlots = 512;
  // Gone between two instants close to each other; counts until an interval after the later one.
  struct Slot {
    SteadyInstant first{}, last{};
    int64_t count = 0;
  };
  using Nanos = std::chrono::nanoseconds;
  Nanos Spacing() const;
  // due_ without what is too old to be caught up.
  Nanos DueFrom(SteadyInstant now) const;
  void Expire(SteadyInstant now);
  // When the window alone lets `n` more go; `now` or later.
  SteadyInstant WindowReady(int64_t n, SteadyInstant now) const;
  SteadyInstant Ready(int64_t due, int64_t n, SteadyInstant now) const;

  const bool is_even_;
  std::optional<Rate> rate_;
  std::deque<Slot> slots_;
  int64_t total_ = 0;  // In slots_.
  // When the next one may go, all keeping the same distance; behind the time when they are late.
  Nanos due_{0};
};

}  // namespace sluice
