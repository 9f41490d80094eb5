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
      pool.turns = std::move(old->turns);
      for (auto& [provider, turn] : pool.turns) {
        turn.rotation.Update(pool.members, earlier);
        turn.waiting = -1;
      }
    }
    pools_.push_back(std::move(pool));
  }
}

Choice Pools::Pick(uint32_t number, uint32_t provider, uint32_t site, uint32_t tenant, uint16_t last_source) {
  Pool& pool = pools_[number];
  eligible_.assign(pool.sources.size(), 0);
  const auto busy = [&](uint16_t source) {
    const Egress& egress = fleet_.egress(fleet_.source(source).egress);
    if (!egress.HasCredit()) return Parked::kCredit;
    if (!egress.HasCreditFor(tenant)) return Parked::kTenant;
    if (!fleet_.PathHasRoom(source, site)) return Parked::kPath;
    return egress.free_probes() > 0 || fleet_.PathIsProven(source, site) ? Parked::kNot : Parked::kProbe;
  };
  bool can_send = false;
  for (size_t i = 0; i < pool.sources.size(); ++i) {
    const uint16_t source = pool.sources[i];
    if (pool.members[i].weight <= 0 || !fleet_.CanSend(source)) continue;
    can_send = true;
    if (source == last_source && busy(source) == Parked::kNot) return {.source = source};
    eligible_[i] = fleet_.PathHasRoom(source, site) || !fleet_.PathFails(source, site) ? 1 : 0;
  }
  const auto [it, fresh] = pool.turns.try_emplace(provider);
  Pool::Turn& turn = it->second;
  if (fresh) turn.rotation = Rotation(std::span<const RotationMember>(pool.members));
  if (turn.waiting < 0 || eligible_[static_cast<size_t>(turn.waiting)] == 0) {
    turn.waiting = turn.rotation.Pick(std::span<const uint8_t>(eligible_));
  }
  if (turn.waiting < 0) return {.parked = can_send ? Parked::kPath : Parked::kPool};
  const uint16_t source = pool.sources[static_cast<size_t>(turn.waiting)];
  if (const Parked why = busy(source); why != Parked::kNot) return {.parked = why};
  turn.waiting = -1;
  return {.source = source};
}

}  // namespace sluice::scheduler
