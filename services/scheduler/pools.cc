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
    const auto old = std::find_if(before.begin(), before.end(), [&](const Pool& p) { return p.name == pool.name; });
    if (old != before.end()) {
      std::vector<int> earlier;
      for (const uint16_t source : pool.sources) {
        const auto at = std::find(old->sources.begin(), old->sources.end(), source);
        earlier.push_back(at == old->sources.end() ? -1 : static_cast<int>(at - old->sources.begin()));
      }
      pool.rotations = std::move(old->rotations);
      for (auto& [provider, rotation] : pool.rotations) rotation.Update(pool.members, earlier);
    }
    pools_.push_back(std::move(pool));
  }
}

Choice Pools::Pick(uint32_t number, uint32_t provider, uint32_t site, uint16_t last_source) {
  Pool& pool = pools_[number];
  eligible_.assign(pool.sources.size(), 0);
  bool any = false, can_send = false, has_credit = false;
  for (size_t i = 0; i < pool.sources.size(); ++i) {
    const uint16_t source = pool.sources[i];
    if (pool.members[i].weight <= 0 || !fleet_.CanSend(source)) continue;
    can_send = true;
    if (!fleet_.egress(fleet_.source(source).egress).HasCredit()) continue;
    has_credit = true;
    if (!fleet_.PathHasRoom(source, site)) continue;
    if (source == last_source) return {.source = source};
    eligible_[i] = 1;
    any = true;
  }
  if (!any) {
    return {.parked = !can_send ? Parked::kPool : has_credit ? Parked::kPath : Parked::kCredit};
  }
  const auto [it, fresh] = pool.rotations.try_emplace(provider, std::span<const RotationMember>(pool.members));
  const int picked = it->second.Pick(std::span<const uint8_t>(eligible_));
  if (picked < 0) return {.parked = Parked::kPool};
  return {.source = pool.sources[static_cast<size_t>(picked)]};
}

}  // namespace sluice::scheduler
