#include "policy/rate_share.h"

#include <algorithm>
#include <iterator>

namespace sluice {
namespace {

// Who has no need keeps one part of so many, so that its first message waits for nobody.
constexpr int64_t kIdleParts = 64;
// A window catches up with so much lateness (rate_window.cc).
constexpr Duration kCatchUp = std::chrono::milliseconds(250);
// What left evenly arrives a little unevenly: the interval counts as longer by so small a part, at most this.
constexpr int kGuardPart = 250;
constexpr Duration kMostGuard = std::chrono::milliseconds(100);

// What one who lapsed may have let go within the last interval: no more than its pace, from the end backwards.
int64_t KeptBack(const ShareRow& row, const ShareTerms& terms) {
  const Duration per = terms.rate.per;
  if (*row.lapsed >= per) return 0;
  if (!terms.is_even) return row.most;
  const double left = static_cast<double>((per - *row.lapsed + kCatchUp).count()) / static_cast<double>(per.count());
  return std::min(row.most, static_cast<int64_t>(static_cast<double>(row.most) * left) + 1);
}

void SetTargets(int64_t count, int64_t turn, std::vector<ShareRow*>& live) {
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
  std::vector<ShareRow*> eat;
  std::copy_if(live.begin(), live.end(), std::back_inserter(eat), [&](const ShareRow* row) { return is_equal || row->wants; });
  if (hungry > 0 && left > 0 && left < eaters) {
    std::sort(eat.begin(), eat.end(), [](const ShareRow* a, const ShareRow* b) { return a->holder < b->holder; });
    std::rotate(eat.begin(), eat.begin() + turn * left % eaters, eat.end());
  }
  for (ShareRow* row : eat) {
    row->target = (left + eaters - 1) / eaters;
    left -= row->target;
    --eaters;
  }
}

}  // namespace

void PlanShares(const ShareTerms& terms, int64_t turn, std::vector<ShareRow>& rows) {
  const Rate& rate = terms.rate;
  std::erase_if(rows, [&](const ShareRow& row) { return row.lapsed && KeptBack(row, terms) == 0; });
  std::vector<ShareRow*> live;
  int64_t given = 0;
  for (ShareRow& row : rows) {
    // More is used than was given where a limit is new.
    given += row.lapsed ? KeptBack(row, terms) : std::max(row.most, row.used);
    if (!row.lapsed) live.push_back(&row);
  }
  if (live.empty()) return;
  // The same order whoever plans: who has the odd one keeps it.
  std::sort(live.begin(), live.end(), [](const ShareRow* a, const ShareRow* b) {
    return a->most != b->most ? a->most > b->most : a->holder < b->holder;
  });
  SetTargets(rate.count, turn, live);
  int64_t free = rate.count - given;
  for (ShareRow* row : live) {
    const int64_t more = std::clamp<int64_t>(row->target - row->most, 0, std::max<int64_t>(free, 0));
    row->most += more;
    free -= more;
    // What was given of a larger count is cut by who has it until enough has come back.
    if (free >= 0 || row->of < rate.count) row->of = rate.count;
  }
}

void ShareGrant::Give(int64_t most, int64_t target, int64_t of, SteadyInstant until) {
  most_ = most;
  target_ = target;
  of_ = of;
  until_ = until;
}

std::optional<int64_t> ShareGrant::Lower(int64_t used) {
  const int64_t least = std::max(target_, used);
  if (least >= most_) return std::nullopt;
  most_ = least;
  return most_;
}

int64_t ShareGrant::share() const {
  const int64_t most = of_ > count_ ? most_ * count_ / of_ : std::min(most_, count_);
  // What is above the target is on its way to others.
  return std::min(most, target_);
}

void RateShare::SetRate(const Rate& rate, SteadyInstant now) {
  rate_ = rate;
  grant_.SetCount(rate.count);
  Apply(now);
}

void RateShare::Give(int64_t most, int64_t target, int64_t of, SteadyInstant until, SteadyInstant now) {
  grant_.Give(most, target, of, until);
  Apply(now);
}

std::optional<int64_t> RateShare::Lower(SteadyInstant now) {
  const std::optional<int64_t> lowered = grant_.Lower(Used(now));
  if (lowered) Apply(now);
  return lowered;
}

void RateShare::Apply(SteadyInstant now) {
  share_ = grant_.share();
  const Duration guarded = rate_.per + std::min<Duration>(rate_.per / kGuardPart, kMostGuard);
  // A window without a rate would forget what went.
  window_.SetRate(Rate{.count = std::max<int64_t>(share_, 1), .per = guarded}, now);
}

int64_t RateShare::Available(int64_t most, SteadyInstant now) const {
  if (share_ <= 0 || now >= grant_.until()) return 0;
  return std::max<int64_t>(window_.Available(most + handed_out_, now) - handed_out_, 0);
}

bool RateShare::Fits(int64_t weight, SteadyInstant now) const {
  const std::optional<SteadyInstant> at = ReadyAt(now, weight);
  return at && *at <= now;
}

void RateShare::Begun(SteadyInstant now, int64_t weight) {
  handed_out_ -= weight;
  window_.Take(weight, now);
}

std::optional<SteadyInstant> RateShare::ReadyAt(SteadyInstant now, int64_t weight) const {
  const int64_t counts = std::min(weight, share_);
  if (share_ <= 0 || now >= grant_.until() || handed_out_ + counts > share_) return std::nullopt;
  return window_.ReadyFor(counts, now, handed_out_);
}

}  // namespace sluice
