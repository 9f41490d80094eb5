// Egresses come, go, fall silent, say what they hold and give back what they have not begun.
#include <random>

#include "base/check.h"
#include "base/text.h"
#include "scheduler/core.h"

namespace sluice::scheduler {
namespace {

constexpr auto kCrashBackoff = std::chrono::seconds(2);
// A first wait, and the longest: mail leaves this soon after its key has come.
constexpr auto kKeyPause = std::chrono::seconds(2);
constexpr auto kMostKeyPause = std::chrono::minutes(5);
constexpr size_t kMostInventory = 1'000'000;

}  // namespace

bool Core::IsCurrent(Session session) const {
  if (session.egress == kNoEgress) return false;
  const Egress& egress = const_cast<Fleet&>(fleet_).egress(session.egress);
  return egress.connected() && egress.session == session.session;
}

Core::Session Core::OnEgressConnected(const EgressHello& hello, std::shared_ptr<EgressPort> port) {
  const EgressNumber number = fleet_.EgressOf(hello.egress_id);
  Egress& egress = fleet_.egress(number);
  if (egress.connected()) OnEgressGone({number, egress.session});
  const bool restarted = egress.incarnation != 0 && egress.incarnation != hello.incarnation;
  egress.incarnation = hello.incarnation;
  egress.version = hello.version;
  egress.port = std::move(port);
  ++egress.session;
  egress.bind_addresses = hello.bind_addresses;
  egress.credit_entries = hello.credit_entries;
  egress.credit_bytes = hello.credit_bytes;
  egress.last_heard = clock_.Steady();
  egress.draining = false;
  egress.reconciled = false;
  egress.inventory_complete = false;
  egress.inventory.clear();
  egress.acks = ReportAcks();
  egress.ForgetReported();
  egress.out = DeliverBatch();
  fleet_.ForgetRooms(number);
  // The same name with a new incarnation: the old process is gone (one process a name), and with it what it held.
  if (restarted) RequeueAllOf(number, nullptr, true);
  egress.contents.clear();
  egress.in_flight_bytes = 0;
  log_.Info("egress_connected", {{"egress", hello.egress_id}, {"version", hello.version},
                                 {"restarted", restarted ? "true" : "false"}});
  egress.port->SendShards(ClaimedShards());
  return {number, egress.session};
}

void Core::OnEgressGone(Session session) {
  if (!IsCurrent(session)) return;
  Egress& egress = fleet_.egress(session.egress);
  egress.port->Close();
  egress.port = nullptr;
  egress.reconciled = false;
  egress.inventory_complete = false;
  egress.lost_at = clock_.Steady();
  egress.out = DeliverBatch();
  log_.Warn("egress_lost", {{"egress", egress.id}, {"in_flight", egress.in_flight}});
  // What was chosen for it and never sent goes elsewhere at once.
  std::vector<int64_t> unsent;
  for (const auto& [id, flight] : in_flight_) {
    if (flight.egress == session.egress && !flight.sent && flight.attempt_id != 0) unsent.push_back(id);
  }
  for (const int64_t id : unsent) Requeue(id, false);
}

void Core::OnInventory(Session session, const std::vector<int64_t>& ids, bool complete) {
  if (!IsCurrent(session)) return;
  Egress& egress = fleet_.egress(session.egress);
  if (egress.inventory.size() + ids.size() > kMostInventory) {
    log_.Error("inventory_too_large", {{"egress", egress.id}});
    OnEgressGone(session);
    return;
  }
  egress.inventory.insert(egress.inventory.end(), ids.begin(), ids.end());
  if (!complete) return;
  const absl::flat_hash_set<int64_t> held(egress.inventory.begin(), egress.inventory.end());
  egress.inventory.clear();
  // Everything that it was given on an earlier stream and does not hold any more is free again.
  if (!egress.reconciled) RequeueAllOf(session.egress, &held, false);
  for (const int64_t id : held) {
    if (Owns(id)) Claim(session.egress, id);
  }
  // It gave up what it had not begun when it lost its stream.
  if (!egress.reconciled) ForgetOrders(session.egress);
  egress.reconciled = egress.inventory_complete = true;
  flows_.WakePools();
}

void Core::Claim(EgressNumber egress, int64_t id) {
  if (const auto it = in_flight_.find(id); it != in_flight_.end()) {
    it->second.begun = true;
    return;
  }
  if (ended_unloaded_.contains(id) || told_deferrals_.Has(id, egress, clock_.Steady())) return;
  const auto shard = shards_.find(static_cast<int>(id >> 56));
  Slot slot = index_.Find(id);
  if (slot == kNoSlot && !shard->second.loading) return;  // Ended: its report is a repetition.
  if (slot != kNoSlot) {
    if (index_[slot].place == Place::kSettling) return;
    slot = TakeOut(slot);
    contents_.Drop(id, index_[slot].message_id());
    index_[slot].place = Place::kInFlight;
  }
  InFlight& flight = in_flight_[id];
  flight.slot = slot;
  flight.egress = egress;
  flight.message_id = slot == kNoSlot ? 0 : index_[slot].message_id();
  flight.sent = flight.begun = true;
  ++fleet_.egress(egress).in_flight;
}

void Core::OnHeartbeat(Session session, int64_t sent_at_micros) {
  if (!IsCurrent(session)) return;
  Egress& egress = fleet_.egress(session.egress);
  const SteadyInstant steady = clock_.Steady();
  egress.last_heard = steady;
  Duration valid{0};
  if (!shards_.empty() && lease_until_ > steady) {
    valid = std::min<Duration>(options_.egress_lease, lease_until_ - steady);
  }
  egress.port->SendHeartbeat(sent_at_micros, valid);
}

std::vector<Core::ConnectedEgress> Core::ConnectedEgresses() const {
  std::vector<ConnectedEgress> out;
  for (const Egress& egress : const_cast<Fleet&>(fleet_).egresses()) {
    if (egress.connected() && !egress.draining) out.push_back({egress.id, egress.session, egress.bind_addresses});
  }
  return out;
}

void Core::SendAssignment(const std::string& id, uint64_t session, const std::vector<AssignedSource>& sources) {
  const EgressNumber number = fleet_.FindEgress(id);
  if (IsCurrent({number, session})) fleet_.egress(number).port->SendAssignment(sources);
}

void Core::SendSigningKeys(const std::string& id, uint64_t session, const std::vector<SigningKey>& keys) {
  const EgressNumber number = fleet_.FindEgress(id);
  if (IsCurrent({number, session})) fleet_.egress(number).port->SendSigningKeys(keys);
}

void Core::OnDrain(Session session) {
  if (IsCurrent(session)) fleet_.egress(session.egress).draining = true;
}

void Core::OnRooms(Session session, const std::vector<RoomAt>& rooms) {
  if (!IsCurrent(session)) return;
  for (const RoomAt& room : rooms) {
    const uint16_t source = fleet_.SourceOf(room.source);
    if (fleet_.source(source).egress != session.egress) continue;
    const uint64_t group = LimitGroupOf(room.provider, room.site);
    fleet_.SetRoom(source, group, room.most);
    flows_.WakeLimit(group, room.most.value_or(INT64_MAX));
  }
}

void Core::CheckSilence(SteadyInstant steady) {
  for (EgressNumber number = 0; number < fleet_.egresses().size(); ++number) {
    Egress& egress = fleet_.egress(number);
    if (egress.connected() && steady - egress.last_heard > options_.dispatch_lease) {
      log_.Warn("egress_silent", {{"egress", egress.id}});
      OnEgressGone({number, egress.session});
      // It may begin nothing for half of the time that we have waited already.
      egress.lost_at = egress.last_heard;
    }
    if (!egress.connected() && steady - egress.lost_at > options_.dispatch_lease) ForgetOrders(number);
    if (!egress.connected() && egress.in_flight > 0 && steady - egress.lost_at > options_.dispatch_lease) {
      RequeueAllOf(number, nullptr, true);
    }
  }
}

void Core::RequeueAllOf(EgressNumber number, const absl::flat_hash_set<int64_t>* keep, bool crashed) {
  std::vector<int64_t> ids;
  for (const auto& [id, flight] : in_flight_) {
    if (flight.egress == number && flight.sent && (keep == nullptr || !keep->contains(id))) ids.push_back(id);
  }
  // With a suspect on board nobody else is blamed.
  const int64_t suspect = fleet_.egress(number).suspect;
  for (const int64_t id : ids) {
    const bool blamed = crashed && in_flight_[id].begun && (suspect == 0 || suspect == id);
    Requeue(id, blamed);
  }
  if (!ids.empty()) {
    CoreMetrics::Add(metrics_.requeued_lost, static_cast<int64_t>(ids.size()));
    log_.Info("requeued", {{"egress", fleet_.egress(number).id}, {"entries", ids.size()},
                           {"crashed", crashed ? "true" : "false"}});
  }
}

void Core::FinishFlight(int64_t id, const InFlight& flight) {
  Egress& egress = fleet_.egress(flight.egress);
  EndShared(id, flight.sent);
  --egress.in_flight;
  if (egress.suspect == id) egress.suspect = 0;
  if (flight.source == kNoSource) return;  // From an inventory: nothing of it is kept here.
  if (flight.sent) {
    if (const auto it = egress.contents.find(flight.message_id); it != egress.contents.end()) {
      if (--it->second.entries == 0) {
        egress.in_flight_bytes -= it->second.bytes;
        egress.contents.erase(it);
      }
    }
  }
  contents_.Detach(flight.message_id);
  if (flight.probe) --egress.probes;
  if (const auto it = egress.by_tenant.find(flight.tenant); --it->second == 0) egress.by_tenant.erase(it);
  domains_.EndFlight(flight.site);
  Path& path = fleet_.path(flight.source, flight.site);
  if (path.in_flight > 0) --path.in_flight;
  fleet_.Settle(flight.source, flight.site);
  wake_sites_.push_back(flight.site);
  fleet_.LeaveRoom(flight.source, flight.limit_group);
  wake_limits_.push_back(flight.limit_group);
}

void Core::Requeue(int64_t id, bool crashed, bool first) {
  const auto it = in_flight_.find(id);
  if (it == in_flight_.end()) return;
  if (!it->second.sent) ReturnGrant(it->second);
  const InFlight flight = it->second;
  FinishFlight(id, flight);
  in_flight_.erase(it);
  if (flight.slot == kNoSlot) return;  // Its row is still being loaded; it will find no claim.
  const Instant now = clock_.Now();
  Entry& entry = index_[flight.slot];
  if (!crashed) {
    Place_(flight.slot, now, first);
    return;
  }
  if (entry.crashes < kMostCrashes) ++entry.crashes;
  if (entry.crashes >= kMostCrashes) {
    storage::Settlement settlement;
    settlement.entry_id = id;
    settlement.message_id = entry.message_id();
    settlement.change = storage::Settlement::Change::kHold;
    settlement.kind = "held";
    settlement.occurred_at = now;
    settlement.crashes = static_cast<int16_t>(entry.crashes);
    settlement.held = "poison";
    settlement.detail = Cat("an egress ended ", static_cast<int>(entry.crashes), " times while it sent this entry");
    entry.place = Place::kSettling;
    log_.Error("poison_mail", {{"queue_entry", id}, {"crashes", static_cast<int>(entry.crashes)}});
    PutUnsettled({.settlement = std::move(settlement)});
    return;
  }
  const Duration backoff = std::chrono::duration_cast<Duration>(kCrashBackoff * static_cast<int>(entry.crashes) * (0.5 + random_()));
  entry.due = ToTicks(now + backoff);
  calendar_.Add(index_, flight.slot);
  NoteCrash(entry, now);
}

// The count outlives this scheduler. The entry stays where it is meanwhile: an egress that was only silent may still claim it.
void Core::NoteCrash(const Entry& entry, Instant now) {
  storage::Settlement settlement;
  settlement.entry_id = entry.id;
  settlement.message_id = entry.message_id();
  settlement.change = storage::Settlement::Change::kDefer;
  settlement.occurred_at = now;
  settlement.attempts = static_cast<int16_t>(entry.attempts);
  settlement.crashes = static_cast<int16_t>(entry.crashes);
  settlement.due_at = FromTicks(entry.due);
  PutUnsettled({.settlement = std::move(settlement), .is_note = true});
}

void Core::OnDeliver(Session session, DeliverInput input) {
  if (!IsCurrent(session)) return;
  Egress& egress = fleet_.egress(session.egress);
  egress.last_heard = clock_.Steady();
  if (!input.inventory.empty() || input.inventory_complete) {
    OnInventory(session, input.inventory, input.inventory_complete);
    if (!IsCurrent(session)) return;
  }
  for (const int64_t id : input.begun) {
    const auto it = in_flight_.find(id);
    if (it == in_flight_.end() || it->second.egress != session.egress) continue;
    it->second.begun = true;
    shared_.Begun(id, egress.last_heard);
  }
  for (const AttemptReport& report : input.reports) OnReport(session, report);
  for (const ReturnedEntry& returned : input.returns) OnReturned(session.egress, returned);
  for (const int64_t message_id : input.content_needed) {
    if (auto content = contents_.Find(message_id); content != nullptr) {
      egress.out.contents.push_back(std::move(content));
    }
  }
}

void Core::OnReturned(EgressNumber number, const ReturnedEntry& returned) {
  const auto it = in_flight_.find(returned.entry_id);
  if (it == in_flight_.end() || it->second.egress != number || it->second.attempt_id != returned.attempt_id) {
    return;
  }
  CoreMetrics::Add(metrics_.returned);
  shared_.CameBack(returned.entry_id);
  ReturnGrant(it->second);
  if (returned.reason == "source_lost" && it->second.source != kNoSource) {
    // Not used again until control has seen it bound.
    fleet_.source(it->second.source).bound = false;
  }
  if (returned.reason == "key") {
    WaitForKey(returned);
  } else {
    Requeue(returned.entry_id, false);
  }
}

// It waits, longer each time, and says so once: a person has to bring the key, and when it is there the mail leaves by itself.
void Core::WaitForKey(const ReturnedEntry& returned) {
  const auto it = in_flight_.find(returned.entry_id);
  const InFlight flight = it->second;
  FinishFlight(returned.entry_id, flight);
  in_flight_.erase(it);
  if (flight.slot == kNoSlot) return;  // Its row is still being loaded.
  const Instant now = clock_.Now();
  Entry& entry = index_[flight.slot];
  const Duration longest = std::min<Duration>(kKeyPause * (int64_t{1} << std::min<int>(entry.key_waits, 8)), kMostKeyPause);
  entry.due = ToTicks(now + std::chrono::duration_cast<Duration>(longest * (0.5 + random_() / 2)));
  calendar_.Add(index_, flight.slot);
  if (entry.key_waits < Entry::kMostKeyWaits) ++entry.key_waits;
  if (entry.key_waits > 1) return;
  storage::Settlement settlement;
  settlement.entry_id = entry.id;
  settlement.message_id = entry.message_id();
  settlement.change = storage::Settlement::Change::kDefer;
  settlement.kind = "held";
  settlement.occurred_at = now;
  settlement.attempts = static_cast<int16_t>(entry.attempts);
  settlement.crashes = entry.crashes;
  settlement.due_at = FromTicks(entry.due);
  settlement.detail = returned.detail;
  PutUnsettled({.settlement = std::move(settlement), .is_note = true});
}

}  // namespace sluice::scheduler
