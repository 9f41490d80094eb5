#include "rig/load_plan.h"

#include <algorithm>
#include <cmath>

namespace sluice::rig {
namespace {

constexpr Duration kFirstBackoff = std::chrono::milliseconds(20);
constexpr Duration kMostBackoff = std::chrono::seconds(2);
constexpr uint64_t kAnyNumber = uint64_t{1} << 62;

}  // namespace

uint64_t Pacer::Due(SteadyInstant now) {
  if (rate_ <= 0) return kAnyNumber;
  const double elapsed = static_cast<double>((now - from_).count()) / 1e6;
  const auto should = static_cast<uint64_t>(std::max(0.0, elapsed * rate_));
  if (should <= taken_) return 0;
  const auto most = static_cast<uint64_t>(std::max(1.0, rate_));
  if (should - taken_ > most) {
    // What a longer stall missed is not made up for.
    from_ = now - Duration(1'000'000);
    taken_ = 0;
    return most;
  }
  return should - taken_;
}

std::optional<SteadyInstant> Pacer::NextAt() const {
  if (rate_ <= 0) return std::nullopt;
  const double micros = std::ceil(static_cast<double>(taken_ + 1) / rate_ * 1e6);
  return from_ + Duration(static_cast<int64_t>(micros));
}

Duration Backoff(uint32_t attempts, std::optional<Duration> asked, std::mt19937_64& random) {
  const int64_t doublings = std::min<int64_t>(attempts, 10);
  const int64_t most = std::min(kMostBackoff.count(), kFirstBackoff.count() << doublings);
  const int64_t wait = std::uniform_int_distribution<int64_t>(most / 2, most)(random);
  if (!asked) return Duration(wait);
  // Spread over the time after it, so that all do not come back at once.
  return *asked + Duration(std::uniform_int_distribution<int64_t>(0, wait)(random));
}

void RetryQueue::Add(Pending pending, SteadyInstant due) { queue_.push({due, pending}); }

std::optional<Pending> RetryQueue::Take(SteadyInstant now) {
  if (queue_.empty() || queue_.top().due > now) return std::nullopt;
  const Pending pending = queue_.top().pending;
  queue_.pop();
  return pending;
}

std::optional<SteadyInstant> RetryQueue::NextAt() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.top().due;
}

}  // namespace sluice::rig
