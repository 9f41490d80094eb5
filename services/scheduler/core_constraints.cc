// What constraints and a new policy hold back: not chosen, kept aside, or asked back from the egress that has it.
#include <algorithm>

#include "scheduler/core.h"

namespace sluice::scheduler {
namespace {

// Kept aside, and looked at again because something may pass.
constexpr int kMostTried = 1'000;
constexpr auto kTryAgain = std::chrono::seconds(1);

}  // namespace

void Core::SetConstraints(int64_t generation, std::vector<Constraint> constraints) {
  const Instant now = clock_.Now();
  constraint_generation_ = generation;
  constraint_ends_.clear();
  for (const Constraint& constraint : constraints) constraint_ends_.emplace_back(constraint.cause, constraint.until);
  Suspensions changed(std::move(constraints));
  if (changed.all() == suspensions_.all()) return;
  suspensions_ = std::move(changed);
  KeepTrickles(now);
  LetGo(now);
  Recall(Order::Kind::kConstraints, generation, [&](const InFlight& flight) {
    if (suspensions_.empty() || flight.slot == kNoSlot || flight.trickled) return false;
    SendingFacts facts = FactsOfEntry(index_[flight.slot], flight.pool, flight.site);
    facts.source = fleet_.source(flight.source).name;
    return suspensions_.Holding(facts, now) != nullptr;
  });
}

bool Core::IsStillMeant(const InFlight& flight) {
  // A drained source keeps what is at its egress already.
  if (!(flight.sent ? pools_.IsMember(flight.pool, flight.source) : pools_.HasMember(flight.pool, flight.source))) return false;
  if (flight.slot == kNoSlot) return true;
  const RouteChoice route = RouteOf(index_[flight.slot]);
  return route.pool_index >= 0 && pools_.Reaches(pools_.Number(route.pool_index), flight.pool);
}

SendingFacts Core::FactsOfFlow(const FlowKey& key) const {
  const Site& site = domains_.site(key.site);
  return {.provider = site.provider,
          .pool = pools_.name(key.pool),
          .tenant = names_.Name(key.tenant),
          .stream = names_.Name(key.stream),
          .site = site.name};
}

SendingFacts Core::FactsOfEntry(const Entry& entry, uint32_t pool, uint32_t site_number) const {
  const Facts& facts = facts_[entry.facts];
  const Site& site = domains_.site(site_number);
  return {.provider = site.provider,
          .pool = pools_.name(pool),
          .tenant = names_.Name(facts.tenant),
          .stream = names_.Name(facts.stream),
          .campaign = texts_.Name(facts.campaign),
          .domain = domains_.Name(entry.domain),
          .site = site.name,
          .sender_domain = texts_.Name(facts.sender_domain)};
}

bool Core::HoldsFlow(const FlowKey& key, Instant now) const {
  return !suspensions_.empty() && suspensions_.HoldingFlow(FactsOfFlow(key), now, LetsThrough(now)) != nullptr;
}

bool Core::HoldsEntry(const Entry& entry, const FlowKey& key, Instant now) const {
  return suspensions_.has_entry_scopes() &&
         suspensions_.HoldingEntry(FactsOfEntry(entry, key.pool, key.site), now, LetsThrough(now)) != nullptr;
}

bool Core::HoldsSource(const Entry& entry, const FlowKey& key, uint32_t pool, uint16_t source, Instant now) const {
  if (families_.has_ipv6() && IsWrongFamily(entry, key.site, pool, source, now)) return true;
  // Of the pool that was asked for, the flow and the entry were looked at already.
  if (pool == key.pool && !suspensions_.has_source_scopes()) return false;
  if (suspensions_.empty()) return false;
  SendingFacts facts = FactsOfEntry(entry, pool, key.site);
  facts.source = fleet_.sources()[source].name;
  return suspensions_.Holding(facts, now, LetsThrough(now)) != nullptr;
}

void Core::KeepTrickles(Instant now) {
  absl::flat_hash_map<int64_t, Instant> kept;
  for (const Constraint& constraint : suspensions_.all()) {
    if (!constraint.value.trickle) continue;
    const auto before = trickle_at_.find(constraint.id);
    // A rate that was raised counts from now.
    const Instant soon = now + constraint.value.trickle->per / constraint.value.trickle->count;
    kept[constraint.id] = before == trickle_at_.end() ? now : std::min(before->second, soon);
  }
  trickle_at_ = std::move(kept);
  WakeTrickles(now);
}

bool Core::UseTrickles(const Entry& entry, const FlowKey& key, const Choice& choice, Instant now) {
  if (trickle_at_.empty()) return false;
  SendingFacts facts = FactsOfEntry(entry, choice.pool, key.site);
  facts.source = fleet_.source(choice.source).name;
  bool used = false;
  // Nothing else holds it: those that cover it are all open.
  suspensions_.Holding(facts, now, [&](const Constraint& constraint) {
    const auto at = trickle_at_.find(constraint.id);
    if (at == trickle_at_.end()) return false;
    at->second = now + constraint.value.trickle->per / constraint.value.trickle->count;
    trickles_at_ = trickles_at_ ? std::min(*trickles_at_, at->second) : at->second;
    used = true;
    return true;
  });
  return used;
}

void Core::WakeTrickles(Instant now) {
  trickles_at_.reset();
  bool open = false;
  for (const auto& [id, at] : trickle_at_) {
    if (at <= now) {
      open = true;
    } else {
      trickles_at_ = trickles_at_ ? std::min(*trickles_at_, at) : at;
    }
  }
  if (!open) return;
  flows_.WakeConstraints();
  // Which of what was kept aside may go, only filing it tells.
  for (int i = 0; i < kMostTried; ++i) {
    const Slot slot = kept_back_.Pop(index_);
    if (slot == kNoSlot) return;
    to_file_.PushBack(index_, slot);
  }
  const Instant again = now + kTryAgain;
  trickles_at_ = trickles_at_ ? std::min(*trickles_at_, again) : again;
}

bool Core::IsWrongFamily(const Entry& entry, uint32_t site, uint32_t pool, uint16_t source, Instant now) const {
  const std::string& name = fleet_.sources()[source].name;
  const Site& of = domains_.site(site);
  if (families_.IsForbidden(name, of.provider, of.name, domains_.Name(entry.domain))) return true;
  // Without a member that could, the attempt says what is wrong, as any other failure.
  return families_.Lacks(site, name, now) && HasOtherFamily(pool, name);
}

bool Core::HasOtherFamily(uint32_t pool, const std::string& source) const {
  const bool is_ipv6 = families_.IsIpv6(source);
  for (const Pools::Member& member : pools_.members(pool)) {
    if (member.weight > 0 && families_.IsIpv6(fleet_.sources()[member.source].name) != is_ipv6) return true;
  }
  return false;
}

bool Core::LearnFamily(const AttemptReport& report, const InFlight& flight, Instant now) {
  if (report.stage != "dns" || report.enhanced_status != "4.4.4") return false;
  if (!families_.has_ipv6()) return false;
  families_.FoundNone(flight.site, report.source, now);
  return HasOtherFamily(flight.pool, report.source);
}

void Core::KeepBack(Slot slot) {
  index_[slot].place = Place::kKeptBack;
  kept_back_.PushBack(index_, slot);
  ++kept_back_count_;
}

void Core::LetGo(Instant now) {
  // What was held must not come as one wave.
  fleet_.SlowStart();
  slow_start_ = 0;
  constraint_ends_at_ = suspensions_.NextEnd(now);
  flows_.WakeConstraints();
  to_file_.Append(index_, kept_back_);
}

void Core::Recall(Order::Kind kind, int64_t generation, absl::FunctionRef<bool(const InFlight&)> is_wanted) {
  std::vector<int64_t> unsent;
  absl::flat_hash_map<EgressNumber, std::vector<RecalledEntry>> sent;
  for (const auto& [id, flight] : in_flight_) {
    // One that an inventory named is begun, and known by nothing else.
    if (flight.begun || flight.source == kNoSource || !is_wanted(flight)) continue;
    if (!flight.sent) {
      unsent.push_back(id);
    } else if (fleet_.egress(flight.egress).connected()) {
      sent[flight.egress].push_back({id, flight.attempt_id});
    }
  }
  for (const int64_t id : unsent) Requeue(id, false);
  if (sent.empty()) return;
  Order order{.kind = kind, .number = next_order_++, .generation = generation, .waits_for = {}};
  for (const auto& [number, entries] : sent) {
    // What it was given this turn must be on its way before it is asked back.
    Egress& egress = fleet_.egress(number);
    if (!egress.out.empty()) egress.port->Send(std::exchange(egress.out, {}));
    egress.port->SendRecall(order.number, "", entries);
    order.waits_for.insert(number);
  }
  orders_.push_back(std::move(order));
}

void Core::SendShaping(const std::string& id, uint64_t session, const ShapingOrder& order) {
  const EgressNumber number = fleet_.FindEgress(id);
  if (!IsCurrent({number, session})) return;
  fleet_.egress(number).port->SendShaping(next_order_, order);
  orders_.push_back({.kind = Order::Kind::kPolicy,
                     .number = next_order_++,
                     .generation = policy_revision_,
                     .waits_for = {number}});
}

void Core::OnOrderResult(Session session, int64_t number) {
  if (!IsCurrent(session)) return;
  for (Order& order : orders_) {
    if (order.number == number) order.waits_for.erase(session.egress);
  }
  std::erase_if(orders_, [](const Order& order) { return order.waits_for.empty(); });
}

void Core::ForgetOrders(EgressNumber egress) {
  for (Order& order : orders_) order.waits_for.erase(egress);
  std::erase_if(orders_, [](const Order& order) { return order.waits_for.empty(); });
}

Core::Acted Core::ActsOn() const {
  Acted out{.policy_revision = policy_revision_, .constraint_generation = constraint_generation_, .waits_for = {}};
  absl::flat_hash_set<EgressNumber> silent;
  for (const Order& order : orders_) {
    int64_t& acted = order.kind == Order::Kind::kPolicy ? out.policy_revision : out.constraint_generation;
    acted = std::min(acted, order.generation - 1);
    silent.insert(order.waits_for.begin(), order.waits_for.end());
  }
  for (const EgressNumber number : silent) out.waits_for.push_back(const_cast<Fleet&>(fleet_).egress(number).id);
  std::sort(out.waits_for.begin(), out.waits_for.end());
  return out;
}

}  // namespace sluice::scheduler
