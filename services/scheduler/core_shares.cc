// Rates that hold for several sources together: what this scheduler's share lets leave, and what waits for it. A flow waits as a whole
// for a limit that covers all of it; an entry goes aside for one that covers only its kind, so that others of the flow may leave.
#include <algorithm>

#include "scheduler/core.h"

namespace sluice::scheduler {

void Core::SetSharedLimits(const PolicyDocument& policy) {
  for (auto& [limit, entries] : aside_) to_file_.Append(index_, entries);
  aside_.clear();
  flows_.WakeAllShared();
  std::vector<SharedLimit> limits = SharedLimitsOf(policy.shaping);
  std::erase_if(limits, [](const SharedLimit& limit) { return IsOfConnections(limit.unit); });
  shared_.SetPolicy(limits, clock_.Steady());
}

std::vector<ShareNow> Core::Shares() { return shared_.Now(clock_.Steady()); }

void Core::GiveShares(const std::vector<GivenShare>& shares, SteadyInstant until) {
  shared_.Give(shares, until, clock_.Steady());
}

void Core::FindShared(const FlowKey& key, int most, SharedGate& gate) {
  gate.flow.clear();
  gate.most = most;
  if (shared_.empty()) return;
  shared_.table().FindFlow(FactsOfFlow(key), gate.flow);
  gate.most = static_cast<int>(shared_.Available(gate.flow, most, clock_.Steady(), gate.blocking));
}

bool Core::SharedHoldsBytes(Slot slot, SharedGate& gate) {
  if (!shared_.counts_bytes()) return false;
  const auto content = contents_.Find(index_[slot].message_id());
  gate.bytes = content == nullptr ? shared_.usual_bytes() : std::max<int64_t>(content->size_bytes, 1);
  return !shared_.FitsBytes(gate.flow, gate.bytes, clock_.Steady(), gate.blocking);
}

bool Core::SharedHoldsEntry(Slot slot, const FlowKey& key, SharedGate& gate) {
  gate.entry.clear();
  gate.is_overflow = false;
  if (!shared_.table().sees_entries()) return false;
  shared_.table().FindEntry(FactsOfEntry(index_[slot], key.pool, key.site), gate.entry);
  uint32_t blocking = 0;
  const SteadyInstant steady = clock_.Steady();
  const bool is_heavy = !shared_.FitsBytes(gate.entry, gate.bytes, steady, blocking);
  if (!is_heavy && shared_.Available(gate.entry, 1, steady, blocking) > 0) return false;
  index_[slot].place = Place::kKeptBack;
  // Lighter ones would let it wait for ever.
  if (is_heavy) {
    aside_[blocking].PushFront(index_, slot);
  } else {
    aside_[blocking].PushBack(index_, slot);
  }
  ++kept_back_count_;
  shared_.Awaits(blocking, gate.bytes, steady);
  return true;
}

bool Core::SharedHoldsOverflow(Slot slot, const FlowKey& key, uint32_t pool, SharedGate& gate) {
  if (pool == key.pool || !shared_.table().sees_pools()) return false;
  const SendingFacts facts = FactsOfEntry(index_[slot], pool, key.site);
  gate.is_overflow = true;
  gate.entry.clear();
  shared_.table().FindFlow(facts, gate.entry);
  shared_.table().FindEntry(facts, gate.entry);
  const SteadyInstant steady = clock_.Steady();
  return shared_.Available(gate.entry, 1, steady, gate.blocking) <= 0 || !shared_.FitsBytes(gate.entry, gate.bytes, steady, gate.blocking);
}

void Core::HandOutShared(int64_t id, const SharedGate& gate) {
  SharedLimits::Numbers numbers = gate.is_overflow ? SharedLimits::Numbers() : gate.flow;
  numbers.insert(numbers.end(), gate.entry.begin(), gate.entry.end());
  if (!numbers.empty()) shared_.HandOut(id, std::move(numbers), gate.bytes);
}

bool Core::WeighShared(int64_t id, const InFlight& flight, const std::shared_ptr<const Content>& content, EntryPayload& payload) {
  if (shared_.Weigh(id, std::max<int64_t>(content->size_bytes, 1), clock_.Steady())) return true;
  // Its turn comes again when so much may go, with what was fetched for it.
  contents_.Keep(id, flight.message_id, std::move(payload), content);
  Requeue(id, /*crashed=*/false, /*first=*/true);
  return false;
}

void Core::EndShared(int64_t id, bool was_sent) {
  if (shared_.empty()) return;
  if (was_sent) {
    shared_.Begun(id, clock_.Steady());
  } else {
    shared_.CameBack(id);
  }
}

void Core::WakeShared(SteadyInstant steady) {
  if (shared_.empty()) return;
  const Instant now = clock_.Now();
  shared_.WakeReady(steady, [&](uint32_t limit, int64_t count) {
    const int64_t woken = flows_.WakeShared(limit, count);
    const auto aside = aside_.find(limit);
    if (aside == aside_.end()) return flows_.AwaitsShared(limit);
    for (int64_t left = count - woken; left > 0; --left) {
      const Slot slot = aside->second.Pop(index_);
      if (slot == kNoSlot) break;
      --kept_back_count_;
      Place_(slot, now, /*first=*/true);
    }
    if (!aside->second.empty()) return true;
    aside_.erase(aside);
    return flows_.AwaitsShared(limit);
  });
}

}  // namespace sluice::scheduler
