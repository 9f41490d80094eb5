// What the scheduler knows of a path (source × site): how much of it may be in flight, and whether it rests. The window grows with
// deliveries and falls when connecting fails, so that a dead site never eats the credit. A path on which kMostFailures attempts to connect
// failed in a row is down: one entry probes it after a rest, of a second at first, twice as long after each probe that fails, 40 s at most
// (longer than egress remembers that a host failed). So a dead site with a million entries costs an attempt now and then.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace sluice::scheduler {

struct Path {
  uint16_t in_flight = 0;
  uint16_t window = kFirst;
  bool proven = false;   // Delivered, and has not failed since.
  bool resting = false;  // Until EndRest.
  uint8_t failures = 0;  // In a row; kMostFailures at most.
  uint8_t rests = 0;     // In a row.
  uint64_t begun_before = 0;  // Attempts below are of the connection whose failure was counted last.
  SteadyInstant rests_until{};

  static constexpr uint16_t kLeast = 4;
  static constexpr uint16_t kFirst = 32;
  static constexpr uint16_t kMost = 1024;
  static constexpr uint8_t kMostFailures = 8;
  static constexpr Duration kFirstRest = std::chrono::seconds(1);
  static constexpr Duration kLongestRest = std::chrono::seconds(40);

  // Nothing but probes goes.
  bool IsDown() const { return failures >= kMostFailures; }
  bool HasRoom() const { return IsDown() ? !resting && in_flight == 0 : in_flight < window; }
  void Delivered() {
    window = window < kMost ? static_cast<uint16_t>(window + 1) : kMost;
    proven = true;
    resting = false;
    failures = rests = 0;
  }
  // One connection that fails fails all that waited for it: they count once. `next`: of the next attempt to begin. Until when it rests
  // from now on; nothing when it does not, or did before.
  std::optional<SteadyInstant> Failed(uint64_t attempt, uint64_t next, SteadyInstant now) {
    window = window / 2 > kLeast ? static_cast<uint16_t>(window / 2) : kLeast;
    proven = false;
    if (attempt < begun_before) return std::nullopt;
    begun_before = next;
    if (!IsDown() && ++failures < kMostFailures) return std::nullopt;
    if (resting) return std::nullopt;
    resting = true;
    const Duration rest = std::min(kFirstRest * (1 << rests), kLongestRest);
    if (rest < kLongestRest) ++rests;
    rests_until = now + rest;
    return rests_until;
  }
  void EndRest() { resting = false; }
};

}  // namespace sluice::scheduler
