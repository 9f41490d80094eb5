// When the load generator sends what: pacing of new messages, and waiting retries. Pure: no clock,
// no network.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <random>
#include <vector>

#include "base/clock.h"
#include "rig/load_message.h"

namespace sluice::rig {

// A message that has not been answered for good.
struct Pending {
  MessageId id;
  SteadyInstant first_sent{};
  uint32_t attempts = 0;  // sent so often
  uint64_t digest_high = 0, digest_low = 0;
};

// How many new messages may exist by now. With a rate they become due evenly; a stall is caught up
// with, but by no more than a second's worth at once.
class Pacer {
 public:
  // `rate` messages a second; 0: as many as asked for.
  Pacer(double rate, SteadyInstant start) : rate_(rate), from_(start) {}
  uint64_t Due(SteadyInstant now);
  void Took(uint64_t count) { taken_ += count; }
  // When the next becomes due; nothing without a rate.
  std::optional<SteadyInstant> NextAt() const;

 private:
  double rate_;
  SteadyInstant from_;
  uint64_t taken_ = 0;  // since from_
};

// Exponential with full jitter on the upper half; never before what the server asked for.
Duration Backoff(uint32_t attempts, std::optional<Duration> asked, std::mt19937_64& random);

class RetryQueue {
 public:
  void Add(Pending pending, SteadyInstant due);
  // Nothing when none is due.
  std::optional<Pending> Take(SteadyInstant now);
  std::optional<SteadyInstant> NextAt() const;
  size_t size() const { return queue_.size(); }

 private:
  struct Waiting {
    SteadyInstant due;
    Pending pending;
    friend bool operator>(const Waiting& a, const Waiting& b) { return a.due > b.due; }
  };
  std::priority_queue<Waiting, std::vector<Waiting>, std::greater<>> queue_;
};

}  // namespace sluice::rig
