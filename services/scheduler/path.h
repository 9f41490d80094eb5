// What the scheduler knows of a path (source × site): how much of it may be in flight, and whether it rests. The window grows with
// deliveries and falls when connecting fails, so that a dead site never eats the credit. A path on which connecting failed
// kMostFailures times in a row rests: a second at first, twice as long after each probe that fails, half a minute at most; a probe is one
// entry. So a dead site with a million entries costs a connection attempt each half minute, and no entry of it is deferred for nothing.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace sluice::scheduler {

struct Path {
  uint16_t in_flight = 0;
  uint16_t window = kFirst;
  bool proven = false;   // Delivered, and has not failed since.
  bool resting = false;  // Until whoever keeps the time says EndRest.
  uint8_t failures = 0;  // In a row; kMostFailures at most.
  uint8_t rests = 0;     // In a row.

  static constexpr uint16_t kLeast = 4;
  static constexpr uint16_t kFirst = 32;
  static constexpr uint16_t kMost = 1024;
  static constexpr uint8_t kMostFailures = 16;
  static constexpr Duration kFirstRest = std::chrono::seconds(1);
  static constexpr Duration kLongestRest = std::chrono::seconds(30);

  // Nothing but probes goes.
  bool IsDown() const { return failures >= kMostFailures; }
  bool HasRoom() const { return IsDown() ? !resting && in_flight == 0 : in_flight < window; }
  void Delivered() {
    window = window < kMost ? static_cast<uint16_t>(window + 1) : kMost;
    proven = true;
    resting = false;
    failures = rests = 0;
  }
  // How long it rests from now on; zero when it does not, or did before: then what fails had begun earlier.
  Duration Failed() {
    window = window / 2 > kLeast ? static_cast<uint16_t>(window / 2) : kLeast;
    proven = false;
    if (!IsDown() && ++failures < kMostFailures) return Duration::zero();
    if (resting) return Duration::zero();
    resting = true;
    const Duration rest = std::min(kFirstRest * (1 << rests), kLongestRest);
    if (rest < kLongestRest) ++rests;
    return rest;
  }
  void EndRest() { resting = false; }
};

}  // namespace sluice::scheduler
