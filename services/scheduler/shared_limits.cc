#include "scheduler/shared_limits.h"

#include <algorithm>
#include <utility>

namespace sluice::scheduler {

void SharedLimits::SetPolicy(const std::vector<SharedRate>& all, SteadyInstant now) {
  // By the numbers of before; what is under way counts as begun.
  while (!handed_out_.empty()) Begun(handed_out_.begin()->first, now);
  table_ = SharedRateTable(all);
  std::vector<Limit> before = std::exchange(limits_, {});
  numbers_.clear();
  awaited_.clear();
  // What went counts on, whatever of the rule is another now.
  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < before.size(); ++i) places.emplace(before[i].scope, i);
  for (const SharedRate& shared : all) {
    std::string key = KeyOf(shared);
    std::string scope = ToString(shared.scope);
    const auto known = places.find(scope);
    Limit limit = known != places.end() ? std::move(before[known->second]) : Limit();
    limit.is_awaited = false;
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
    const int64_t available = limits_[number].share.Available(most, now);
    if (available >= most) continue;
    most = available;
    blocking = number;
  }
  return most;
}

void SharedLimits::HandOut(int64_t entry, Numbers numbers) {
  for (const uint32_t number : numbers) limits_[number].share.HandOut();
  handed_out_[entry] = std::move(numbers);
}

void SharedLimits::Begun(int64_t entry, SteadyInstant now) {
  const auto it = handed_out_.find(entry);
  if (it == handed_out_.end()) return;
  for (const uint32_t number : it->second) limits_[number].share.Begun(now);
  handed_out_.erase(it);
}

void SharedLimits::CameBack(int64_t entry) {
  const auto it = handed_out_.find(entry);
  if (it == handed_out_.end()) return;
  for (const uint32_t number : it->second) limits_[number].share.CameBack();
  handed_out_.erase(it);
}

void SharedLimits::Awaits(uint32_t number, SteadyInstant now) {
  Limit& limit = limits_[number];
  limit.wanted_at = now;
  limit.was_wanted = true;
  if (!std::exchange(limit.is_awaited, true)) awaited_.push_back(number);
}

std::optional<SteadyInstant> SharedLimits::NextReady(SteadyInstant now) const {
  std::optional<SteadyInstant> next;
  for (const uint32_t number : awaited_) {
    const std::optional<SteadyInstant> at = limits_[number].share.ReadyAt(now);
    if (at && (!next || *at < *next)) next = at;
  }
  return next;
}

}  // namespace sluice::scheduler
