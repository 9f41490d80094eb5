#include "scheduler/flows.h"

#include <utility>

namespace sluice::scheduler {
namespace {
constexpr int kHighTurnsInARow = 4;
}

FlowNumber Flows::Get(const FlowKey& key) {
  const auto [it, fresh] = numbers_.try_emplace(key, kNoFlow);
  if (!fresh) return it->second;
  if (free_.empty()) {
    it->second = static_cast<FlowNumber>(flows_.size());
    flows_.emplace_back();
  } else {
    it->second = free_.back();
    free_.pop_back();
  }
  flows_[it->second] = Flow{};
  flows_[it->second].key = key;
  flows_[it->second].in_use = true;
  return it->second;
}

void Flows::Activate(FlowNumber number) {
  Flow& flow = flows_[number];
  if (flow.in_turn || flow.parked != Parked::kNot) return;
  flow.in_turn = true;
  Round& round = turns_[flow.key.priority >= 2 ? 1 : 0];
  std::deque<FlowNumber>& mine = round.flows[flow.key.tenant];
  if (mine.empty()) round.tenants.push_back(flow.key.tenant);
  mine.push_back(number);
  ++round.count;
}

void Flows::Add(EntryIndex& index, Slot slot, const FlowKey& key) {
  index[slot].place = Place::kReady;
  const FlowNumber number = Get(key);
  flows_[number].ready.PushBack(index, slot);
  Activate(number);
}

void Flows::AddFront(EntryIndex& index, Slot slot, const FlowKey& key) {
  index[slot].place = Place::kReady;
  const FlowNumber number = Get(key);
  flows_[number].ready.PushFront(index, slot);
  Activate(number);
}

FlowNumber Flows::Pop(Round& round) {
  const uint32_t tenant = round.tenants.front();
  round.tenants.pop_front();
  const auto it = round.flows.find(tenant);
  const FlowNumber number = it->second.front();
  it->second.pop_front();
  if (it->second.empty()) {
    round.flows.erase(it);
  } else {
    round.tenants.push_back(tenant);
  }
  --round.count;
  flows_[number].in_turn = false;
  return number;
}

FlowNumber Flows::NextTurn() {
  Round& normal = turns_[0];
  Round& high = turns_[1];
  if (high.count > 0 && (normal.count == 0 || high_turns_ < kHighTurnsInARow)) {
    ++high_turns_;
    return Pop(high);
  }
  high_turns_ = 0;
  return normal.count > 0 ? Pop(normal) : kNoFlow;
}

void Flows::Requeue(FlowNumber number) {
  Flow& flow = flows_[number];
  if (!flow.ready.empty()) {
    Activate(number);
    return;
  }
  numbers_.erase(flow.key);
  flow.in_use = false;
  free_.push_back(number);
}

void Flows::Park(FlowNumber number, Parked why) {
  Flow& flow = flows_[number];
  flow.parked = why;
  if (why == Parked::kCredit) parked_credit_.push_back(number);
  if (why == Parked::kPool) parked_pool_.push_back(number);
  if (why == Parked::kPath) parked_site_[flow.key.site].push_back(number);
}

void Flows::Wake(FlowNumber number, Parked why) {
  Flow& flow = flows_[number];
  if (!flow.in_use || flow.parked != why) return;
  flow.parked = Parked::kNot;
  Requeue(number);
}

void Flows::WakeCredit(int64_t most) {
  for (; most > 0 && !parked_credit_.empty(); --most) {
    const FlowNumber number = parked_credit_.front();
    parked_credit_.pop_front();
    Wake(number, Parked::kCredit);
  }
}

void Flows::WakePools() {
  for (const FlowNumber number : std::exchange(parked_pool_, {})) Wake(number, Parked::kPool);
}

void Flows::WakeSite(uint32_t site) {
  const auto it = parked_site_.find(site);
  if (it == parked_site_.end()) return;
  const std::vector<FlowNumber> numbers = std::move(it->second);
  parked_site_.erase(it);
  for (const FlowNumber number : numbers) Wake(number, Parked::kPath);
}

std::vector<Slot> Flows::TakeAll(EntryIndex& index) {
  std::vector<Slot> slots;
  for (Flow& flow : flows_) {
    if (!flow.in_use) continue;
    for (Slot slot = flow.ready.Pop(index); slot != kNoSlot; slot = flow.ready.Pop(index)) {
      slots.push_back(slot);
    }
  }
  *this = Flows();
  return slots;
}

}  // namespace sluice::scheduler
