// Operations on many entries: see sweep.h.
#include <algorithm>

#include "base/text.h"
#include "scheduler/core.h"

namespace sluice::scheduler {
namespace {

constexpr int kLookedAtPerTurn = 20'000;
constexpr int kDonePerTurn = 1'000;
constexpr auto kLaterEvery = std::chrono::milliseconds(200);
constexpr size_t kMostRecalled = 10'000;

}  // namespace

void Core::StartSweep(SweepOrder order, const std::vector<int>& shards) {
  Sweep sweep;
  sweep.order = std::move(order);
  const Match& filter = sweep.order.filter;
  sweep.of_facts = {.tenant = filter.tenant,
                    .stream = filter.stream,
                    .campaign = filter.campaign,
                    .sender_domain = filter.sender_domain,
                    .tags = filter.tags};
  for (const std::string& domain : std::exchange(sweep.order.domains, {})) sweep.domains.insert(domains_.Number(domain));
  sweep.later_at = clock_.Steady() + kLaterEvery;
  sweep.accepted_before = ToTicks(sweep.order.accepted_before);
  for (const int shard : shards) sweep.shards[shard];
  std::erase_if(sweeps_, [&](const Sweep& s) { return s.order.operation == sweep.order.operation; });
  sweeps_.push_back(std::move(sweep));
}

void Core::StopSweep(int64_t operation) {
  std::erase_if(sweeps_, [&](const Sweep& s) { return s.order.operation == operation; });
}

SweepProgress Core::ProgressOf(int64_t operation) const {
  for (const Sweep& sweep : sweeps_) {
    if (sweep.order.operation == operation) return {.known = true, .finished = sweep.finished(), .shards = sweep.shards};
  }
  return {};
}

bool Core::RunSweeps(Instant now) {
  bool more = false;
  for (Sweep& sweep : sweeps_) {
    sweep_budget_ = kDonePerTurn;
    if (sweep.order.message_id != 0 && !sweep.passed) {
      SweepMessage(sweep, now);
      continue;
    }
    const auto capacity = static_cast<Slot>(index_.capacity());
    // What waits to be settled is bounded: a million cancelled entries are a million rows to write.
    for (int i = 0; i < kLookedAtPerTurn && !sweep.passed && sweep.at < capacity && HasSweepRoom(); ++i) {
      const Slot slot = sweep.at++;
      if (IsMeant(sweep, index_[slot])) ApplySweep(sweep, slot, now);
    }
    sweep.passed = sweep.passed || sweep.at >= capacity;
    more = more || (!sweep.passed && unsettled_.size() < options_.settle_batch);
    if (clock_.Steady() >= sweep.later_at) LookAgain(sweep, now);
  }
  return more;
}

bool Core::HasSweepRoom() const { return sweep_budget_ > 0 && unsettled_.size() < options_.settle_batch; }

void Core::SweepMessage(Sweep& sweep, Instant now) {
  const int64_t first = sweep.order.message_id;
  for (int64_t id = first; id < first + static_cast<int64_t>(limits::kRecipients); ++id) {
    const Slot slot = index_.Find(id);
    if (slot != kNoSlot && index_[slot].message_id() == first && IsMeant(sweep, index_[slot])) ApplySweep(sweep, slot, now);
  }
  sweep.passed = true;
}

void Core::LookAgain(Sweep& sweep, Instant now) {
  sweep.later_at = clock_.Steady() + kLaterEvery;
  for (const int64_t id : std::exchange(sweep.later, {})) {
    const auto count = sweep.shards.find(static_cast<int>(id >> 56));
    if (count == sweep.shards.end()) continue;
    const Slot slot = index_.Find(id);
    if (slot == kNoSlot) {
      ++count->second.too_late;
    } else if (HasSweepRoom()) {
      ApplySweep(sweep, slot, now, false);
    } else {
      sweep.later.push_back(id);
    }
  }
}

bool Core::IsMeant(Sweep& sweep, const Entry& entry) {
  if (entry.place == Place::kFree || entry.place == Place::kEnded || entry.accepted > sweep.accepted_before ||
      !sweep.shards.contains(static_cast<int>(entry.id >> 56))) {
    return false;
  }
  if (sweep.facts_match.size() <= entry.facts) sweep.facts_match.resize(entry.facts + 1, -1);
  int8_t& matches = sweep.facts_match[entry.facts];
  if (matches < 0) matches = Matches(sweep.of_facts, RoutingFactsOf(entry)) ? 1 : 0;
  if (matches == 0) return false;
  const Match& filter = sweep.order.filter;
  if (!filter.domain.empty() && domains_.Name(entry.domain) != filter.domain) return false;
  if (!filter.source.empty() &&
      (entry.last_source >= kMovesOn || fleet_.source(entry.last_source).name != filter.source)) {
    return false;
  }
  if ((!filter.provider.empty() || !filter.site.empty()) && !IsThere(sweep, entry.domain)) return false;
  if (filter.pool.empty()) return true;
  const int pool = RouteOf(entry).pool_index;
  return pool >= 0 && pools_.name(pools_.Number(pool)) == filter.pool;
}

bool Core::IsThere(const Sweep& sweep, uint32_t number) {
  const uint32_t site = domains_[number].site;
  if (site == kNoSite) return sweep.domains.contains(number);
  const Match& filter = sweep.order.filter;
  return (filter.provider.empty() || domains_.site(site).provider == filter.provider) &&
         (filter.site.empty() || domains_.site(site).name == filter.site);
}

void Core::ApplySweep(Sweep& sweep, Slot slot, Instant now, bool recall) {
  const SweepKind kind = sweep.order.kind;
  Entry& entry = index_[slot];
  if (kind == SweepKind::kRetryNow) {
    EndRestsFor(entry);
    if (entry.place != Place::kWaiting || entry.due <= ToTicks(now)) return;
    entry.due = ToTicks(now);
    ++sweep.shards[static_cast<int>(entry.id >> 56)].done;
    --sweep_budget_;
    Place_(slot, now);
    return;
  }
  if (kind == SweepKind::kReleaseHeld) {
    if (entry.place == Place::kHeld) SettleSwept(sweep, slot, now);
    return;
  }
  if (kind == SweepKind::kMove && (entry.place == Place::kHeld || names_.Name(facts_[entry.facts].pool) == sweep.order.target_pool)) {
    return;
  }
  if (entry.place != Place::kInFlight && entry.place != Place::kSettling) {
    SettleSwept(sweep, slot, now);
    return;
  }
  sweep.later.push_back(entry.id);
  const auto flight = in_flight_.find(entry.id);
  if (!recall || flight == in_flight_.end() || flight->second.begun || sweep.later.size() > kMostRecalled) return;
  // Not begun as far as we know: it may come back.
  const Egress& egress = fleet_.egress(flight->second.egress);
  if (egress.connected()) egress.port->SendRecall(0, "", {{.entry_id = entry.id}});
}

void Core::EndRestsFor(const Entry& entry) {
  const uint32_t site = domains_[entry.domain].site;
  if (site == kNoSite || !flows_.IsDown(site)) return;
  fleet_.EndRests(site);
  flows_.WakeSite(site);
}

void Core::SettleSwept(Sweep& sweep, Slot slot, Instant now) {
  TakeOut(slot);
  Entry& entry = index_[slot];
  storage::Settlement settlement;
  settlement.entry_id = entry.id;
  settlement.message_id = entry.message_id();
  settlement.occurred_at = now;
  settlement.attempts = static_cast<int16_t>(entry.attempts);
  settlement.stage = "local";
  settlement.detail = sweep.order.reason;
  switch (sweep.order.kind) {
    case SweepKind::kCancel:
      settlement.kind = "cancelled";
      CoreMetrics::Add(metrics_.cancelled);
      break;
    case SweepKind::kBounce:
      settlement.kind = "bounced";
      settlement.reply_code = 550;
      settlement.enhanced_status = "5.7.0";
      settlement.reply = Cat("bounced by an operator: ", sweep.order.reason);
      settlement.reply_class = "policy";
      CoreMetrics::Add(metrics_.bounced);
      break;
    case SweepKind::kMove:
      settlement.change = storage::Settlement::Change::kMove;
      settlement.pool = sweep.order.target_pool;
      break;
    case SweepKind::kReleaseHeld:
      settlement.change = storage::Settlement::Change::kHold;
      break;
    case SweepKind::kRetryNow:
      return;
  }
  entry.place = Place::kSettling;
  if (settlement.change == storage::Settlement::Change::kEnd) contents_.Drop(entry.id, entry.message_id());
  ++sweep.pending;
  --sweep_budget_;
  PutUnsettled({.settlement = std::move(settlement), .operation = sweep.order.operation});
}

// Committed, or given up with its shard.
void Core::EndSwept(const Unsettled& item, bool committed) {
  if (item.operation == 0) return;
  for (Sweep& sweep : sweeps_) {
    if (sweep.order.operation != item.operation) continue;
    --sweep.pending;
    if (committed) ++sweep.shards[static_cast<int>(item.settlement.entry_id >> 56)].done;
  }
}

}  // namespace sluice::scheduler
