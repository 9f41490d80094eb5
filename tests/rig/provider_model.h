// What a mailbox provider does to a sender who is too fast, as a model: it takes so many messages per window and refuses the rest;
// some refuse everything for a while once they have refused too much. Its parameters are its own business.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <random>
#include <string>

#include "base/clock.h"

namespace sluice::rig {

class ProviderModel {
 public:
  // Drawn from the seed: 1 to 200 a second, counted over 1 to 60 s; every third punishes 30 to 300 s long after 20 refusals
  // within a minute.
  explicit ProviderModel(uint64_t seed) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> unit(0, 1);
    rate_ = std::exp(std::log(200.0) * unit(random));
    window_ = std::chrono::milliseconds(static_cast<int64_t>(1'000 * std::exp(std::log(60.0) * unit(random))));
    // It counts whole messages.
    const double seconds = std::chrono::duration<double>(window_).count();
    rate_ = std::max(1.0, std::floor(rate_ * seconds)) / seconds;
    if (random() % 3 == 0) penalty_ = std::chrono::seconds(30 + static_cast<int64_t>(270 * unit(random)));
    delay_ = std::chrono::milliseconds(20 + static_cast<int64_t>(480 * unit(random)));
  }

  double rate() const { return rate_; }
  Duration window() const { return window_; }
  Duration penalty() const { return penalty_; }
  // From the begin of a message to its reply.
  Duration delay() const { return delay_; }
  // It changes its mind about us.
  void SetRate(double rate) { rate_ = rate; }

  // Whether a message that ends now is taken; the refusal is `421 4.7.0 … too fast`.
  bool Takes(SteadyInstant now) {
    while (!taken_.empty() && taken_.front() + window_ <= now) taken_.pop_front();
    while (!refused_.empty() && refused_.front() + std::chrono::minutes(1) <= now) refused_.pop_front();
    const bool is_punishing = now < punished_until_;
    const double most = std::max(1.0, rate_ * std::chrono::duration<double>(window_).count());
    if (!is_punishing && static_cast<double>(taken_.size()) + 1 <= most + 0.001) {
      taken_.push_back(now);
      return true;
    }
    refused_.push_back(now);
    if (!is_punishing && penalty_ > Duration::zero() && refused_.size() >= 20) punished_until_ = now + penalty_;
    return false;
  }

 private:
  double rate_ = 1;
  Duration window_{}, penalty_{0}, delay_{};
  SteadyInstant punished_until_{};
  std::deque<SteadyInstant> taken_, refused_;
};

}  // namespace sluice::rig
