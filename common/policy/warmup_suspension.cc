// How an address that warms up is suspended, and how a person lets it go on.
#include <array>

#include "policy/warmup.h"

namespace sluice {
namespace {

constexpr auto kRepeatWithin = std::chrono::hours(24 * 7);
constexpr std::array<Duration, 4> kSuspensions = {std::chrono::hours(4), std::chrono::hours(8), std::chrono::hours(24),
                                                  std::chrono::hours(72)};

}  // namespace

bool IsSuspended(const WarmupState& state, Instant now) { return state.suspended_until && now < *state.suspended_until; }

void SuspendWarmup(WarmupState& state, Duration first, Instant now) {
  const bool again = state.suspensions > 0 && now - state.suspended_at < kRepeatWithin;
  size_t step = again ? static_cast<size_t>(state.suspensions) : 0;
  while (step < kSuspensions.size() && kSuspensions[step] < first) ++step;
  state.suspensions = static_cast<int>(step) + 1;
  state.suspended_at = now;
  state.until_delisted = false;
  state.suspended_until = step < kSuspensions.size() ? now + kSuspensions[step] : kUntilAPerson;
}

void ResumeWarmup(WarmupState& state, int64_t today, Instant now) {
  if (state.suspended_until) state.evidence_day = today + 1;
  state.held = false;
  state.suspended_until.reset();
  state.until_delisted = false;
  state.suspensions = 0;
  state.resumed_at = now;
}

}  // namespace sluice
