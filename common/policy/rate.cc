#include "policy/rate.h"

#include <algorithm>

#include "base/check.h"

namespace sluice {

int64_t DefaultBurst(const Rate& rate) {
  constexpr int64_t kTenth = 100'000;
  return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(rate.count) * kTenth /
                                                   static_cast<double>(rate.per.count())));
}

TokenBucket::TokenBucket(const Rate& rate, int64_t burst, SteadyInstant now)
    : rate_(rate), burst_(burst), level_(Parts(burst) * rate.per.count()), at_(now) {
  SLUICE_CHECK(rate.count >= 1 && rate.per > Duration::zero() && burst >= 1);
}

TokenBucket::Parts TokenBucket::Level(SteadyInstant now) const {
  if (now <= at_) return level_;
  return std::min(level_ + Parts((now - at_).count()) * rate_.count, Full());
}

bool TokenBucket::TryTake(int64_t n, SteadyInstant now) {
  const Parts level = Level(now);
  const Parts cost = Parts(n) * rate_.per.count();
  if (cost > level) return false;
  level_ = level - cost;
  at_ = std::max(at_, now);
  return true;
}

void TokenBucket::Return(int64_t n, SteadyInstant now) {
  level_ = std::min(Level(now) + Parts(n) * rate_.per.count(), Full());
  at_ = std::max(at_, now);
}

SteadyInstant TokenBucket::ReadyAt(int64_t n, SteadyInstant now) const {
  if (n > burst_) return SteadyInstant::max();
  const Parts missing = Parts(n) * rate_.per.count() - Level(now);
  const SteadyInstant from = std::max(at_, now);
  if (missing <= 0) return now;
  return from + Duration(static_cast<int64_t>((missing + rate_.count - 1) / rate_.count));
}

int64_t TokenBucket::Available(SteadyInstant now) const {
  return static_cast<int64_t>(Level(now) / rate_.per.count());
}

void TokenBucket::SetRate(const Rate& rate, int64_t burst, SteadyInstant now) {
  SLUICE_CHECK(rate.count >= 1 && rate.per > Duration::zero() && burst >= 1);
  const Parts tokens_by_parts = Level(now);
  const Parts per_before = rate_.per.count();
  rate_ = rate;
  burst_ = burst;
  level_ = std::min(tokens_by_parts * rate.per.count() / per_before, Full());
  at_ = std::max(at_, now);
}

}  // namespace sluice
