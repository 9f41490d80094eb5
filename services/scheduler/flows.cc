#include "scheduler/flows.h"

#include <algorithm>
#include <utility>

namespace sluice::scheduler {
namespace {
constexpr size_t kLimitsPerTurn = 64;
}

Flows::LaneNumber Flows::LaneOf(const FlowKey& key) {
  const Lane lane{.tenant = key.tenant,
                  .stream = key.stream,
                  .pool = key.pool,
                  .generation = generation_,
                  .priority = key.priority,
                  .engagement = key.engagement};
  const auto [it, fresh] = lane_numbers_.try_emplace(lane, 0);
  if (!fresh) return it->second;
  if (free_lanes_.empty()) {
    it->second = static_cast<LaneNumber>(lanes_.size());
    lanes_.emplace_back();
  } else {
    it->second = free_lanes_.back();
    free_lanes_.pop_back();
  }
  lanes_[it->second] = lane;
  queue_.OpenLane(it->second, key.tenant, key.priority >= kHighPriority);
  return it->second;
}

FlowNumber Flows::Get(const FlowKey& key) {
  const LaneNumber lane = LaneOf(key);
  const auto [it, fresh] = numbers_.try_emplace(KeyOf(lane, key.site), kNoFlow);
  if (!fresh) return it->second;
  if (free_.empty()) {
    it->second = static_cast<FlowNumber>(flows_.size());
    flows_.emplace_back();
  } else {
    it->second = free_.back();
    free_.pop_back();
  }
  flows_[it->second] = {.lane = lane, .site = key.site, .in_use = true};
  ++lanes_[lane].flows;
  if (key.tenant >= tenant_flows_.size()) tenant_flows_.resize(key.tenant + 1, 0);
  ++tenant_flows_[key.tenant];
  if (key.site >= site_flows_.size()) site_flows_.resize(key.site + 1, 0);
  ++site_flows_[key.site];
  return it->second;
}

void Flows::Forget(FlowNumber number) {
  Flow& flow = flows_[number];
  numbers_.erase(KeyOf(flow.lane, flow.site));
  Lane& lane = lanes_[flow.lane];
  if (flow.parked != Parked::kDown) --tenant_flows_[lane.tenant];
  --site_flows_[flow.site];
  if (--lane.flows == 0) {
    lane_numbers_.erase(lane);
    free_lanes_.push_back(flow.lane);
  }
  flow.in_use = false;
  free_.push_back(number);
}

void Flows::Add(EntryIndex& index, Slot slot, const FlowKey& key, bool first) {
  index[slot].place = Place::kReady;
  const FlowNumber number = Get(key);
  Flow& flow = flows_[number];
  if (first) {
    flow.ready.PushFront(index, slot);
  } else {
    flow.ready.PushBack(index, slot);
  }
  ++flow.count;
  if (flow.parked == Parked::kNot && number != turn_) queue_.Add(number, flow.lane);
}

FlowKey Flows::Key(FlowNumber number) const {
  const Flow& flow = flows_[number];
  const Lane& lane = lanes_[flow.lane];
  return {.tenant = lane.tenant, .stream = lane.stream, .pool = lane.pool, .site = flow.site, .priority = lane.priority,
          .engagement = lane.engagement};
}

Flows::Turn Flows::Next() {
  for (FairQueue::Turn turn = queue_.Next(); turn.flow != FairQueue::kNone; turn = queue_.Next()) {
    if (!flows_[turn.flow].emptied) {
      turn_ = turn.flow;
      return {.flow = turn.flow, .most = turn.most};
    }
    queue_.Served(0, FairQueue::Then::kGone);
    Forget(turn.flow);
  }
  return {};
}

void Flows::Served(int count, Parked why, uint64_t limit_group, uint32_t provider, bool keeps_place) {
  const FlowNumber number = std::exchange(turn_, kNoFlow);
  Flow& flow = flows_[number];
  const LaneNumber lane = flow.lane;
  const uint32_t tenant = lanes_[lane].tenant;
  flow.count -= std::min(flow.count, static_cast<uint32_t>(count));
  if (flow.ready.empty()) {
    queue_.Served(count, FairQueue::Then::kGone);
    Forget(number);
    return;
  }
  switch (why) {
    case Parked::kNot:
      queue_.Served(count, FairQueue::Then::kMore);
      return;
    case Parked::kCredit:
      parked_credit_.push_back(lane);
      queue_.Served(count, FairQueue::Then::kLaneParked);
      return;
    case Parked::kTenant:
      parked_tenant_.push_back(lane);
      queue_.Served(count, FairQueue::Then::kLaneParked);
      return;
    case Parked::kRate:
      parked_rate_.push_back(tenant);
      queue_.Served(count, FairQueue::Then::kTenantParked);
      return;
    case Parked::kDown:
      --tenant_flows_[tenant];
      down_sites_.insert(flow.site);
      [[fallthrough]];
    case Parked::kPath:
      parked_site_[flow.site].push_back(number);
      break;
    case Parked::kProbe:
      parked_probe_.push_back(number);
      break;
    case Parked::kPool:
      parked_pool_.push_back(number);
      break;
    case Parked::kLimit: {
      auto [group, fresh] = parked_limit_.try_emplace(limit_group);
      if (fresh) limit_turns_.push_back(limit_group);
      group->second[lanes_[lane].pool].push_back(number);
      break;
    }
    case Parked::kShared: {
      ByPriority& parked = parked_shared_[limit_group];
      std::deque<FlowNumber>& line = lanes_[lane].priority >= kHighPriority ? parked.high : parked.normal;
      line.insert(keeps_place ? line.begin() : line.end(), number);
      break;
    }
    case Parked::kConstraint:
      parked_constraint_.push_back(number);
      break;
    case Parked::kGrant:
      parked_grant_.push_back(number);
      break;
    case Parked::kWarmup: {
      const size_t rank = (lanes_[lane].priority >= kHighPriority ? 4U : 0U) + std::min<size_t>(lanes_[lane].engagement, 3);
      parked_warmup_[WarmupKey(lanes_[lane].pool, provider)][rank].push_back(number);
      break;
    }
  }
  flow.parked = why;
  queue_.Served(count, FairQueue::Then::kGone);
}

void Flows::Wake(FlowNumber number, Parked why) {
  Flow& flow = flows_[number];
  if (!flow.in_use || flow.parked != why) return;
  if (why == Parked::kDown) ++tenant_flows_[lanes_[flow.lane].tenant];
  flow.parked = Parked::kNot;
  queue_.Add(number, flow.lane);
}

void Flows::WakeCredit(int64_t most) {
  for (; most > 0 && !parked_credit_.empty(); --most) {
    queue_.WakeLane(parked_credit_.front());
    parked_credit_.pop_front();
  }
}

void Flows::WakeProbes(int64_t most) {
  for (; most > 0 && !parked_probe_.empty(); --most) {
    Wake(parked_probe_.front(), Parked::kProbe);
    parked_probe_.pop_front();
  }
}

void Flows::WakeLimit(uint64_t group, int64_t count) {
  const auto it = parked_limit_.find(group);
  if (it == parked_limit_.end()) return;
  for (auto& [pool, numbers] : it->second) {
    for (int64_t left = count; left > 0 && !numbers.empty();) {
      const FlowNumber number = numbers.front();
      numbers.pop_front();
      if (!flows_[number].in_use || flows_[number].parked != Parked::kLimit) continue;
      Wake(number, Parked::kLimit);
      --left;
    }
  }
  std::erase_if(it->second, [](const auto& item) { return item.second.empty(); });
}

void Flows::WakeSomeLimits() {
  for (size_t left = std::min(limit_turns_.size(), kLimitsPerTurn); left > 0; --left) {
    const uint64_t group = limit_turns_.front();
    limit_turns_.pop_front();
    WakeLimit(group, 1);
    const auto it = parked_limit_.find(group);
    if (it->second.empty()) {
      parked_limit_.erase(it);
    } else {
      limit_turns_.push_back(group);
    }
  }
}

void Flows::WakePools() {
  for (const FlowNumber number : std::exchange(parked_pool_, {})) Wake(number, Parked::kPool);
  WakeConstraints();
}

void Flows::WakeConstraints() {
  for (const FlowNumber number : std::exchange(parked_constraint_, {})) Wake(number, Parked::kConstraint);
  for (const uint32_t site : absl::flat_hash_set<uint32_t>(down_sites_)) WakeSite(site);
}

void Flows::WakeGrants() {
  for (const FlowNumber number : std::exchange(parked_grant_, {})) Wake(number, Parked::kGrant);
}

bool Flows::WakeWarmup(uint32_t pool, uint32_t provider, int64_t most) {
  const auto it = parked_warmup_.find(WarmupKey(pool, provider));
  if (it == parked_warmup_.end()) return false;
  for (auto rank = it->second.rbegin(); rank != it->second.rend(); ++rank) {
    for (; most > 0 && !rank->empty(); --most) {
      Wake(rank->front(), Parked::kWarmup);
      rank->pop_front();
    }
    if (!rank->empty()) return true;
  }
  parked_warmup_.erase(it);
  return false;
}

void Flows::WakeAllWarmup() {
  for (const auto& [key, ranks] : std::exchange(parked_warmup_, {})) {
    for (auto rank = ranks.rbegin(); rank != ranks.rend(); ++rank) {
      for (const FlowNumber number : *rank) Wake(number, Parked::kWarmup);
    }
  }
}

void Flows::ForEachWarmupWaiting(absl::FunctionRef<void(uint32_t, uint32_t, int64_t)> use) const {
  // A flow that a change of policy ended is still in its line, and its number may be another's by now.
  std::vector<bool> counted(flows_.size(), false);
  for (const auto& [key, ranks] : parked_warmup_) {
    const auto pool = static_cast<uint32_t>(key >> 32);
    int64_t entries = 0;
    for (const auto& rank : ranks) {
      for (const FlowNumber number : rank) {
        const Flow& flow = flows_[number];
        if (!flow.in_use || flow.parked != Parked::kWarmup || lanes_[flow.lane].pool != pool || counted[number]) continue;
        counted[number] = true;
        entries += flow.count;
      }
    }
    if (entries > 0) use(pool, static_cast<uint32_t>(key), entries);
  }
}

int64_t Flows::WakeShared(uint64_t limit, int64_t most) {
  constexpr int kHighInRow = 4;
  const auto it = parked_shared_.find(limit);
  if (it == parked_shared_.end()) return 0;
  ByPriority& parked = it->second;
  int64_t woken = 0;
  while (woken < most && !(parked.high.empty() && parked.normal.empty())) {
    const bool is_high = !parked.high.empty() && (parked.normal.empty() || parked.high_in_row < kHighInRow);
    parked.high_in_row = is_high ? parked.high_in_row + 1 : 0;
    std::deque<FlowNumber>& from = is_high ? parked.high : parked.normal;
    const FlowNumber number = from.front();
    from.pop_front();
    if (!flows_[number].in_use || flows_[number].parked != Parked::kShared) continue;
    Wake(number, Parked::kShared);
    ++woken;
  }
  if (parked.high.empty() && parked.normal.empty()) parked_shared_.erase(it);
  return woken;
}

void Flows::WakeAllShared() {
  for (const auto& [limit, parked] : std::exchange(parked_shared_, {})) {
    for (const FlowNumber number : parked.high) Wake(number, Parked::kShared);
    for (const FlowNumber number : parked.normal) Wake(number, Parked::kShared);
  }
}

void Flows::WakeSite(uint32_t site) {
  const auto it = parked_site_.find(site);
  if (it == parked_site_.end()) return;
  const std::vector<FlowNumber> numbers = std::move(it->second);
  parked_site_.erase(it);
  down_sites_.erase(site);
  for (const FlowNumber number : numbers) {
    Wake(number, Parked::kPath);
    Wake(number, Parked::kDown);
  }
}

void Flows::NewPolicy() {
  ++generation_;
  stale_at_ = 0;
}

FlowNumber Flows::NextStale() {
  for (; stale_at_ < flows_.size(); ++stale_at_) {
    const Flow& flow = flows_[stale_at_];
    if (flow.in_use && !flow.emptied && IsStale(static_cast<FlowNumber>(stale_at_))) {
      return static_cast<FlowNumber>(stale_at_);
    }
  }
  return kNoFlow;
}

void Flows::DropStale(FlowNumber number) {
  Flow& flow = flows_[number];
  if (flow.parked == Parked::kNot) {
    flow.emptied = true;  // Forgotten when its turn comes.
  } else {
    Forget(number);
  }
}

}  // namespace sluice::scheduler
