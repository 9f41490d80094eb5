#include "scheduler/pools.h"

#include <algorithm>
#include <utility>

namespace sluice::scheduler {
namespace {
// Overflow of overflow …: more would be a mistake in the policy.
constexpr int kLongestOverflow = 8;
}  // namespace

uint32_t Pools::NumberOf(const std::string& name) {
  const auto [it, fresh] = numbers_.try_emplace(name, static_cast<uint32_t>(pools_.size()));
  if (fresh) pools_.emplace_back().name = name;
  return it->second;
}

void Pools::SetPolicy(const PolicyDocument& policy) {
  by_index_.clear();
  std::vector<bool> named(pools_.size() + policy.pools.size(), false);
  for (const PoolPolicy& given : policy.pools) {
    const uint32_t number = NumberOf(given.name);
    named[number] = true;
    by_index_.push_back(number);
    Fill(pools_[number], given);
  }
  for (uint32_t number = 0; number < pools_.size(); ++number) {
    if (!named[number]) Fill(pools_[number], {.name = pools_[number].name});
  }
  for (const PoolPolicy& given : policy.pools) {
    const auto overflow = numbers_.find(given.overflow);
    pools_[numbers_[given.name]].overflow = overflow == numbers_.end() ? kNoPool : overflow->second;
  }
}

void Pools::Fill(Pool& pool, const PoolPolicy& given) {
  const std::vector<uint16_t> before = std::exchange(pool.sources, {});
  pool.overflow = kNoPool;
  pool.members.clear();
  std::vector<int> earlier;
  for (const PoolMember& member : given.members) {
    const uint16_t source = fleet_.SourceOf(member.source);
    pool.sources.push_back(source);
    pool.members.push_back({.weight = member.weight, .reserve = member.reserve});
    const auto at = std::find(before.begin(), before.end(), source);
    earlier.push_back(at == before.end() ? -1 : static_cast<int>(at - before.begin()));
  }
  for (auto& [provider, turn] : pool.turns) {
    turn.rotation.Update(pool.members, earlier);
    turn.waiting = -1;
  }
}

std::vector<Pools::Member> Pools::members(uint32_t number) const {
  const Pool& pool = pools_[number];
  std::vector<Member> out;
  for (size_t i = 0; i < pool.sources.size(); ++i) {
    out.push_back({pool.sources[i], pool.members[i].weight, pool.members[i].reserve});
  }
  return out;
}

bool Pools::HasMember(uint32_t number, uint16_t source) const {
  const Pool& pool = pools_[number];
  for (size_t i = 0; i < pool.sources.size(); ++i) {
    if (pool.sources[i] == source && pool.members[i].weight > 0) return true;
  }
  return false;
}

bool Pools::IsMember(uint32_t number, uint16_t source) const {
  const std::vector<uint16_t>& sources = pools_[number].sources;
  return std::find(sources.begin(), sources.end(), source) != sources.end();
}

bool Pools::Reaches(uint32_t from, uint32_t to) const {
  for (int step = 0; step < kLongestOverflow && from != kNoPool; ++step, from = pools_[from].overflow) {
    if (from == to) return true;
  }
  return false;
}

Parked Pools::WhyBusy(uint16_t source, const Target& target) {
  const Egress& egress = fleet_.egress(fleet_.source(source).egress);
  if (!egress.HasCredit()) return Parked::kCredit;
  if (!egress.HasCreditFor(target.tenant)) return Parked::kTenant;
  if (!fleet_.HasRoom(source, target.limit_group)) return Parked::kLimit;
  if (!fleet_.PathHasRoom(source, target.site)) return Parked::kPath;
  return egress.free_probes() > 0 || fleet_.PathIsProven(source, target.site) ? Parked::kNot : Parked::kProbe;
}

bool Pools::IsWarming(uint32_t number) const {
  const std::vector<uint16_t>& sources = pools_[number].sources;
  return std::any_of(sources.begin(), sources.end(), [&](uint16_t source) { return allowances_.IsWarming(source); });
}

Choice Pools::Pick(uint32_t number, const Target& target, uint16_t last_source, Instant now, IsHeld is_held) {
  // Refused for its warming address: the overflow is next.
  if (last_source == kMovesOn && pools_[number].overflow != kNoPool) number = pools_[number].overflow;
  Choice first;
  bool lacked = false;
  for (int step = 0; step < kLongestOverflow && number != kNoPool; ++step) {
    Choice choice = PickFrom(number, target, last_source, now, is_held);
    choice.overflowed = lacked && choice.source != kNoSource;
    if (step == 0) first = choice;
    if (choice.parked == Parked::kPool) return first;
    if (choice.parked != Parked::kConstraint && choice.parked != Parked::kWarmup) return choice;
    lacked = lacked || choice.parked == Parked::kWarmup;
    number = pools_[number].overflow;
  }
  return first;
}

Choice Pools::PickFrom(uint32_t number, const Target& target, uint16_t last_source, Instant now, IsHeld is_held) {
  Pool& pool = pools_[number];
  eligible_.assign(pool.sources.size(), 0);
  bool can_send = false, held = false, lacks_allowance = false, limited = false, all_down = true;
  for (size_t i = 0; i < pool.sources.size(); ++i) {
    const uint16_t source = pool.sources[i];
    if (pool.members[i].weight <= 0 || !fleet_.CanSend(source)) continue;
    if (is_held(number, source)) {
      held = true;
      continue;
    }
    const Allowance allowance = allowances_.Look(source, target.provider, target.provider_name, now);
    if (allowance == Allowance::kNone) {
      lacks_allowance = true;
      continue;
    }
    can_send = true;
    if (source == last_source && allowance != Allowance::kAsking && WhyBusy(source, target) == Parked::kNot) {
      return {.source = source, .pool = number};
    }
    const bool has_room = fleet_.HasRoom(source, target.limit_group);
    limited = limited || !has_room;
    all_down = all_down && fleet_.PathIsDown(source, target.site);
    eligible_[i] = has_room && (fleet_.PathIsOpen(source, target.site) || !fleet_.PathFails(source, target.site)) ? 1 : 0;
  }
  const auto [it, fresh] = pool.turns.try_emplace(target.provider);
  Pool::Turn& turn = it->second;
  if (fresh) turn.rotation = Rotation(std::span<const RotationMember>(pool.members));
  if (turn.waiting < 0 || eligible_[static_cast<size_t>(turn.waiting)] == 0) {
    turn.waiting = turn.rotation.Pick(std::span<const uint8_t>(eligible_));
  }
  if (turn.waiting < 0 && can_send) return {.parked = limited ? Parked::kLimit : all_down ? Parked::kDown : Parked::kPath};
  if (turn.waiting < 0) return {.parked = lacks_allowance ? Parked::kWarmup : held ? Parked::kConstraint : Parked::kPool};
  const uint16_t source = pool.sources[static_cast<size_t>(turn.waiting)];
  if (const Parked why = WhyBusy(source, target); why != Parked::kNot) return {.parked = why};
  if (allowances_.Look(source, target.provider, target.provider_name, now) == Allowance::kAsking) {
    allowances_.Want(source, target.provider, now);
    return {.parked = Parked::kGrant};
  }
  turn.waiting = -1;
  return {.source = source, .pool = number};
}

}  // namespace sluice::scheduler
