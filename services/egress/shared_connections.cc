#include "egress/shared_connections.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

namespace sluice::egress {
namespace {

void SetMost(SharedConnections& limit, SteadyInstant now) {
  const int64_t most = now < limit.grant.until() ? std::max<int64_t>(limit.grant.share(), 0) : 0;
  limit.budget.SetMost(static_cast<size_t>(most));
}

}  // namespace

void SharedConnections::Want(SteadyInstant now) {
  was_wanted = true;
  wanted_at = now;
}

int64_t SharedConnections::Used(SteadyInstant now) const {
  return is_rate() ? opened.Used(now) : static_cast<int64_t>(budget.used());
}

bool SharedConnections::MustEnd(SteadyInstant now) const {
  const bool was_given = grant.until() != SteadyInstant();
  return !is_rate() && was_given && budget.used() > 0 && now >= grant.until() + kConnectionsLinger / 2;
}

void SharedConnectionTable::SetBook(const LimitBook& book, const absl::flat_hash_set<std::string>& pools, SteadyInstant now) {
  absl::flat_hash_set<std::string> named;
  for (const SharedLimit& shared : book.shared()) {
    if (!pools.contains(shared.scope.pool)) continue;
    std::shared_ptr<SharedConnections>& limit = limits_[*named.insert(KeyOf(shared)).first];
    if (limit == nullptr) limit = std::make_shared<SharedConnections>();
    // What it had may have lapsed long ago: connections that are open now do not end for that.
    if (std::exchange(limit->is_leaving, false)) limit->grant = ShareGrant();
    limit->unit = shared.unit;
    limit->grant.SetCount(shared.rate.count);
    if (limit->is_rate()) limit->opened.SetRate(shared.rate, now);
    SetMost(*limit, now);
  }
  for (auto& [key, limit] : limits_) limit->is_leaving = !named.contains(key);
}

SharedConnectionTable::Limits SharedConnectionTable::Find(const LimitBook& book, const ShapingFacts& facts) const {
  Limits out;
  for (const SharedLimit* shared : book.FindShared(facts)) {
    const auto found = limits_.find(KeyOf(*shared));
    if (found != limits_.end()) out.push_back(found->second);
  }
  return out;
}

std::vector<ShareUse> SharedConnectionTable::Uses(SteadyInstant now) {
  std::vector<ShareUse> out;
  for (const auto& [key, limit] : limits_) {
    ShareUse use{.limit = key, .is_rate = limit->is_rate(), .used = limit->Used(now)};
    use.wants = !limit->is_leaving && limit->was_wanted && now - limit->wanted_at < kWantsFor;
    use.lowered_to = limit->is_rate() ? limit->opened.Lower(now) : limit->grant.Lower(use.used);
    out.push_back(std::move(use));
  }
  return out;
}

void SharedConnectionTable::Give(const std::vector<GivenShare>& shares, SteadyInstant until, SteadyInstant now) {
  std::map<std::string_view, const GivenShare*> by_limit;
  for (const GivenShare& share : shares) by_limit[share.limit] = &share;
  for (auto it = limits_.begin(); it != limits_.end();) {
    SharedConnections& limit = *it->second;
    const auto found = by_limit.find(it->first);
    const GivenShare given = found == by_limit.end() ? GivenShare() : *found->second;
    const int64_t target = limit.is_leaving ? 0 : given.target;
    if (limit.is_rate()) {
      limit.opened.Give(given.most, target, given.of, until, now);
    } else {
      limit.grant.Give(given.most, target, given.of, until);
      SetMost(limit, now);
    }
    const bool is_over = limit.is_leaving && given.most == 0 && limit.Used(now) == 0;
    it = is_over ? limits_.erase(it) : std::next(it);
  }
}

void SharedConnectionTable::Tick(SteadyInstant now) {
  for (auto& [key, limit] : limits_) {
    if (!limit->is_rate()) SetMost(*limit, now);
  }
}

}  // namespace sluice::egress
