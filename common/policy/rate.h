// A token bucket, exact to the microsecond: no drift, no floating point, no clock of its own. In
// any span of time t it lets through at most burst + rate × t.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "mail/rate.h"

namespace sluice {

// A tenth of a second's worth, at least 1: smooth at any rate.
int64_t DefaultBurst(const Rate& rate);

// Not thread-safe. Starts full. Times that run backwards count as standing still.
class TokenBucket {
 public:
  // `burst` ≥ 1: what may go at once after a pause.
  TokenBucket(const Rate& rate, int64_t burst, SteadyInstant now);

  // Takes `n` ≥ 1 tokens, or none and answers false. More than the burst at once never succeeds.
  bool TryTake(int64_t n, SteadyInstant now);
  // Gives tokens back that were taken and not used; never above the burst.
  void Return(int64_t n, SteadyInstant now);
  // The earliest time at which TryTake(n) can succeed; `now` or later. SteadyInstant::max() when n
  // is more than the burst.
  SteadyInstant ReadyAt(int64_t n, SteadyInstant now) const;
  // Whole tokens there now.
  int64_t Available(SteadyInstant now) const;
  // What was saved up is kept, up to the new burst.
  void SetRate(const Rate& rate, int64_t burst, SteadyInstant now);

 private:
  // One token is `per` parts (microseconds of the rate's interval); a microsecond earns `count`
  // parts.
  __extension__ using Parts = __int128;
  Parts Level(SteadyInstant now) const;
  Parts Full() const { return Parts(burst_) * rate_.per.count(); }

  Rate rate_;
  int64_t burst_;
  Parts level_;
  SteadyInstant at_;
};

}  // namespace sluice
