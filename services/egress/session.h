// One session with one scheduler process: from its Welcome to the loss of either stream. It carries
// the lease that every begin is checked against.
//
//   opened ─▶ lease holds ◀─▶ lease lapsed ─▶ ended (for ever)
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace sluice::egress {

// Longest time between a heartbeat that was answered and the last begin it allows. The scheduler
// waits twice as long before it gives entries out again.
constexpr Duration kLongestLease = std::chrono::seconds(5);

// Thread-safe, without locks: I/O threads ask, the streams' threads renew.
class Session {
 public:
  explicit Session(uint64_t number) : number_(number) {}

  // Unique in this process; 0 is nobody.
  uint64_t number() const { return number_; }

  // A heartbeat sent at `sent_at` was answered with `valid_for`; replies come in the order of
  // sending. The newest reply rules, also when it shortens: zero means that the scheduler is not
  // active.
  void Renew(SteadyInstant sent_at, Duration valid_for) {
    const SteadyInstant until = sent_at + std::clamp(valid_for, Duration(0), kLongestLease);
    valid_until_.store(until.time_since_epoch().count(), std::memory_order_release);
  }
  bool Holds(SteadyInstant now) const {
    return !has_ended() &&
           now.time_since_epoch().count() < valid_until_.load(std::memory_order_acquire);
  }
  // Nothing begins any more on behalf of this session. Not undone by Renew.
  void End() { ended_.store(true, std::memory_order_release); }
  bool has_ended() const { return ended_.load(std::memory_order_acquire); }

 private:
  const uint64_t number_;
  std::atomic<int64_t> valid_until_{0};  // SteadyInstant in microseconds
  std::atomic<bool> ended_{false};
};

}  // namespace sluice::egress
