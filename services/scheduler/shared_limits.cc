#include "scheduler/shared_limits.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace sluice::scheduler {

void SharedLimits::SetPolicy(const std::vector<SharedLimit>& all, SteadyInstant now) {
  // By the numbers of before; what is under way counts as begun.
  while (!handed_out_.empty()) Begun(handed_out_.begin()->first, now);
  table_ = SharedLimitTable(all);
  std::vector<Limit> before = std::exchange(limits_, {});
  numbers_.clear();
  awaited_.clear();
  counts_bytes_ = false;
  // What went counts on, whatever of the rule is another now.
  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < before.size(); ++i) places.emplace(before[i].scope, i);
  for (const SharedLimit& shared : all) {
    std::string key = KeyOf(shared);
    std::string scope = Cat(KeyOf(shared.unit), " of ", ToString(shared.scope));
    const auto known = places.find(scope);
    Limit limit = known != places.end() ? std::move(before[known->second]) : Limit();
    limit.is_awaited = false;
    limit.counts_bytes = shared.unit == SharedLimit::Unit::kBytes;
    counts_bytes_ = counts_bytes_ || limit.counts_bytes;
    limit.share.SetRate(shared.rate, now);
    numbers_.emplace(key, static_cast<uint32_t>(limits_.size()));
    limit.key = std::move(key);
    limit.scope = std::move(scope);
    limits_.push_back(std::move(limit));
  }
}

void SharedLimits::Give(const std::vector<GivenShare>& shares, SteadyInstant until, SteadyInstant now) {
  std::vector<bool> named(limits_.size(), false);
  for (const GivenShare& given : shares) {
    const auto place = numbers_.find(given.limit);
    if (place == numbers_.end()) continue;
    named[place->second] = true;
    limits_[place->second].share.Give(given.most, given.target, given.of, until, now);
  }
  for (size_t i = 0; i < limits_.size(); ++i) {
    if (!named[i]) limits_[i].share.Give(0, 0, 0, until, now);
  }
}

std::vector<ShareNow> SharedLimits::Now(SteadyInstant now) {
  std::vector<ShareNow> out;
  for (Limit& limit : limits_) {
    const bool wants = limit.is_awaited || (limit.was_wanted && now - limit.wanted_at < kWantsFor);
    out.push_back({.limit = limit.key, .used = limit.share.Used(now), .wants = wants, .lowered_to = limit.share.Lower(now)});
  }
  return out;
}

int64_t SharedLimits::Available(const Numbers& numbers, int64_t most, SteadyInstant now, uint32_t& blocking) const {
  for (const uint32_t number : numbers) {
    const Limit& limit = limits_[number];
    if (limit.counts_bytes) continue;
    const int64_t available = limit.share.Available(most, now);
    if (available >= most) continue;
    most = available;
    blocking = number;
  }
  return most;
}

bool SharedLimits::FitsBytes(const Numbers& numbers, int64_t bytes, SteadyInstant now, uint32_t& blocking) const {
  for (const uint32_t number : numbers) {
    const Limit& limit = limits_[number];
    if (!limit.counts_bytes || limit.share.Fits(bytes, now)) continue;
    blocking = number;
    return false;
  }
  return true;
}

void SharedLimits::HandOut(int64_t entry, Numbers numbers, int64_t bytes) {
  for (const uint32_t number : numbers) limits_[number].share.HandOut(limits_[number].WeightOf(bytes));
  handed_out_[entry] = {.numbers = std::move(numbers), .bytes = bytes};
}

bool SharedLimits::Weigh(int64_t entry, int64_t bytes, SteadyInstant now) {
  if (!counts_bytes_) return true;
  usual_bytes_ += (static_cast<double>(bytes) - usual_bytes_) / 16;
  const auto it = handed_out_.find(entry);
  if (it == handed_out_.end() || it->second.bytes == bytes) return true;
  HandedOut& handed = it->second;
  bool fits = true;
  for (const uint32_t number : handed.numbers) {
    Limit& limit = limits_[number];
    if (!limit.counts_bytes) continue;
    limit.share.CameBack(handed.bytes);
    fits = fits && (bytes <= handed.bytes || limit.share.Fits(bytes, now));
    limit.share.HandOut(bytes);
  }
  handed.bytes = bytes;
  return fits;
}

void SharedLimits::Begun(int64_t entry, SteadyInstant now) {
  const auto it = handed_out_.find(entry);
  if (it == handed_out_.end()) return;
  for (const uint32_t number : it->second.numbers) limits_[number].share.Begun(now, limits_[number].WeightOf(it->second.bytes));
  handed_out_.erase(it);
}

void SharedLimits::CameBack(int64_t entry) {
  const auto it = handed_out_.find(entry);
  if (it == handed_out_.end()) return;
  for (const uint32_t number : it->second.numbers) limits_[number].share.CameBack(limits_[number].WeightOf(it->second.bytes));
  handed_out_.erase(it);
}

void SharedLimits::Awaits(uint32_t number, int64_t bytes, SteadyInstant now) {
  Limit& limit = limits_[number];
  limit.wanted_at = now;
  limit.was_wanted = true;
  limit.weight = std::max(limit.weight, limit.WeightOf(bytes));
  if (!std::exchange(limit.is_awaited, true)) awaited_.push_back(number);
}

int64_t SharedLimits::Wakes(const Limit& limit, SteadyInstant now) const {
  if (!limit.counts_bytes) return limit.share.Available(kMostWoken, now);
  if (!limit.share.Fits(limit.weight, now)) return 0;
  return std::clamp<int64_t>(limit.share.Available(INT64_MAX / 2, now) / std::max<int64_t>(usual_bytes(), 1), 1, kMostWoken);
}

std::optional<SteadyInstant> SharedLimits::NextReady(SteadyInstant now) const {
  std::optional<SteadyInstant> next;
  for (const uint32_t number : awaited_) {
    const std::optional<SteadyInstant> at = limits_[number].share.ReadyAt(now, limits_[number].weight);
    if (at && (!next || *at < *next)) next = at;
  }
  return next;
}

}  // namespace sluice::scheduler
