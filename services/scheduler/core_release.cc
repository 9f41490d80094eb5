// Who leaves next, by which source; contents are fetched for what was chosen.
#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "scheduler/core.h"

namespace sluice::scheduler {
namespace {

constexpr int kMostPerTurn = 2'000;   // Then inputs are looked at again.
constexpr int kSlowStartFirst = 64;
constexpr auto kSuspectWait = std::chrono::seconds(1);  // Until an egress has dealt with the suspect before.

}  // namespace

bool Core::Release(Instant now) {
  slow_start_ = std::min(kMostPerTurn, std::max(kSlowStartFirst, slow_start_ * 2));
  WakeWhatMayGo(clock_.Steady());
  for (int left = slow_start_; left > 0;) {
    // Order is kept for when there is credit again.
    if (fleet_.FreeCredit() <= 0) return false;
    const Flows::Turn turn = flows_.Next();
    if (turn.flow == kNoFlow) return false;
    left -= std::max(1, Serve(turn, now, std::min(left, turn.most)));
  }
  return true;
}

void Core::WakeWhatMayGo(SteadyInstant steady) {
  flows_.WakeCredit(fleet_.FreeCredit());
  flows_.WakeProbes(fleet_.FreeProbes());
  flows_.WakeTenants([&](uint32_t tenant) { return rates_.May(tenant, steady) && fleet_.AnyCreditFor(tenant); });
  for (const uint32_t site : std::exchange(wake_sites_, {})) flows_.WakeSite(site);
  for (const uint32_t site : fleet_.TakeRested(steady)) flows_.WakeSite(site);
  for (const uint64_t group : std::exchange(wake_limits_, {})) flows_.WakeLimit(group, 1);
  flows_.WakeSomeLimits();
  WakeShared(steady);
}

int Core::Serve(const Flows::Turn& turn, Instant now, int most) {
  const FlowKey key = flows_.Key(turn.flow);
  const bool stale = flows_.IsStale(turn.flow);
  const SteadyInstant steady = clock_.Steady();
  SharedGate gate;
  if (!stale) FindShared(key, most, gate);
  const int allowed = stale ? 0 : rates_.Take(key.tenant, gate.most, steady);
  // Which of the two lets no more go.
  const Parked over = allowed < gate.most ? Parked::kRate : Parked::kShared;
  const uint32_t ticks = ToTicks(now);
  int served = 0, begun = 0;
  bool is_heavy = false;
  const Site& site = domains_.site(key.site);
  const Target target{.provider = site.provider_number, .site = key.site, .tenant = key.tenant, .provider_name = site.provider, .limit_group = site.limit_group};
  Parked parked = !stale && HoldsFlow(key, now) ? Parked::kConstraint : Parked::kNot;
  while (parked == Parked::kNot && served < most) {
    const Slot slot = flows_.Ready(turn.flow).Pop(index_);
    if (slot == kNoSlot) break;
    Entry& entry = index_[slot];
    if (stale || entry.expires <= ticks || !domains_.IsFresh(entry.domain, now)) {
      Place_(slot, now);  // Is filed by the policy in force, expires, or asks DNS again.
      ++served;
      continue;
    }
    if (HoldsEntry(entry, key, now)) {
      KeepBack(slot);
      ++served;
      continue;
    }
    if (begun < allowed && SharedHoldsBytes(slot, gate)) {
      flows_.Ready(turn.flow).PushFront(index_, slot);
      parked = Parked::kShared;
      is_heavy = begun == 0;
      break;
    }
    if (begun < allowed && SharedHoldsEntry(slot, key, gate)) {
      ++served;
      continue;
    }
    const auto is_held = [&](uint32_t pool, uint16_t source) { return HoldsSource(entry, key, pool, source, now); };
    Choice choice = begun < allowed ? Choose(key, target, entry.last_source, now, is_held) : Choice{.parked = over};
    if (choice.source != kNoSource && SharedHoldsOverflow(slot, key, choice.pool, gate)) choice = {.parked = Parked::kShared};
    if (choice.parked == Parked::kConstraint && (suspensions_.sources_see_entries() || families_.sees_domains())) {
      KeepBack(slot);  // Others of the flow may leave.
      ++served;
      continue;
    }
    if (choice.source == kNoSource) {
      flows_.Ready(turn.flow).PushFront(index_, slot);
      parked = choice.parked;
      break;
    }
    ++served;
    if (entry.crashes >= kSuspectCrashes && fleet_.egress(fleet_.source(choice.source).egress).suspect != 0) {
      entry.due = ToTicks(now + kSuspectWait);
      calendar_.Add(index_, slot);
      continue;
    }
    // Before it may come back at once.
    if (!shared_.empty()) HandOutShared(entry.id, gate);
    Begin(slot, choice, key);
    ++begun;
    if (!trickle_at_.empty() && HoldsFlow(key, now)) {
      parked = Parked::kConstraint;
      break;
    }
  }
  rates_.Return(key.tenant, allowed - begun, steady);
  if (parked == Parked::kShared && !flows_.Ready(turn.flow).empty()) shared_.Awaits(gate.blocking, gate.bytes, steady);
  flows_.Served(served, parked, parked == Parked::kShared ? gate.blocking : target.limit_group, target.provider, is_heavy);
  return served;
}

void Core::Begin(Slot slot, const Choice& choice, const FlowKey& key) {
  const uint16_t source = choice.source;
  Entry& entry = index_[slot];
  entry.place = Place::kInFlight;
  Egress& egress = fleet_.egress(fleet_.source(source).egress);
  ++egress.in_flight;
  if (entry.crashes >= kSuspectCrashes) egress.suspect = entry.id;
  ++egress.by_tenant[key.tenant];
  Path& path = fleet_.path(source, key.site);
  ++path.in_flight;
  domains_.AddFlight(key.site);
  const uint64_t limit_group = domains_.site(key.site).limit_group;
  fleet_.EnterRoom(source, limit_group);
  if (!path.proven) ++egress.probes;
  InFlight& flight = in_flight_[entry.id];
  flight = {.slot = slot,
            .egress = fleet_.source(source).egress,
            .source = source,
            .site = key.site,
            .provider = domains_.site(key.site).provider_number,
            .tenant = key.tenant,
            .pool = choice.pool,
            .limit_group = limit_group,
            .attempt_id = static_cast<int64_t>(next_attempt_id_++),
            .message_id = entry.message_id(),
            .grant = allowances_.Take(source, domains_.site(key.site).provider_number, clock_.Now()),
            .probe = !path.proven};
  if (flight.grant.day != 0 && metrics_.warmup_wait != nullptr) {
    metrics_.warmup_wait->Observe(std::max(Duration::zero(), clock_.Now() - FromTicks(entry.due)));
  }
  flight.trickled = UseTrickles(entry, key, choice, clock_.Now());
  CoreMetrics::Add(metrics_.released);
  EntryPayload payload;
  const bool has_payload = contents_.Take(entry.id, payload);
  if (!has_payload) contents_.Attach(flight.message_id, nullptr);
  const bool has_content = contents_.Find(flight.message_id) != nullptr;
  if (has_payload && has_content) {
    Send(entry.id, flight, std::move(payload));
    return;
  }
  to_fetch_.push_back({.entry_id = entry.id,
                       .message_id = flight.message_id,
                       .attempt_id = flight.attempt_id,
                       .part = parts_[entry.part],
                       .need_content = !has_content});
}

void Core::OnFetched(std::vector<Fetched> fetched) {
  CoreMetrics::Add(metrics_.fetched, static_cast<int64_t>(fetched.size()));
  const Instant now = clock_.Now();
  for (Fetched& row : fetched) {
    const auto it = in_flight_.find(row.request.entry_id);
    if (it == in_flight_.end() || it->second.attempt_id != row.request.attempt_id || it->second.sent) {
      continue;
    }
    if (row.content != nullptr && contents_.Find(row.request.message_id) == nullptr) {
      contents_.Attach(row.request.message_id, row.content);
      contents_.Detach(row.request.message_id);
    }
    if (row.entry_found && contents_.Find(row.request.message_id) != nullptr) {
      Send(row.request.entry_id, it->second, std::move(row.payload));
      continue;
    }
    ReturnGrant(it->second);
    const InFlight flight = it->second;
    FinishFlight(row.request.entry_id, flight);
    in_flight_.erase(row.request.entry_id);
    index_[flight.slot].place = Place::kSettling;
    storage::Settlement settlement;
    settlement.entry_id = row.request.entry_id;
    settlement.message_id = row.request.message_id;
    settlement.occurred_at = now;
    settlement.change = storage::Settlement::Change::kHold;
    settlement.kind = "held";
    settlement.held = row.entry_found ? "content_missing" : "row_missing";
    settlement.detail = settlement.held;
    log_.Error("content_missing", {{"queue_entry", row.request.entry_id},
                                   {"content_partition", row.request.part},
                                   {"entry_found", row.entry_found ? "true" : "false"}});
    PutUnsettled({.settlement = std::move(settlement)});
  }
}

void Core::OnFetchFailed(const std::vector<FetchRequest>& requests) {
  for (const FetchRequest& request : requests) {
    const auto it = in_flight_.find(request.entry_id);
    if (it == in_flight_.end() || it->second.attempt_id != request.attempt_id || it->second.sent) continue;
    Requeue(request.entry_id, false);
  }
}

void Core::Send(int64_t id, InFlight& flight, EntryPayload payload) {
  const Entry& entry = index_[flight.slot];
  const Facts& facts = facts_[entry.facts];
  const Site& site = domains_.site(flight.site);
  Egress& egress = fleet_.egress(flight.egress);
  if (ports_.IsSuppressed(names_.Name(facts.tenant), payload.recipient)) {
    EndSuppressed(id);
    return;
  }
  if (!egress.connected()) {
    Requeue(id, false);
    return;
  }
  const auto content = contents_.Find(flight.message_id);
  if (!WeighShared(id, flight, content, payload)) return;
  Egress::SentContent& sent = egress.contents[flight.message_id];
  if (sent.entries++ == 0) {
    sent.bytes = static_cast<int64_t>(content->bytes());
    egress.in_flight_bytes += sent.bytes;
    egress.out.contents.push_back(content);
  }
  flight.sent = true;
  egress.out.releases.push_back({.entry_id = id,
                                 .message_id = flight.message_id,
                                 .attempt_id = flight.attempt_id,
                                 .attempt = static_cast<int>(entry.attempts) + 1,
                                 .payload = std::move(payload),
                                 .source = fleet_.source(flight.source).name,
                                 .provider = site.provider,
                                 .site = site.name,
                                 .tenant = names_.Name(facts.tenant),
                                 .stream = names_.Name(facts.stream),
                                 .campaign = texts_.Name(facts.campaign),
                                 .pool = pools_.name(flight.pool),
                                 .mx_hosts = site.hosts,
                                 .smart_host = site.smart_host,
                                 .priority = static_cast<int>(entry.priority),
                                 .not_after = flight.grant.day == 0
                                                  ? FromTicks(entry.expires)
                                                  : std::min(FromTicks(entry.expires), flight.grant.not_after),
                                 .one_rcpt = flight.grant.day != 0});
}

void Core::EndSuppressed(int64_t id) {
  const auto it = in_flight_.find(id);
  const InFlight flight = it->second;
  FinishFlight(id, flight);
  in_flight_.erase(it);
  Entry& entry = index_[flight.slot];
  entry.place = Place::kSettling;
  storage::Settlement settlement;
  settlement.entry_id = id;
  settlement.message_id = flight.message_id;
  settlement.occurred_at = clock_.Now();
  settlement.attempts = static_cast<int16_t>(entry.attempts);
  settlement.kind = "suppressed";
  settlement.detail = "suppressed after it was accepted";
  CoreMetrics::Add(metrics_.suppressed);
  PutUnsettled({.settlement = std::move(settlement)});
}

Instant Core::RetryAt(const Entry& entry, const storage::Settlement& deferral, Instant now) {
  static const RetrySchedule kBuiltIn;
  const ReplyClass known = ParseReplyClass(deferral.reply_class).value_or(ReplyClass::kRemoteSys);
  const RetryFacts facts{.stream = names_.Name(facts_[entry.facts].stream),
                         .source = deferral.source,
                         .provider = deferral.provider,
                         .site = deferral.site,
                         .domain = domains_.Name(entry.domain)};
  const RetrySchedule& schedule = retry_schedules_.has_value() ? retry_schedules_->For(facts, known) : kBuiltIn;
  const Instant expires_at = FromTicks(entry.expires);
  const Instant due = NextDue(schedule, deferral.attempts, now, random_(), expires_at);
  if (known != ReplyClass::kGreylist) return due;
  // Earlier would only begin its count anew.
  const std::optional<Duration> told = ToldWait(deferral.reply);
  return told.has_value() ? std::min(std::max(due, now + *told), expires_at) : due;
}

void Core::Defer(Slot slot, const storage::Settlement& evidence, Instant now) {
  Entry& entry = index_[slot];
  storage::Settlement settlement = evidence;
  settlement.entry_id = entry.id;
  settlement.message_id = entry.message_id();
  settlement.occurred_at = now;
  settlement.attempts = static_cast<int16_t>(entry.attempts + 1);
  if (settlement.kind.empty()) {
    settlement.kind = "deferred";
    settlement.change = storage::Settlement::Change::kDefer;
    settlement.due_at = RetryAt(entry, settlement, now);
    CoreMetrics::Add(metrics_.deferred);
  } else {
    CoreMetrics::Add(metrics_.bounced);
  }
  entry.place = Place::kSettling;
  contents_.Drop(entry.id, entry.message_id());
  PutUnsettled({.settlement = std::move(settlement)});
}

}  // namespace sluice::scheduler
