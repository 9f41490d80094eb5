#include "egress/limit_windows.h"

#include <algorithm>
#include <cmath>

namespace sluice::egress {
namespace {

// What is on its way here must last until more has come.
constexpr double kAheadSeconds = 2;
constexpr int64_t kLeastRoom = 2;
constexpr double kLeastShare = 0.001;

std::optional<double> PerSecond(const std::optional<Rate>& rate) {
  if (!rate) return std::nullopt;
  return egress::PerSecond(*rate);
}

}  // namespace

double PerSecond(const Rate& rate) {
  return static_cast<double>(rate.count) / std::chrono::duration<double>(rate.per).count();
}

Rate ShareOf(const Rate& rate, double share) {
  if (share >= 1) return rate;
  const double stretched = static_cast<double>(rate.per.count()) / std::max(share, kLeastShare);
  return {.count = rate.count, .per = Duration(static_cast<int64_t>(stretched))};
}

void LimitWindows::SetLimits(const EffectiveLimits& limits, SteadyInstant now) {
  const double share = limits.share.value.value_or(1);
  const auto shared = [share](const std::optional<Rate>& rate) -> std::optional<Rate> {
    if (!rate) return std::nullopt;
    return ShareOf(*rate, share);
  };
  const std::optional<Rate> messages = shared(limits.rate.value), bytes = shared(limits.bytes_rate.value);
  messages_.SetRate(messages, now);
  bytes_.SetRate(bytes, now);
  connections_.SetRate(limits.connection_rate.value, now);
  messages_per_second_ = PerSecond(messages);
  bytes_per_second_ = PerSecond(bytes);
}

SteadyInstant LimitWindows::BeginAt(int64_t ahead, int64_t bytes, SteadyInstant now) const {
  const SteadyInstant messages = messages_.ReadyAt(ahead + 1, now);
  return bytes_.has_rate() ? std::max(messages, bytes_.ReadyFor(std::max<int64_t>(bytes, 1), now)) : messages;
}

void LimitWindows::Began(int64_t recipients, int64_t bytes, SteadyInstant now) {
  messages_.Take(recipients, now);
  bytes_.Take(std::max<int64_t>(bytes, 1), now);
  usual_bytes_ += (static_cast<double>(bytes) - usual_bytes_) / 16;
}

std::optional<int64_t> LimitWindows::Room() const {
  std::optional<double> per_second = messages_per_second_;
  if (bytes_per_second_) {
    const double messages = *bytes_per_second_ / std::max(usual_bytes_, 1.0);
    per_second = std::min(per_second.value_or(messages), messages);
  }
  if (!per_second) return std::nullopt;
  return kLeastRoom + static_cast<int64_t>(std::min(*per_second * kAheadSeconds, 1e6));
}

bool LimitWindows::IsBlank(SteadyInstant now) const {
  return messages_.IsBlank(now) && bytes_.IsBlank(now) && connections_.IsBlank(now);
}

}  // namespace sluice::egress
