// Reports become settlements; what they mean in memory happens when they are committed, and only then are they acknowledged.
#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "scheduler/core.h"

namespace sluice::scheduler {
namespace {

using Change = storage::Settlement::Change;

constexpr int kDelivered = 1;
constexpr int kDeferred = 2;
constexpr auto kMovesOnAfter = std::chrono::seconds(1);
constexpr auto kSettleRetry = std::chrono::milliseconds(200);
constexpr auto kLongestRest = std::chrono::milliseconds(20);
constexpr auto kInboxEvery = std::chrono::milliseconds(500);
constexpr int kInboxBatch = 1'000;
constexpr size_t kMostEndedUnloaded = 1'000'000;

std::string_view KindOf(int disposition) {
  return disposition == kDelivered ? "delivered" : disposition == kDeferred ? "deferred" : "bounced";
}

// Says nothing of the host: it did not come to it, or it is about what this mail wants.
bool IsOfThePath(const AttemptReport& report) { return report.stage != "local" && report.stage != "starttls"; }

bool FailedToReach(const AttemptReport& report) {
  return report.disposition == kDeferred && (report.stage == "connect" || report.stage == "banner" ||
                                             report.stage == "dns" || report.stage == "ehlo");
}

}  // namespace

storage::Settlement Core::FromReport(const AttemptReport& report, const InFlight* flight, Instant now) const {
  storage::Settlement out;
  out.entry_id = report.entry_id;
  out.attempt_id = report.attempt_id;
  out.kind = KindOf(report.disposition);
  out.occurred_at = now;
  out.attempts = static_cast<int16_t>(report.attempt);
  out.stage = report.stage;
  out.source = report.source;
  out.mx_host = report.mx_host;
  out.mx_address = report.mx_address;
  out.enhanced_status = report.enhanced_status;
  out.reply = report.reply;
  out.reply_class = report.reply_class;
  out.reply_code = static_cast<int16_t>(report.reply_code);
  out.tls = report.tls;
  out.times = report.times;
  out.duration_micros = report.duration_micros;
  out.possible_duplicate = report.possible_duplicate;
  if (flight != nullptr && flight->source != kNoSource) {
    const Site& site = domains_.site(flight->site);
    out.pool = pools_.name(flight->pool);
    out.provider = site.provider;
    out.site = site.name;
  }
  return out;
}

void Core::OnReport(Session session, const AttemptReport& report) {
  Egress& egress = fleet_.egress(session.egress);
  egress.acks.Arrived(report.number);
  if (!Owns(report.entry_id)) {
    egress.out.not_owned.push_back(report.number);
    egress.acks.Done(report.number);
    return;
  }
  const Instant now = clock_.Now();
  const Slot slot = index_.Find(report.entry_id);
  const auto it = in_flight_.find(report.entry_id);
  const bool has_flight = it != in_flight_.end();
  const bool current = has_flight && (it->second.attempt_id == report.attempt_id || it->second.attempt_id == 0);
  // A refusal of the warming address says nothing of the recipient: the overflow tries, too.
  const bool moves_on = current && MovesOn(it->second, report);
  const bool is_final = report.disposition != kDeferred && !moves_on;
  if (!is_final) told_deferrals_.Add(report.entry_id, session.egress, clock_.Steady());

  Unsettled item;
  item.settlement = FromReport(report, current ? &it->second : nullptr, now);
  if (moves_on) item.settlement.kind = KindOf(kDeferred);
  item.settlement.egress = egress.id;
  item.settlement.message_id = report.message_id;
  item.egress = session.egress;
  item.session = session.session;
  item.report_number = report.number;

  const bool ending = slot != kNoSlot && index_[slot].place == Place::kSettling;
  const bool unloaded = slot == kNoSlot && shards_[static_cast<int>(report.entry_id >> 56)].loading;
  if (ending || (slot == kNoSlot && !unloaded) || (!current && !is_final)) {
    // Ended already, or overtaken by another attempt: only the event is written, once per attempt.
    item.settlement.change = Change::kNone;
    item.settlement.kind = report.disposition == kDelivered ? "late_delivery" : "superseded";
    CoreMetrics::Add(report.disposition == kDelivered ? metrics_.late_deliveries : metrics_.superseded);
    PutUnsettled(std::move(item));
    return;
  }
  bool goes_elsewhere = false;
  if (has_flight) {
    const InFlight flight = it->second;
    goes_elsewhere = current && LearnFamily(report, flight, now);
    if (flight.source != kNoSource) {
      if (FailedToReach(report)) {
        fleet_.Failed(flight.source, flight.site, static_cast<uint64_t>(flight.attempt_id), next_attempt_id_, clock_.Steady());
      } else if (IsOfThePath(report)) {
        fleet_.Delivered(flight.source, flight.site);
      }
    }
    if (!current) {
      Egress& other = fleet_.egress(flight.egress);
      if (other.connected()) other.port->SendRecall(0, "", {{.entry_id = report.entry_id}});
    }
    if (current) ConcludeGrant(flight, report);
    item.moves_on = moves_on;
    FinishFlight(report.entry_id, flight);
    in_flight_.erase(report.entry_id);
    if (flight.source != kNoSource) {
      item.tenant = flight.tenant;
      egress.Reported(flight.tenant);
    }
  }
  if (unloaded) {
    if (is_final && ended_unloaded_.size() < kMostEndedUnloaded) ended_unloaded_.insert(report.entry_id);
    // A deferral of an unloaded row: the row itself says when it is due; nothing changes but the event.
    if (!is_final) item.settlement.change = Change::kNone;
    PutUnsettled(std::move(item));
    return;
  }
  const Slot own = TakeOut(slot);
  Entry& entry = index_[own];
  contents_.Drop(entry.id, entry.message_id());
  entry.place = Place::kSettling;
  if (is_final) {
    CoreMetrics::Add(report.disposition == kDelivered ? metrics_.delivered : metrics_.bounced);
  } else {
    CoreMetrics::Add(metrics_.deferred);
    item.settlement.change = Change::kDefer;
    item.settlement.attempts = static_cast<int16_t>(entry.attempts + 1);
    const Duration told = goes_elsewhere || item.moves_on ? Duration(kMovesOnAfter) : report.retry_after;
    item.settlement.due_at = told > Duration::zero() ? std::min<Instant>(now + told, FromTicks(entry.expires))
                                                     : RetryAt(entry, item.settlement, now);
  }
  PutUnsettled(std::move(item));
}

void Core::PutUnsettled(Unsettled item) {
  if (unsettled_.empty() && settling_.empty()) oldest_unsettled_ = clock_.Steady();
  unsettled_.push_back(std::move(item));
}

void Core::StartSettling(SteadyInstant steady) {
  if (settle_under_way_ || unsettled_.empty() || steady < settle_not_before_) return;
  const size_t most = IsBesideHigh(steady) ? options_.settle_batch_beside_high : options_.settle_batch;
  const size_t count = std::min(unsettled_.size(), most);
  const auto end = unsettled_.begin() + static_cast<std::ptrdiff_t>(count);
  settling_.assign(std::make_move_iterator(unsettled_.begin()), std::make_move_iterator(end));
  unsettled_.erase(unsettled_.begin(), end);
  std::vector<storage::Settlement> settlements;
  settlements.reserve(count);
  std::map<int, storage::ShardEpoch> shards;
  for (const Unsettled& item : settling_) {
    const int shard = static_cast<int>(item.settlement.entry_id >> 56);
    if (const auto it = shards_.find(shard); it != shards_.end()) {
      shards[shard] = {shard, it->second.epoch, it->second.last_seq};
    }
    settlements.push_back(item.settlement);
  }
  std::vector<storage::ShardEpoch> epochs;
  for (const auto& [shard, epoch] : shards) epochs.push_back(epoch);
  settle_under_way_ = true;
  settle_began_ = clock_.Steady();
  CoreMetrics::Add(metrics_.settle_transactions);
  ports_.Settle(std::move(epochs), std::move(settlements));
}

// Where settling is what bounds the rate, the processors are all taken; high-priority mail finds them free in between.
void Core::RestBesideHigh(SteadyInstant steady) {
  if (!IsBesideHigh(steady)) return;
  const auto rest = std::chrono::duration_cast<Duration>((steady - settle_began_) * options_.settle_rest_beside_high);
  settle_not_before_ = steady + std::min<Duration>(rest, kLongestRest);
}

// Unless settling falls behind: then releases would stop for all.
bool Core::IsBesideHigh(SteadyInstant steady) const {
  return steady < high_came_until_ && !handing_over_ && unsettled_.size() < options_.settle_backlog / 4;
}

absl::flat_hash_set<int> Core::KeepNumbers(const storage::SettleResult& result) {
  absl::flat_hash_set<int> lost;
  for (const storage::SettleResult::Shard& shard : result.shards) {
    const auto it = shards_.find(shard.shard);
    if (!shard.held) {
      lost.insert(shard.shard);
    } else if (it != shards_.end()) {
      it->second.last_seq = shard.last_seq;
    }
  }
  return lost;
}

std::vector<storage::ShardEpoch> Core::Epochs() const {
  std::vector<storage::ShardEpoch> epochs;
  for (const auto& [shard, state] : shards_) epochs.push_back({shard, state.epoch, state.last_seq});
  return epochs;
}

void Core::TakeInbox(SteadyInstant steady) {
  if (settle_under_way_ || shards_.empty() || steady < inbox_at_ || steady >= lease_until_) return;
  inbox_at_ = steady + kInboxEvery;
  settle_under_way_ = true;
  ports_.TakeInbox(Epochs(), kInboxBatch, clock_.Now());
}

void Core::OnInboxTaken(const storage::SettleResult& result) {
  settle_under_way_ = false;
  const absl::flat_hash_set<int> lost = KeepNumbers(result);
  if (!lost.empty()) OnShardsLost({lost.begin(), lost.end()});
}

void Core::OnInboxFailed() { settle_under_way_ = false; }

void Core::OnSettled(const storage::SettleResult& result) {
  settle_under_way_ = false;
  RestBesideHigh(clock_.Steady());
  std::vector<Unsettled> done = std::exchange(settling_, {});
  const absl::flat_hash_set<int> lost = KeepNumbers(result);
  for (Unsettled& item : done) {
    const int shard = static_cast<int>(item.settlement.entry_id >> 56);
    if (lost.contains(shard) || !shards_.contains(shard)) {
      // Not written: the next owner will hear of it.
      EndSwept(item, false);
      EndReport(item, false);
      continue;
    }
    Settled(item);
    EndSwept(item, true);
    EndReport(item, true);
  }
  if (!lost.empty()) OnShardsLost({lost.begin(), lost.end()});
  for (const int64_t id : result.missing) {
    log_.Warn("row_missing", {{"queue_entry", id}});
  }
  oldest_unsettled_ = clock_.Steady();
}

void Core::EndReport(const Unsettled& item, bool is_owned) {
  if (item.report_number == 0 || !IsCurrent({item.egress, item.session})) return;
  Egress& egress = fleet_.egress(item.egress);
  if (!is_owned) egress.out.not_owned.push_back(item.report_number);
  egress.acks.Done(item.report_number);
  if (item.tenant) egress.Settled(*item.tenant);
}

void Core::Settled(const Unsettled& item) {
  if (item.is_note) return;
  const storage::Settlement& settlement = item.settlement;
  const Slot slot = index_.Find(settlement.entry_id);
  if (slot == kNoSlot || index_[slot].place != Place::kSettling) return;
  Entry& entry = index_[slot];
  switch (settlement.change) {
    case Change::kNone:
      return;
    case Change::kEnd:
      pending_.Add(entry.id, facts_[entry.facts].tenant, -1);
      index_.End(slot);
      return;
    case Change::kMove: {
      Facts facts = facts_[entry.facts];
      facts.pool = names_.Number(settlement.pool);
      entry.facts = facts_.Number(facts) & (FactsTable::kMost - 1);
      if (const Instant now = clock_.Now(); entry.due <= ToTicks(now)) {
        Place_(slot, now);
      } else {
        calendar_.Add(index_, slot);
      }
      return;
    }
    case Change::kHold:
      if (settlement.held.empty()) {
        entry.crashes = 0;
        Place_(slot, clock_.Now());
        return;
      }
      entry.place = Place::kHeld;
      ++held_count_;
      CoreMetrics::Add(metrics_.held);
      return;
    case Change::kDefer:
      entry.attempts = static_cast<uint32_t>(std::min<int>(settlement.attempts, Entry::kMostAttempts)) & Entry::kMostAttempts;
      entry.crashes = 0;
      entry.due = ToTicks(*settlement.due_at);
      if (!settlement.source.empty()) entry.last_source = item.moves_on ? kMovesOn : fleet_.SourceOf(settlement.source);
      calendar_.Add(index_, slot);
      return;
  }
}

void Core::OnSettleFailed() {
  settle_under_way_ = false;
  CoreMetrics::Add(metrics_.settle_failures);
  unsettled_.insert(unsettled_.begin(), std::make_move_iterator(settling_.begin()),
                    std::make_move_iterator(settling_.end()));
  settling_.clear();
  settle_not_before_ = clock_.Steady() + kSettleRetry;
}

}  // namespace sluice::scheduler
