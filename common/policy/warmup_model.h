// What a mailbox provider does to an address it does not know: accepts what it is used to, throttles jumps, blocks on complaints and
// forgives with time. A model, for forecasts and studies; its parameters are nothing the controller knows. Pure but for the random
// numbers it is given.
#pragma once

#include <cstdint>
#include <functional>

#include "policy/warmup.h"

namespace sluice {

struct ProviderModel {
  double trust = 100;           // Messages a day that it takes from a stranger.
  double growth = 2.0;          // How much more than the best of late it takes in a day.
  double most_growth_from = 50'000;  // Above this much a day, growth falls to `late_growth`.
  double late_growth = 1.4;
  double memory_days = 10;      // Half-life of what it is used to.
  double throttle_share = 0.9;  // Of what is above: deferred; the rest is taken.
  double overrun_cost = 0.5;    // Trust lost when a day's attempts were wholly above what it takes.
  double block_complaints = 0.006;   // Complaint rate of three days that blocks.
  double block_days = 3;        // Then nothing is taken for so long …
  double block_trust = 0.3;     // … and this share of the trust is left.
  double least_trust = 50;
  double bounce_rate = 0.008, complaint_rate = 0.0004;  // Of what this sender sends.
};

// Not thread-safe.
class ModelledProvider {
 public:
  // `random` gives numbers from 0 to 1.
  ModelledProvider(const ProviderModel& model, std::function<double()> random);
  // What becomes of `attempts` more of this day; call in slices of a day, in order. `risk` multiplies bounces and complaints.
  WarmupCounts Send(int64_t attempts, double risk);
  // Midnight there.
  void EndDay();
  bool is_blocking() const { return blocked_days_ > 0; }
  int blocks() const { return blocks_; }
  double takes_today() const;

 private:
  int64_t Some(int64_t of, double rate);

  const ProviderModel model_;
  std::function<double()> random_;
  double trust_;  // What it is used to, a day.
  WarmupCounts today_, recent_;
  int blocked_days_ = 0, blocks_ = 0;
};

}  // namespace sluice
