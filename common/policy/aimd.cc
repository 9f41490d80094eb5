#include "policy/aimd.h"

#include <algorithm>
#include <cmath>

namespace sluice {
namespace {

// Held for so long without a refusal, it may rise.
constexpr auto kHold = std::chrono::seconds(60);
// Before it goes beyond what was refused, at first and at the most.
constexpr auto kFirstDare = std::chrono::minutes(5);
constexpr auto kMostDare = std::chrono::hours(1);
// Nobody has complained for so long: forgotten.
constexpr auto kForget = std::chrono::hours(24);
constexpr double kStep = 0.05, kSmallStep = 0.02, kFirstRise = 1.5;
constexpr double kNear = 0.9;       // Of what was refused: steps are small.
constexpr double kStepBack = 0.97;  // Of what held, when a small step was too much.
constexpr int64_t kAllRefused = 3;
constexpr int64_t kProbesTaken = 2;
constexpr double kMostProbes = 0.5;

int64_t SecondOf(SteadyInstant now) {
  return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
}

}  // namespace

void RateMeter::Add(SteadyInstant now, int64_t count) {
  if (!first_) first_ = now;
  const int64_t second = SecondOf(now);
  Bucket& bucket = buckets_[static_cast<size_t>(second % kSeconds)];
  if (bucket.second != second) bucket = {second, 0};
  bucket.count += count;
}

double RateMeter::PerSecond(SteadyInstant now) const {
  if (!first_) return 0;
  const int64_t second = SecondOf(now);
  int64_t sum = 0;
  for (const Bucket& bucket : buckets_) sum += bucket.second > second - kSeconds ? bucket.count : 0;
  const double since = std::chrono::duration<double>(now - *first_).count();
  return static_cast<double>(sum) / std::clamp<double>(since, 10, kSeconds);
}

Rate RateOf(double per_second) {
  const auto rounded = [&](int64_t seconds) {
    return Rate{.count = std::llround(per_second * static_cast<double>(seconds)), .per = std::chrono::seconds(seconds)};
  };
  if (per_second >= 100) return rounded(1);
  if (per_second >= 5) return rounded(5);
  return {.count = 1, .per = Duration(std::llround(1e6 / std::max(per_second, 1e-6)))};
}

bool Aimd::Set(double rate, SteadyInstant now) {
  rate_ = std::max(rate, kFloor);
  changed_at_ = now;
  accepted_ = throttled_ = 0;
  return true;
}

void Aimd::Seed(double rate, SteadyInstant now) {
  phase_ = Phase::kCruising;
  Set(rate, now);
  before_ = rate_;
  dare_wait_ = kFirstDare;
  has_met_ = false;
  throttled_at_ = now;
}

bool Aimd::SlowDown(SteadyInstant now) {
  const double taken = taken_.PerSecond(now);
  const double rate = phase_ == Phase::kFree ? taken : std::min(taken, rate_);
  bad_ = good_ = 0;
  Seed(kDecrease * rate, now);
  return true;
}

bool Aimd::OnAccepted(SteadyInstant now) {
  taken_.Add(now);
  ++accepted_;
  if (phase_ != Phase::kProbing || accepted_ < kProbesTaken) return false;
  phase_ = Phase::kCruising;
  return Set(resume_, now);
}

bool Aimd::OnThrottled(SteadyInstant begun, SteadyInstant now) {
  throttled_at_ = now;
  if (phase_ == Phase::kFree) {
    bad_ = good_ = 0;
    Seed(kDecrease * taken_.PerSecond(now), now);
    return true;
  }
  // What began before the last change says nothing about it.
  if (begun <= changed_at_) return false;
  ++throttled_;
  if (phase_ == Phase::kProbing) {
    accepted_ = 0;
    return Set(rate_ / 1.5, now);
  }
  if (accepted_ == 0) return throttled_ >= kAllRefused && Probe(now);
  return Fall(now);
}

bool Aimd::Fall(SteadyInstant now) {
  has_met_ = true;
  bad_ = rate_;
  if (good_ > 0 && rate_ <= good_ * 1.15) {
    dare_wait_ = std::min<Duration>(dare_wait_ * 2, kMostDare);
    dare_at_ = now + dare_wait_;
    good_ *= kStepBack;
    before_ = good_;
    return Set(good_, now);
  }
  good_ = 0;
  dare_at_ = now + dare_wait_;
  const double rate = kDecrease * std::min(rate_, std::max(taken_.PerSecond(now), kFloor));
  before_ = rate;
  return Set(rate, now);
}

bool Aimd::Probe(SteadyInstant now) {
  phase_ = Phase::kProbing;
  resume_ = std::max(kFloor, rate_ * kDecrease);
  good_ = 0;
  before_ = resume_;
  return Set(std::clamp(resume_ / 20, kFloor, kMostProbes), now);
}

bool Aimd::Rise(SteadyInstant now) {
  const bool is_near = bad_ > 0 && rate_ >= kNear * bad_;
  const bool knows_nothing = bad_ == 0 && !has_met_;
  good_ = before_;
  before_ = rate_;
  if (bad_ > 0 && rate_ > bad_) {
    bad_ = 0;
    dare_wait_ = kFirstDare;
  }
  // Nothing is known yet of where the limit is.
  if (knows_nothing) return Set(kFirstRise * rate_, now);
  return Set(rate_ + (is_near ? kSmallStep * rate_ : kStep * std::max(rate_, kNear * bad_)), now);
}

bool Aimd::OnTick(bool is_saturated, std::optional<double> ceiling, SteadyInstant now) {
  if (phase_ == Phase::kFree) return false;
  const bool is_at_ceiling = ceiling && phase_ == Phase::kCruising && rate_ >= *ceiling;
  if (now - throttled_at_ > kForget || is_at_ceiling) {
    phase_ = Phase::kFree;
    return true;
  }
  if (phase_ == Phase::kProbing || !is_saturated) return false;
  if (now - changed_at_ < kHold || now - throttled_at_ < kHold) return false;
  // The next step would pass what was refused.
  if (bad_ > 0 && rate_ * (1 + kSmallStep) >= 0.97 * bad_ && now < dare_at_) return false;
  return Rise(now);
}

}  // namespace sluice
