#include "policy/warmup_model.h"

#include <algorithm>
#include <cmath>

namespace sluice {

ModelledProvider::ModelledProvider(const ProviderModel& model, std::function<double()> random)
    : model_(model), random_(std::move(random)), trust_(model.trust / model.growth) {}

double ModelledProvider::takes_today() const {
  return trust_ * (trust_ >= model_.most_growth_from ? model_.late_growth : model_.growth);
}

// `of` trials of `rate`, as their mean and a spread of one standard deviation or so: fast, and never out of bounds.
int64_t ModelledProvider::Some(int64_t of, double rate) {
  const double mean = static_cast<double>(of) * rate;
  const double whole = std::floor(mean + (random_() - 0.5) * 2 * std::sqrt(mean));
  const double rest = random_() < mean - std::floor(mean) ? 1 : 0;
  return std::clamp<int64_t>(static_cast<int64_t>(whole + rest), 0, of);
}

WarmupCounts ModelledProvider::Send(int64_t attempts, double risk) {
  WarmupCounts out{.attempted = attempts};
  if (blocked_days_ > 0) {
    out.deferred = out.throttled = out.blocked = attempts;
    today_ += out;
    return out;
  }
  const auto room = static_cast<int64_t>(std::max(0.0, takes_today() - static_cast<double>(today_.attempted)));
  const int64_t above = std::max<int64_t>(0, attempts - room);
  out.throttled = out.deferred = Some(above, model_.throttle_share);
  const int64_t judged = attempts - out.deferred;
  out.bounced = Some(judged, std::min(1.0, model_.bounce_rate * risk));
  out.accepted = judged - out.bounced;
  out.complained = Some(out.accepted, std::min(1.0, model_.complaint_rate * risk));
  today_ += out;
  return out;
}

void ModelledProvider::EndDay() {
  if (blocked_days_ > 0) {
    --blocked_days_;
    today_ = recent_ = {};
    return;
  }
  const double fade = std::pow(0.5, 1 / model_.memory_days);
  const auto accepted = static_cast<double>(today_.accepted);
  if (today_.attempted > 0) {
    const double overrun = static_cast<double>(today_.throttled) / static_cast<double>(today_.attempted);
    trust_ = std::max(trust_ * fade, accepted) * (1 - model_.overrun_cost * overrun);
  } else {
    trust_ *= fade;
  }
  recent_.accepted = recent_.accepted * 2 / 3 + today_.accepted;
  recent_.complained = recent_.complained * 2 / 3 + today_.complained;
  if (recent_.accepted >= 300 && static_cast<double>(recent_.complained) > model_.block_complaints * static_cast<double>(recent_.accepted)) {
    blocked_days_ = static_cast<int>(model_.block_days);
    ++blocks_;
    trust_ *= model_.block_trust;
  }
  trust_ = std::max(trust_, model_.least_trust / model_.growth);
  today_ = {};
}

}  // namespace sluice
