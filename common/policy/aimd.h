// How fast a source may send to a provider that has told it to slow down. The rate falls multiplicatively on such replies, rises
// additively while nobody complains, stops short of where it was refused last, and tries beyond only now and then. When everything is
// refused it sends single probes until some are taken. Knows nothing of the provider but its replies. Pure; time is the caller's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "mail/rate.h"

namespace sluice {

// Events a second over the last minute, or since the first where that is shorter. Not thread-safe.
class RateMeter {
 public:
  void Add(SteadyInstant now, int64_t count = 1);
  // At least ten seconds are looked at: the first instants of a burst are no rate.
  double PerSecond(SteadyInstant now) const;

 private:
  static constexpr int64_t kSeconds = 60;
  struct Bucket {
    int64_t second = -1, count = 0;
  };
  std::array<Bucket, kSeconds> buckets_{};
  std::optional<SteadyInstant> first_;
};

// As a limit whose window is short, so that it forgets soon what went at another rate.
Rate RateOf(double per_second);

// Not thread-safe. Rates are messages a second.
class Aimd {
 public:
  static constexpr double kFloor = 1.0 / 60;
  static constexpr double kDecrease = 0.7;

  // Absent: it does not limit.
  std::optional<double> rate() const { return phase_ == Phase::kFree ? std::nullopt : std::optional(rate_); }
  // Everything is refused: single messages ask whether that is over.
  bool is_probing() const { return phase_ == Phase::kProbing; }
  // What was in force before this process began.
  void Seed(double rate, SteadyInstant now);
  // Something else says that we are too fast (a suspension): begins anew below what was taken lately.
  bool SlowDown(SteadyInstant now);

  // Each answers whether the rate has changed. An attempt was taken, or refused because we are too fast; it began at `begun`.
  bool OnAccepted(SteadyInstant now);
  bool OnThrottled(SteadyInstant begun, SteadyInstant now);
  // A few times a second. `is_saturated`: more would be sent if it were let; `ceiling`: what the policy allows, at which
  // there is nothing left to do.
  bool OnTick(bool is_saturated, std::optional<double> ceiling, SteadyInstant now);

 private:
  enum class Phase : uint8_t { kFree, kCruising, kProbing };
  bool Set(double rate, SteadyInstant now);
  bool Fall(SteadyInstant now);
  bool Probe(SteadyInstant now);
  bool Rise(SteadyInstant now);

  Phase phase_ = Phase::kFree;
  double rate_ = 0;
  double good_ = 0;    // The highest that held; 0 = none known.
  double before_ = 0;  // The one before the last rise.
  double bad_ = 0;     // The lowest that was refused lately; 0 = none known.
  double resume_ = 0;  // While probing: what comes after.
  bool has_met_ = false;  // Its own rate was refused, not only what went before it.
  int64_t accepted_ = 0, throttled_ = 0;  // Since the last change, of attempts begun after it.
  SteadyInstant changed_at_{}, throttled_at_{}, dare_at_{};
  Duration dare_wait_{};
  RateMeter taken_;
};

}  // namespace sluice
