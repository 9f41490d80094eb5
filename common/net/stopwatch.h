// Measures the steps of a dialog one after the other.
#pragma once

#include <chrono>
#include <utility>

#include "base/clock.h"

namespace sluice {

class Stopwatch {
 public:
  void Start() { last_ = std::chrono::steady_clock::now(); }
  // Since Start or the last lap.
  Duration Lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration_cast<Duration>(now - std::exchange(last_, now));
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace sluice
