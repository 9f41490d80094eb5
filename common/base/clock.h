// Time as a parameter. `Now` is wall time (stored, compared across processes); `Steady` is this process's
// monotonic time (leases, timeouts). Decisions never read a clock: they take an Instant.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"

namespace sluice {

using Duration = std::chrono::microseconds;
// Wall time in microseconds since the Unix epoch, UTC.
using Instant = std::chrono::time_point<std::chrono::system_clock, Duration>;
// Monotonic time of this process; never stored, never sent.
using SteadyInstant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

constexpr int64_t ToMicros(Instant at) { return at.time_since_epoch().count(); }
constexpr Instant FromMicros(int64_t micros) { return Instant(Duration(micros)); }
// RFC 3339 UTC with microseconds, as logs and sluicectl print it.
std::string ToString(Instant at);
// "1.5s", "10m", "2h", "4d12h", "250ms"; an error names what was wrong. Never negative.
absl::StatusOr<Duration> ParseDuration(std::string_view text);
std::string ToString(Duration duration);

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() const = 0;
  virtual SteadyInstant Steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  Instant Now() const override;
  SteadyInstant Steady() const override;
};

// Moves only when told to. Thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(Instant start = FromMicros(1'800'000'000'000'000)) : now_(start) {}
  Instant Now() const override;
  SteadyInstant Steady() const override;
  void Advance(Duration by);

 private:
  mutable std::mutex mutex_;
  Instant now_;
  SteadyInstant steady_{Duration(1'000'000'000)};
};

}  // namespace sluice
