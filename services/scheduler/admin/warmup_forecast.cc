#include "scheduler/admin/warmup_forecast.h"

#include <algorithm>

#include "policy/warmup_pace.h"
#include "scheduler/control/warmup_book.h"

namespace sluice::scheduler {
namespace {

PacedCap PaceOf(const storage::LedgerRow& row) {
  return {.cap = row.cap, .used = row.granted - row.returned, .opens_at = row.opens_at, .closes_at = row.closes_at,
          .stopped_until = row.stopped_until};
}

Duration LengthOf(const storage::LedgerDay& day) { return day.ends_at - day.starts_at; }

// The days after today, as those of the stage where it stands.
PacedDays Following(const WarmupPlan& plan, const WarmupState& state, std::string_view column, const storage::LedgerDay& day) {
  const Duration length = LengthOf(day);
  const bool is_warm = state.phase == WarmupPhase::kWarm;
  const int64_t idle = state.phase == WarmupPhase::kCold && state.start_day ? std::max<int64_t>(0, *state.start_day - day.day - 1) : 0;
  return {.cap = is_warm ? std::nullopt : CapOf(plan, state.stage, column),
          .opens_at = day.ends_at + length * idle + length / kSettleShare,
          .length = length,
          .open = length / 10 * 9};
}

std::optional<Instant> Later(std::optional<Instant> a, std::optional<Instant> b) {
  if (!a || !b) return std::nullopt;
  return std::max(*a, *b);
}

}  // namespace

void Forecast(const WarmupPlan& plan, const storage::LedgerDay& day, const std::optional<storage::LedgerRow>& total,
              WarmupStanding& standing) {
  const WarmupState state = StateOf(standing.row);
  standing.stage_count = StageCount(plan);
  if (state.phase != WarmupPhase::kWarm) {
    const int64_t first = state.phase == WarmupPhase::kCold && state.start_day ? std::max(day.day, *state.start_day) : day.day;
    standing.warm_at = day.starts_at + LengthOf(day) * (first - day.day + standing.stage_count - state.stage + 1);
  }
  // Without a row there is nothing today.
  const PacedCap none{.cap = 0};
  PacedCap mine = standing.today ? PaceOf(*standing.today) : none;
  if (state.suspended_until) mine.stopped_until = std::max(mine.stopped_until, *state.suspended_until);
  const PacedCap all = total ? PaceOf(*total) : none;
  const PacedDays then = Following(plan, state, standing.row.provider, day);
  const PacedDays then_all = Following(plan, state, kWarmupTotal, day);
  const auto last = [&](int64_t count) {
    return Later(LastGrantAt(mine, count, then, day.now), LastGrantAt(all, count, then_all, day.now));
  };
  standing.next_grant_at = last(1);
  if (standing.waiting > 0) standing.waits_until = last(standing.waiting);
}

}  // namespace sluice::scheduler
