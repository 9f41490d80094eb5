#include "policy/rate_share.h"

#include <algorithm>

namespace sluice {
namespace {

// Who has no need keeps one part of so many, so that its first message waits for nobody.
constexpr int64_t kIdleParts = 64;
// A window catches up with so much lateness (rate_window.cc).
constexpr Duration kCatchUp = std::chrono::milliseconds(250);
// What left evenly arrives a little unevenly: the interval counts as longer by a hundredth, at most this.
constexpr Duration kMostGuard = std::chrono::milliseconds(100);

// What one who lapsed may have let go within the last interval: no more than its pace, from the end backwards.
int64_t KeptBack(const ShareRow& row, Duration per) {
  if (*row.lapsed >= per) return 0;
  const double left = static_cast<double>((per - *row.lapsed + kCatchUp).count()) / static_cast<double>(per.count());
  return std::min(row.most, static_cast<int64_t>(static_cast<double>(row.most) * left) + 1);
}

void SetTargets(int64_t count, std::vector<ShareRow*>& live) {
  const auto n = static_cast<int64_t>(live.size());
  const int64_t hungry = std::count_if(live.begin(), live.end(), [](const ShareRow* row) { return row->wants; });
  int64_t left = count, eaters = n;
  const bool is_equal = hungry == 0 || hungry == n;
  for (ShareRow* row : live) {
    if (is_equal || row->wants) continue;
    row->target = std::min(count / n, std::max(count / kIdleParts, row->used > 0 ? row->used + row->used / 4 + 1 : 0));
    left -= row->target;
    --eaters;
  }
  for (ShareRow* row : live) {
    if (!is_equal && !row->wants) continue;
    row->target = (left + eaters - 1) / eaters;
    left -= row->target;
    --eaters;
  }
}

}  // namespace

void PlanShares(const Rate& rate, std::vector<ShareRow>& rows) {
  std::erase_if(rows, [&](const ShareRow& row) { return row.lapsed && KeptBack(row, rate.per) == 0; });
  std::vector<ShareRow*> live;
  int64_t given = 0;
  for (ShareRow& row : rows) {
    given += row.lapsed ? KeptBack(row, rate.per) : row.most;
    if (!row.lapsed) live.push_back(&row);
  }
  if (live.empty()) return;
  // The same order whoever plans: who has the odd one keeps it.
  std::sort(live.begin(), live.end(), [](const ShareRow* a, const ShareRow* b) {
    return a->most != b->most ? a->most > b->most : a->scheduler < b->scheduler;
  });
  SetTargets(rate.count, live);
  int64_t free = rate.count - given;
  for (ShareRow* row : live) {
    const int64_t more = std::clamp<int64_t>(row->target - row->most, 0, std::max<int64_t>(free, 0));
    row->most += more;
    free -= more;
    // What was given of a larger count is cut by who has it until enough has come back.
    if (free >= 0 || row->of < rate.count) row->of = rate.count;
  }
}

void RateShare::SetRate(const Rate& rate, SteadyInstant now) {
  rate_ = rate;
  Apply(now);
}

void RateShare::Give(int64_t most, int64_t target, int64_t of, SteadyInstant until, SteadyInstant now) {
  most_ = most;
  target_ = target;
  of_ = of;
  until_ = until;
  Apply(now);
}

std::optional<int64_t> RateShare::Lower(SteadyInstant now) {
  const int64_t least = std::max(target_, Used(now));
  if (least >= most_) return std::nullopt;
  most_ = least;
  Apply(now);
  return most_;
}

void RateShare::Apply(SteadyInstant now) {
  share_ = of_ > rate_.count ? most_ * rate_.count / of_ : std::min(most_, rate_.count);
  const Duration guarded = rate_.per + std::min<Duration>(rate_.per / 100, kMostGuard);
  // A window without a rate would forget what went.
  window_.SetRate(Rate{.count = std::max<int64_t>(share_, 1), .per = guarded}, now);
}

int64_t RateShare::Available(int64_t most, SteadyInstant now) const {
  if (share_ <= 0 || now >= until_) return 0;
  return std::max<int64_t>(window_.Available(most + handed_out_, now) - handed_out_, 0);
}

void RateShare::Begun(SteadyInstant now) {
  --handed_out_;
  window_.Take(1, now);
}

std::optional<SteadyInstant> RateShare::ReadyAt(SteadyInstant now) const {
  if (handed_out_ >= share_ || now >= until_) return std::nullopt;
  return window_.ReadyAt(handed_out_ + 1, now);
}

}  // namespace sluice
