#include "policy/rate_window.h"

#include <algorithm>

#include "base/check.h"

namespace sluice {
namespace {

using std::chrono::nanoseconds;

// So much lateness is caught up.
constexpr auto kCatchUp = std::chrono::milliseconds(250);

nanoseconds SinceEpoch(SteadyInstant at) { return std::chrono::duration_cast<nanoseconds>(at.time_since_epoch()); }

// Rounded up: never too early.
SteadyInstant AtOrAfter(nanoseconds since_epoch) {
  return SteadyInstant(std::chrono::ceil<SteadyInstant::duration>(since_epoch));
}

}  // namespace

RateWindow::Nanos RateWindow::Spacing() const {
  return std::max(Nanos(1), std::chrono::duration_cast<Nanos>(rate_->per) / rate_->count);
}

RateWindow::Nanos RateWindow::DueFrom(SteadyInstant now) const { return std::max(due_, SinceEpoch(now) - kCatchUp); }

void RateWindow::SetRate(const std::optional<Rate>& rate, SteadyInstant now) {
  if (rate == rate_) return;
  if (!rate) {
    rate_.reset();
    slots_.clear();
    total_ = 0;
    return;
  }
  SLUICE_CHECK(rate->count >= 1 && rate->per > Duration::zero());
  const Nanos at = SinceEpoch(now);
  if (!rate_) {
    rate_ = rate;
    due_ = at;
    return;
  }
  // What was saved up, or is owed, stays the same number.
  const auto ahead = static_cast<long double>((DueFrom(now) - at).count()) / static_cast<long double>(Spacing().count());
  rate_ = rate;
  due_ = at + Nanos(static_cast<int64_t>(ahead * static_cast<long double>(Spacing().count())));
  Expire(now);
}

void RateWindow::Expire(SteadyInstant now) {
  while (!slots_.empty() && slots_.front().last + rate_->per <= now) {
    total_ -= slots_.front().count;
    slots_.pop_front();
  }
}

int64_t RateWindow::Counted(SteadyInstant now) const {
  int64_t counted = total_;
  for (const Slot& slot : slots_) {
    if (slot.last + rate_->per > now) break;
    counted -= slot.count;
  }
  return counted;
}

int64_t RateWindow::Available(int64_t most, SteadyInstant now) const {
  if (!rate_ || most <= 0) return most;
  const int64_t left = rate_->count - Counted(now);
  const Nanos behind = SinceEpoch(now) - DueFrom(now);
  const int64_t due = !is_even_ ? left : behind < Nanos(0) ? 0 : 1 + behind / Spacing();
  return std::clamp<int64_t>(std::min(due, left), 0, most);
}

void RateWindow::Take(int64_t n, SteadyInstant now) {
  if (!rate_ || n <= 0) return;
  // What the window held back is not made up for: it would come as a burst, and again an interval later.
  due_ = std::max(DueFrom(now), SinceEpoch(WindowReady(1, SteadyInstant()))) + Spacing() * std::min(n, rate_->count);
  Expire(now);
  total_ += n;
  if (!slots_.empty() && now - slots_.back().first < rate_->per / kMostSlots) {
    slots_.back().last = std::max(slots_.back().last, now);
    slots_.back().count += n;
    return;
  }
  const SteadyInstant at = slots_.empty() ? now : std::max(slots_.back().last, now);
  slots_.push_back({.first = at, .last = at, .count = n});
}

void RateWindow::Untake(int64_t n) {
  if (!rate_ || slots_.empty()) return;
  const int64_t back = std::min(n, slots_.back().count);
  slots_.back().count -= back;
  total_ -= back;
  due_ -= Spacing() * std::min(back, rate_->count);
  if (slots_.back().count == 0) slots_.pop_back();
}

SteadyInstant RateWindow::WindowReady(int64_t n, SteadyInstant now) const {
  // So many of those that went must be an interval ago.
  int64_t over = total_ + std::min(n, rate_->count) - rate_->count;
  for (const Slot& slot : slots_) {
    if (over <= 0) break;
    over -= slot.count;
    now = std::max(now, slot.last + rate_->per);
  }
  return now;
}

SteadyInstant RateWindow::Ready(int64_t due, int64_t n, SteadyInstant now) const {
  if (!rate_ || n <= 0) return now;
  // Who goes behind others keeps the distance to them, however late they are.
  const Nanos from = due > 1 ? DueFrom(now) : due_;
  const SteadyInstant paced = AtOrAfter(from + Spacing() * (std::min(due, rate_->count) - 1));
  return WindowReady(n, is_even_ ? std::max(now, paced) : now);
}

bool RateWindow::IsBlank(SteadyInstant now) const {
  return !rate_ || (Counted(now) == 0 && (!is_even_ || due_ <= SinceEpoch(now)));
}

}  // namespace sluice
