#include "scheduler/pools.h"

#include <algorithm>

namespace sluice::scheduler {

void Pools::SetPolicy(const PolicyDocument& policy) {
  std::vector<Pool> before = std::exchange(pools_, {});
  for (const PoolPolicy& given : policy.pools) {
    Pool pool;
    pool.name = given.name;
    for (const PoolMember& member : given.members) {
      pool.sources.push_back(fleet_.SourceOf(member.source));
      pool.members.push_back({.weight = member.weight, .reserve = member.reserve});
    }
    const auto same = std::find_if(before.begin(), before.end(), [&](const Pool& old) {
      return old.name == pool.name && old.sources == pool.sources && old.members == pool.members;
    });
    if (same != before.end()) pool.rotations = std::move(same->rotations);
    pools_.push_back(std::move(pool));
  }
}

Choice Pools::Pick(uint32_t number, uint32_t provider, uint32_t site, uint16_t last_source) {
  Pool& pool = pools_[number];
  eligible_.assign(pool.sources.size(), false);
  bool any = false, can_send = false, has_credit = false;
  for (size_t i = 0; i < pool.sources.size(); ++i) {
    const uint16_t source = pool.sources[i];
    if (pool.members[i].weight <= 0 || !fleet_.CanSend(source)) continue;
    can_send = true;
    if (!fleet_.egress(fleet_.source(source).egress).HasCredit()) continue;
    has_credit = true;
    if (!fleet_.PathHasRoom(source, site)) continue;
    if (source == last_source) return {.source = source};
    eligible_[i] = any = true;
  }
  if (!any) {
    return {.parked = !can_send ? Parked::kPool : has_credit ? Parked::kPath : Parked::kCredit};
  }
  const auto [it, fresh] = pool.rotations.try_emplace(provider, pool.members);
  const int picked = it->second.Pick(eligible_);
  if (picked < 0) return {.parked = Parked::kPool};
  return {.source = pool.sources[static_cast<size_t>(picked)]};
}

}  // namespace sluice::scheduler
