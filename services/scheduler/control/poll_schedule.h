// When a poller asks next: every so often, a little sooner or later so that not everybody asks at once; after a failure sooner, with a
// wait that doubles. Decides with the time that it is told.
#pragma once

#include <cstdint>
#include <random>

#include "base/clock.h"

namespace sluice::scheduler {

class PollSchedule {
 public:
  PollSchedule(Duration every, uint64_t seed) : every_(every), random_(seed) {}
  bool IsDue(Instant now) const { return now >= due_; }
  Instant due() const { return due_; }
  void Succeeded(Instant now);
  void Failed(Instant now);
  // Before the first question: somebody was answered at `last`, perhaps in another process.
  void Resume(Instant last);

 private:
  // From 0.9 to 1.1 of it.
  Duration Jittered(Duration wait);

  const Duration every_;
  std::mt19937_64 random_;
  Instant due_{};
  int failures_ = 0;  // In a row.
};

}  // namespace sluice::scheduler
