// What comes into the index: hand-off, tail and load, and where an entry goes from there.
#include <random>

#include "base/check.h"
#include "base/text.h"
#include "scheduler/core.h"

namespace sluice::scheduler {
namespace {

constexpr size_t kMostUnknownWriters = 1'000;
constexpr int kRefiledPerTurn = 4'000;
constexpr int kMostLookups = 1'000;       // Under way: fewer than the resolver takes.
constexpr uint32_t kMostFlows = 8'000;    // Of a tenant: beyond it, its mail to further domains waits until some are done.
constexpr auto kHighLasts = std::chrono::seconds(1);
constexpr auto kBatchesKept = std::chrono::hours(1);
constexpr auto kWriterForgottenAfter = std::chrono::hours(3);

// As much of it as the entry has bits for.
template <int kBits>
uint32_t Bits(int64_t value) {
  constexpr int64_t kMost = (int64_t{1} << kBits) - 1;
  return static_cast<uint32_t>(std::clamp<int64_t>(value, 0, kMost)) & kMost;
}

}  // namespace

uint32_t Core::FactsOf(std::string_view tenant, std::string_view stream, std::string_view campaign,
                       std::string_view sender_domain, std::string_view tags, std::string_view pool) {
  return facts_.Number({.tenant = names_.Number(tenant),
                        .stream = names_.Number(stream),
                        .pool = names_.Number(pool),
                        .campaign = texts_.Number(campaign),
                        .sender_domain = texts_.Number(sender_domain),
                        .tags = texts_.Number(tags)});
}

Core::HandoffAnswer Core::OnHandoff(std::vector<HandedBatch> batches) {
  HandoffAnswer answer;
  for (HandedBatch& batch : batches) {
    const auto shard = shards_.find(batch.shard);
    if (shard == shards_.end() || handing_over_) {
      answer.not_owned.push_back(batch.shard);
      continue;
    }
    // While the shard loads, its watermarks are not known yet: the load or the tail will bring the batch.
    if (shard->second.loading) continue;
    if (!watermarks_.IsKnown(batch.writer)) {
      if (unknown_writers_.size() < kMostUnknownWriters) unknown_writers_.push_back(batch.writer);
      tail_wanted_ = true;
      continue;
    }
    if (!watermarks_.Take(batch.shard, batch.writer, batch.seq)) {
      CoreMetrics::Add(metrics_.repeated_batches);
      continue;
    }
    CoreMetrics::Add(metrics_.handed_batches);
    for (HandedMessage& message : batch.messages) AddHanded(message);
  }
  answer.content_budget_bytes = std::max<int64_t>(0, options_.content_budget_bytes - contents_.bytes());
  return answer;
}

Slot Core::AddEntry(const Entry& entry) {
  const Slot slot = index_.Add(entry);
  if (slot != kNoSlot) pending_.Add(entry.id, facts_[entry.facts].tenant, 1);
  return slot;
}

void Core::AddHanded(HandedMessage& message) {
  const Instant now = clock_.Now();
  const uint32_t facts = FactsOf(message.tenant, message.stream, message.campaign,
                                 message.sender_domain, message.tags);
  const bool due = message.due_at <= now;
  const bool keep = message.content != nullptr && due && contents_.bytes() < options_.content_budget_bytes;
  if (message.priority >= kHighPriority) high_came_until_ = clock_.Steady() + kHighLasts;
  int64_t id = message.message_id;
  for (HandedRecipient& recipient : message.recipients) {
    Entry entry;
    entry.id = id++;
    entry.facts = facts & (FactsTable::kMost - 1);
    entry.domain = domains_.Number(recipient.domain);
    entry.part = parts_.Number(message.part);
    entry.accepted = ToTicks(message.accepted_at);
    entry.due = ToTicks(message.due_at);
    entry.expires = ToTicks(message.expires_at);
    entry.recipient_index = Bits<10>(entry.id - message.message_id) & 0x3ff;
    entry.priority = Bits<2>(message.priority) & 0x3;
    entry.engagement = Bits<7>(recipient.engagement) & 0x7f;
    const Slot slot = AddEntry(entry);
    if (slot == kNoSlot) continue;
    if (keep) contents_.Keep(entry.id, message.message_id, std::move(recipient.payload), message.content);
    if (due) {
      Place_(slot, now);
    } else {
      calendar_.Add(index_, slot);
    }
  }
}

void Core::AddLoaded(const LoadedRow& row) {
  if (ended_unloaded_.contains(row.id)) return;
  Entry entry;
  entry.id = row.id;
  entry.facts = FactsOf(row.tenant, row.stream, row.campaign, row.sender_domain, row.tags, row.pool) &
                (FactsTable::kMost - 1);
  entry.domain = domains_.Number(row.domain);
  entry.part = parts_.Number(row.part);
  entry.accepted = ToTicks(row.accepted_at);
  entry.due = ToTicks(row.due_at);
  entry.expires = ToTicks(row.expires_at);
  entry.recipient_index = Bits<10>(row.id - row.message_id) & 0x3ff;
  entry.attempts = Bits<11>(row.attempts) & 0x7ff;
  entry.crashes = Bits<2>(row.crashes) & 0x3;
  entry.priority = Bits<2>(row.priority) & 0x3;
  entry.engagement = Bits<7>(row.engagement) & 0x7f;
  if (!row.last_source.empty()) entry.last_source = fleet_.SourceOf(row.last_source);
  const Slot slot = AddEntry(entry);
  if (slot == kNoSlot) return;
  if (const auto flight = in_flight_.find(row.id); flight != in_flight_.end()) {
    // An egress has named it in its inventory: it is being sent.
    flight->second.slot = slot;
    flight->second.message_id = row.message_id;
    index_[slot].place = Place::kInFlight;
  } else if (!row.held.empty()) {
    index_[slot].place = Place::kHeld;
    ++held_count_;
  } else if (const Instant now = clock_.Now(); row.due_at <= now) {
    Place_(slot, now);
  } else {
    calendar_.Add(index_, slot);
  }
}

void Core::OnTailed(const std::vector<storage::TailedBatch>& batches) {
  tailing_ = false;
  for (const storage::TailedBatch& batch : batches) {
    const auto shard = shards_.find(batch.shard);
    if (shard == shards_.end() || shard->second.loading) continue;
    watermarks_.Know(batch.writer);
    if (!watermarks_.Take(batch.shard, batch.writer, batch.seq)) continue;
    CoreMetrics::Add(metrics_.tailed_batches);
    tail_wanted_ = true;  // There may be more.
    ports_.LoadRange(batch.shard, shard->second.epoch, batch.first_entry_id, batch.last_entry_id);
  }
}

void Core::OnWritersChecked(const std::vector<int64_t>& alive, const std::vector<int64_t>& gone) {
  checking_writers_ = false;
  for (const int64_t writer : alive) watermarks_.Know(writer);
  const SteadyInstant steady = clock_.Steady();
  for (const int64_t writer : alive) gone_since_.erase(writer);
  for (const int64_t writer : gone) {
    if (watermarks_.IsKnown(writer)) gone_since_.try_emplace(writer, steady);
  }
  if (!watermarks_.Known().empty()) ports_.TrimBatches(watermarks_.All(), gone, clock_.Now() - kBatchesKept);
  // Forgotten only when no row of it is left and no read under way can still bring one.
  if (tailing_ || loading_shards_ > 0 || watermarks_.HasGaps()) return;
  for (auto it = gone_since_.begin(); it != gone_since_.end();) {
    if (steady - it->second < kWriterForgottenAfter) {
      ++it;
      continue;
    }
    watermarks_.Retire(it->first);
    gone_since_.erase(it++);
  }
}

std::vector<std::pair<int64_t, bool>> Core::Cancel(int64_t message_id, const std::vector<int64_t>& entry_ids) {
  std::vector<int64_t> ids = entry_ids;
  std::vector<std::pair<int64_t, bool>> outcomes;
  for (const int64_t id : ids) {
    const Slot slot = index_.Find(id);
    const bool waits = slot != kNoSlot && index_[slot].message_id() == message_id &&
                       index_[slot].place != Place::kInFlight && index_[slot].place != Place::kSettling;
    outcomes.emplace_back(id, waits);
    if (!waits) continue;
    const Slot out = TakeOut(slot);
    index_[out].place = Place::kSettling;
    contents_.Drop(id, message_id);
    storage::Settlement settlement;
    settlement.entry_id = id;
    settlement.message_id = message_id;
    settlement.kind = "cancelled";
    settlement.occurred_at = clock_.Now();
    CoreMetrics::Add(metrics_.cancelled);
    PutUnsettled({.settlement = std::move(settlement)});
  }
  return outcomes;
}

Slot Core::TakeOut(Slot slot) {
  if (index_[slot].place == Place::kHeld) --held_count_;
  if (index_[slot].place == Place::kUnrouted) --unrouted_count_;
  if (index_[slot].place == Place::kKeptBack) --kept_back_count_;
  return slot;
}

void Core::Place_(Slot slot, Instant now, bool first) {
  Entry& entry = index_[slot];
  if (entry.expires <= ToTicks(now)) {
    storage::Settlement settlement;
    settlement.entry_id = entry.id;
    settlement.message_id = entry.message_id();
    settlement.kind = "expired";
    settlement.occurred_at = now;
    settlement.attempts = static_cast<int16_t>(entry.attempts);
    settlement.stage = "local";
    settlement.detail = Cat("not delivered within its time after ", entry.attempts, " attempts");
    if (const uint32_t site = domains_[entry.domain].site; site != kNoSite && flows_.IsDown(site)) {
      Append(settlement.detail, "; no connection to ", domains_.site(site).name, " can be made");
    }
    entry.place = Place::kSettling;
    contents_.Drop(entry.id, entry.message_id());
    CoreMetrics::Add(metrics_.expired);
    PutUnsettled({.settlement = std::move(settlement)});
    return;
  }
  if (!domains_.IsFresh(entry.domain, now)) {
    Resolve(entry.domain, slot);
    return;
  }
  RouteAndFile(slot, now, first);
}

void Core::Resolve(uint32_t number, Slot slot) {
  index_[slot].place = Place::kResolving;
  Domain& domain = domains_[number];
  const auto tenant = facts_[index_[slot].facts].tenant;
  domain.waiting.PushBack(index_, slot);
  const auto low_bits = static_cast<uint16_t>(tenant);
  if (domain.resolving || (domain.pending && domain.pending_for == low_bits)) return;
  domain.pending = true;
  domain.pending_for = low_bits;
  lookups_.Add(tenant, number);
}

void Core::StartLookups() {
  const auto may = [&](uint32_t tenant) { return flows_.CountOf(tenant) < kMostFlows; };
  while (lookups_under_way_ < kMostLookups) {
    const uint32_t number = lookups_.Next(may);
    if (number == Lookups::kNone) return;
    Domain& domain = domains_[number];
    if (!domain.pending || domain.resolving) continue;
    domain.pending = false;
    domain.resolving = true;
    ++lookups_under_way_;
    ports_.Resolve(number, std::string(domains_.Name(number)));
  }
}

void Core::ForgetIdleSites() {
  for (const uint32_t site : domains_.ForgetIdle([&](uint32_t s) { return flows_.HasSite(s); })) ForgetSite(site);
}

void Core::OnResolved(uint32_t number, const MxAnswer& answer, const std::vector<MxHost>& ordered) {
  const Instant now = clock_.Now();
  --lookups_under_way_;
  domains_.Answer(number, answer, ordered, now);
  if (answer.status == DnsStatus::kOk && domains_[number].state == DomainState::kSite) {
    const Site& site = domains_.site(domains_[number].site);
    ports_.StoreRoute(std::string(domains_.Name(number)), site.name, site.provider, now);
  }
  EntryList waiting = domains_[number].waiting.TakeAll(index_);
  for (Slot slot = waiting.Pop(index_); slot != kNoSlot; slot = waiting.Pop(index_)) {
    RouteAndFile(slot, now);
  }
}

RoutingFacts Core::RoutingFactsOf(const Entry& entry) {
  const Facts& facts = facts_[entry.facts];
  RoutingFacts out{.tenant = names_.Name(facts.tenant),
                   .stream = names_.Name(facts.stream),
                   .campaign = texts_.Name(facts.campaign),
                   .domain = domains_.Name(entry.domain),
                   .sender_domain = texts_.Name(facts.sender_domain),
                   .tags = texts_.Name(facts.tags)};
  if (const uint32_t site = domains_[entry.domain].site; site != kNoSite) {
    out.provider = domains_.site(site).provider;
    out.site = domains_.site(site).name;
  }
  return out;
}

RouteChoice Core::RouteOf(const Entry& entry) {
  if (const std::string& moved_to = names_.Name(facts_[entry.facts].pool); !moved_to.empty()) {
    for (int index = 0; index < static_cast<int>(pools_.size()); ++index) {
      if (pools_.name(pools_.Number(index)) == moved_to) return {.pool_index = index};
    }
  }
  return routing_.has_value() ? routing_->Route(RoutingFactsOf(entry)) : RouteChoice();
}

void Core::RouteAndFile(Slot slot, Instant now, bool first) {
  const Entry& entry = index_[slot];
  const Domain& domain = domains_[entry.domain];
  if (domain.site == kNoSite || domain.state != DomainState::kSite) {
    storage::Settlement evidence;
    evidence.stage = "dns";
    switch (domain.state) {
      case DomainState::kNullMx:
        evidence.kind = "bounced";
        evidence.reply_code = 556;
        evidence.enhanced_status = "5.1.10";
        evidence.reply = "recipient domain has a null MX and takes no mail";
        evidence.reply_class = "rcpt_bad";
        break;
      case DomainState::kUnusable:
        evidence.kind = "bounced";
        evidence.reply_code = 550;
        evidence.enhanced_status = "5.4.4";
        evidence.reply = "no MX record of the recipient domain names a host";
        evidence.reply_class = "rcpt_bad";
        break;
      case DomainState::kNotFound:
        evidence.reply_code = 450;
        evidence.enhanced_status = "4.1.2";
        evidence.reply = "recipient domain does not exist";
        evidence.reply_class = "rcpt_bad";
        break;
      case DomainState::kUnknown:
      case DomainState::kSite:
        evidence.reply_code = 451;
        evidence.enhanced_status = "4.4.3";
        evidence.reply = Cat("MX lookup failed: ", domains_.Failure(entry.domain));
        evidence.reply_class = "remote_sys";
        break;
    }
    Defer(slot, evidence, now);
    return;
  }
  const Facts& facts = facts_[entry.facts];
  const RouteChoice route = RouteOf(entry);
  if (route.pool_index < 0) {
    // No route names it: it waits for a policy that does, and is reported.
    index_[slot].place = Place::kUnrouted;
    unrouted_.PushBack(index_, slot);
    ++unrouted_count_;
    return;
  }
  const uint32_t smart_site =
      route.route_index < 0 ? kNoSite : route_sites_[static_cast<size_t>(route.route_index)];
  const FlowKey key{.tenant = facts.tenant,
                    .stream = facts.stream,
                    .pool = pools_.Number(route.pool_index),
                    .site = smart_site == kNoSite ? domain.site : smart_site,
                    .priority = static_cast<uint8_t>(entry.priority),
                    .engagement = EngagementClass(pools_.Number(route.pool_index), static_cast<uint8_t>(entry.engagement))};
  flows_.Add(index_, slot, key, first);
}

// After a new policy or what a constraint let go, a few at a time: nothing is released by the old one, and nobody waits for the others to be filed.
bool Core::RefileStale(Instant now) {
  int left = kRefiledPerTurn;
  for (FlowNumber flow = flows_.NextStale(); left > 0 && flow != kNoFlow; flow = flows_.NextStale()) {
    for (; left > 0; --left) {
      const Slot slot = flows_.Ready(flow).Pop(index_);
      if (slot == kNoSlot) break;
      RouteAndFile(slot, now);
    }
    if (flows_.Ready(flow).empty()) flows_.DropStale(flow);
  }
  for (; left > 0; --left) {
    const Slot slot = to_file_.Pop(index_);
    if (slot == kNoSlot) return false;
    --(index_[slot].place == Place::kUnrouted ? unrouted_count_ : kept_back_count_);
    RouteAndFile(slot, now);
  }
  return true;
}

}  // namespace sluice::scheduler
