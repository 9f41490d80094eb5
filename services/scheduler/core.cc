#include "scheduler/core.h"

#include <algorithm>
#include <random>

#include "base/check.h"
#include "base/text.h"

namespace sluice::scheduler {
namespace {

constexpr int kMostDuePerTurn = 20'000;
constexpr Slot kSweptPerTurn = 4'000;
constexpr auto kTailEvery = std::chrono::milliseconds(500);
constexpr auto kCheckWritersEvery = std::chrono::minutes(1);
constexpr auto kTailSoon = std::chrono::milliseconds(20);

}  // namespace

Core::Core(const CoreOptions& options, const Clock& clock, const Logger& log, CorePorts& ports,
           CoreMetrics& metrics)
    : options_(options),
      clock_(clock),
      log_(log),
      ports_(ports),
      metrics_(metrics),
      random_([engine = std::mt19937_64(options.seed)]() mutable {
        return std::uniform_real_distribution<double>(0, 1)(engine);
      }),
      // 31 random bits of this process above a counter: unique per release, positive as a bigint.
      next_attempt_id_((std::mt19937_64(options.seed ^ 0x51ce)() >> 33) << 32 | 1),
      domains_(catalogue_),
      pools_(fleet_, allowances_) {}

// ---- leases -------------------------------------------------------------------------------------

void Core::OnShardTaken(int shard, int64_t epoch, int64_t last_seq,
                        const std::vector<std::string>& registered_egresses) {
  DropShard(shard);
  shards_[shard] = {.epoch = epoch, .last_seq = last_seq, .loading = true};
  OnShardCount(shard_count_);
  ++loading_shards_;
  gate_until_ = clock_.Steady() + options_.takeover_wait;
  awaited_egresses_.insert(registered_egresses.begin(), registered_egresses.end());
  for (Egress& egress : fleet_.egresses()) {
    if (egress.connected()) awaited_egresses_.insert(egress.id);
    egress.inventory_complete = false;
  }
  SendShardLists();
  ports_.LoadShard(shard, epoch);
}

void Core::OnLeaseExtended(SteadyInstant valid_until) {
  const bool had_lapsed = lease_until_ <= clock_.Steady();
  lease_until_ = valid_until;
  if (had_lapsed && !shards_.empty()) SendShardLists();
}

void Core::OnShardsLost(const std::vector<int>& shards) {
  log_.Warn("shards_lost", {{"count", shards.size()}});
  for (const int shard : shards) DropShard(shard);
  OnShardCount(shard_count_);
  SendShardLists();
}

void Core::OnShardCount(int total) {
  shard_count_ = total;
  rates_.SetShare(static_cast<int>(shards_.size()), total, clock_.Steady());
}

void Core::DropShard(int shard) {
  const auto it = shards_.find(shard);
  if (it == shards_.end()) return;
  if (it->second.loading) --loading_shards_;
  shards_.erase(it);
  watermarks_.ForgetShard(shard);
  told_deferrals_.ForgetShard(shard);
  pending_.ForgetShard(shard);
  for (Sweep& sweep : sweeps_) sweep.shards.erase(shard);
  std::vector<int64_t> gone;
  for (const auto& [id, flight] : in_flight_) {
    if (static_cast<int>(id >> 56) == shard) gone.push_back(id);
  }
  for (const int64_t id : gone) {
    FinishFlight(id, in_flight_[id]);
    in_flight_.erase(id);
  }
  for (Slot slot = 0; slot < index_.capacity(); ++slot) {
    Entry& entry = index_[slot];
    if (entry.place == Place::kFree || entry.place == Place::kEnded) continue;
    if (static_cast<int>(entry.id >> 56) != shard) continue;
    if (entry.place == Place::kHeld) --held_count_;
    if (entry.place == Place::kUnrouted) --unrouted_count_;
    if (entry.place == Place::kKeptBack) --kept_back_count_;
    contents_.Drop(entry.id, entry.message_id());
    index_.End(slot);
  }
  // Reports that were not settled go back to egress's keeping, for the next owner.
  std::erase_if(unsettled_, [&](const Unsettled& item) {
    if (static_cast<int>(item.settlement.entry_id >> 56) != shard) return false;
    EndSwept(item, false);
    EndReport(item, false);
    return true;
  });
}

// A lease that has lapsed may be another's by now: claiming its shards would turn reports away from their new owner.
std::vector<int> Core::ClaimedShards() const {
  std::vector<int> owned;
  if (clock_.Steady() >= lease_until_) return owned;
  for (const auto& [shard, state] : shards_) owned.push_back(shard);
  return owned;
}

void Core::SendShardLists() {
  const std::vector<int> owned = ClaimedShards();
  for (Egress& egress : fleet_.egresses()) {
    if (egress.connected()) egress.port->SendShards(owned);
  }
}

void Core::BeginHandover() {
  handing_over_ = true;
  for (Egress& egress : fleet_.egresses()) {
    if (egress.connected()) egress.port->SendRecall(1, "", {});
  }
}

bool Core::HandoverDone() const {
  return in_flight_.empty() && unsettled_.empty() && settling_.empty();
}

bool Core::GateOpen() {
  if (awaited_egresses_.empty()) return true;
  for (auto it = awaited_egresses_.begin(); it != awaited_egresses_.end();) {
    const EgressNumber number = fleet_.FindEgress(*it);
    const bool there = number != kNoEgress && fleet_.egress(number).connected() &&
                       fleet_.egress(number).inventory_complete;
    if (there) {
      awaited_egresses_.erase(it++);
    } else {
      ++it;
    }
  }
  if (awaited_egresses_.empty()) return true;
  if (clock_.Steady() < gate_until_) return false;
  log_.Warn("inventories_missing", {{"egresses", awaited_egresses_.size()}});
  awaited_egresses_.clear();
  return true;
}

bool Core::MayRelease() {
  const SteadyInstant steady = clock_.Steady();
  if (handing_over_ || shards_.empty() || steady >= lease_until_) return false;
  if (policy_revision_ < 0 || constraint_generation_ < 0) return false;
  if (!GateOpen()) return false;
  const size_t backlog = unsettled_.size() + settling_.size();
  const bool lagging = backlog > options_.settle_backlog ||
                       (backlog > 0 && steady - oldest_unsettled_ > options_.settle_lag);
  if (lagging) slow_start_ = 0;
  return !lagging;
}

// ---- loading ------------------------------------------------------------------------------------

void Core::OnShardMarks(int shard, int64_t epoch, const std::vector<Mark>& marks) {
  const auto it = shards_.find(shard);
  if (it == shards_.end() || it->second.epoch != epoch) return;
  for (const Mark& mark : marks) watermarks_.Set(mark.shard, mark.writer, mark.seq);
}

void Core::OnLoaded(int shard, int64_t epoch, std::vector<LoadedRow> rows) {
  const auto it = shards_.find(shard);
  if (it == shards_.end() || it->second.epoch != epoch) return;
  for (const LoadedRow& row : rows) AddLoaded(row);
}

void Core::OnShardLoaded(int shard, int64_t epoch) {
  const auto it = shards_.find(shard);
  if (it == shards_.end() || it->second.epoch != epoch || !it->second.loading) return;
  it->second.loading = false;
  if (--loading_shards_ == 0) ended_unloaded_.clear();
  tail_at_ = clock_.Steady();
  log_.Info("shard_loaded", {{"shard", shard}, {"epoch", epoch}, {"entries", index_.size()}});
}

std::vector<int> Core::LoadedShards() const {
  std::vector<int> loaded;
  for (const auto& [shard, state] : shards_) {
    if (!state.loading) loaded.push_back(shard);
  }
  return loaded;
}

std::vector<storage::ShardPending> Core::Pending(const std::vector<std::string>& tenants) {
  std::vector<storage::ShardPending> rows;
  if (clock_.Steady() >= lease_until_) return rows;
  for (const auto& [shard, state] : shards_) {
    if (state.loading) continue;
    rows.push_back({.shard = shard, .epoch = state.epoch});
    for (const std::string& tenant : tenants) {
      rows.push_back({.shard = shard, .epoch = state.epoch, .tenant = tenant, .entries = pending_.Of(shard, names_.Number(tenant))});
    }
  }
  return rows;
}

// ---- policy and sources -------------------------------------------------------------------------

std::vector<uint32_t> Core::SmartHostSites(const PolicyDocument& policy) {
  std::vector<uint32_t> sites;
  for (const RouteRule& route : policy.routes) {
    const auto found = std::find_if(policy.smart_hosts.begin(), policy.smart_hosts.end(),
                                    [&](const SmartHostPolicy& host) { return host.name == route.smart_host; });
    sites.push_back(found == policy.smart_hosts.end() ? kNoSite : domains_.SiteOf(*found));
  }
  return sites;
}

void Core::SetPolicy(int64_t revision, const PolicyDocument& policy) {
  policy_revision_ = revision;
  retry_schedules_.emplace(policy);
  pools_.SetPolicy(policy);
  WarmByPolicy(policy);
  rates_.SetPolicy(policy, names_, clock_.Steady());
  SetSharedLimits(policy);
  const bool had_ipv6 = families_.has_ipv6();
  families_.SetPolicy(policy);
  if (had_ipv6 || families_.has_ipv6()) LetGo(clock_.Now());
  // A pool keeps its number, so that a change of members alone moves nobody.
  std::vector<uint32_t> sites = SmartHostSites(policy);
  const bool same_routes = routing_.has_value() && routes_ == policy.routes && providers_ == policy.providers &&
                           route_sites_ == sites;
  route_sites_ = std::move(sites);
  routing_.emplace(policy);
  routes_ = policy.routes;
  providers_ = policy.providers;
  if (!same_routes) {
    catalogue_ = ProviderCatalogue(policy.providers);
    domains_.Reclassify();
    // Every entry not yet released is filed anew, in turns to come; those that wait for their time are routed when it comes.
    flows_.NewPolicy();
    to_file_.Append(index_, unrouted_);
  }
  flows_.WakePools();
  Recall(Order::Kind::kPolicy, revision, [&](const InFlight& flight) { return !IsStillMeant(flight); });
  log_.Info("policy_in_force", {{"revision", revision}, {"pools", pools_.size()}, {"flows", flows_.size()},
                                {"routes_changed", same_routes ? "false" : "true"}});
}

void Core::SetAssignments(const std::vector<AssignedTo>& assignments) {
  std::vector<bool> named(fleet_.sources().size() + assignments.size(), false);
  bool better = false;
  for (const AssignedTo& assigned : assignments) {
    const uint16_t number = fleet_.SourceOf(assigned.source);
    named[number] = true;
    Source& source = fleet_.source(number);
    const EgressNumber egress = fleet_.EgressOf(assigned.egress);
    better = better || (assigned.bound && (!source.bound || source.egress != egress));
    source.egress = egress;
    source.bound = assigned.bound;
  }
  for (uint16_t number = 0; number < fleet_.sources().size(); ++number) {
    if (!named[number]) fleet_.source(number).bound = false;
  }
  if (better) flows_.WakePools();
}

// ---- the turn -----------------------------------------------------------------------------------

bool Core::Turn() {
  const Instant now = clock_.Now();
  const SteadyInstant steady = clock_.Steady();
  CheckSilence(steady);
  bool more = FileDue(now);
  SweepExpired(now);
  TakeCensus(steady);
  if (constraint_ends_at_ && *constraint_ends_at_ <= now) LetGo(now);
  if (trickles_at_ && *trickles_at_ <= now) WakeTrickles(now);
  more = RefileStale(now) || more;
  more = RunSweeps(now) || more;
  is_releasing_ = MayRelease();
  if (is_releasing_) {
    more = WakeWarmed(now) || more;
    more = Release(now) || more;
  }
  AskLedger(now);
  StartLookups();
  ForgetIdleSites();
  ForgetNames(now);
  StartSettling(steady);
  TakeInbox(steady);
  AskPostgres(steady);
  Flush();
  return more;
}

Duration Core::Patience(Duration most) const {
  constexpr Duration kLeast = std::chrono::milliseconds(1);
  const SteadyInstant steady = clock_.Steady();
  SteadyInstant at = steady + most;
  if (is_releasing_ && !shared_.empty()) at = std::min(at, shared_.NextReady(steady).value_or(at));
  if (is_releasing_) at = std::min(at, fleet_.NextRested().value_or(at));
  if (!settle_under_way_ && !unsettled_.empty()) at = std::min(at, settle_not_before_);
  return std::clamp<Duration>(std::chrono::duration_cast<Duration>(at - steady), std::min(kLeast, most), most);
}

// What was committed and not handed off; which writers live.
void Core::AskPostgres(SteadyInstant steady) {
  if (shards_.empty() || loading_shards_ > 0) return;
  const bool soon = tail_wanted_ || watermarks_.HasGaps();
  if (!tailing_ && steady >= tail_at_ + (soon ? kTailSoon : kTailEvery)) {
    tailing_ = true;
    tail_wanted_ = false;
    tail_at_ = steady;
    std::vector<int> shards;
    for (const auto& [shard, state] : shards_) shards.push_back(shard);
    ports_.Tail(std::move(shards), watermarks_.All());
  }
  if (checking_writers_) return;
  if (steady >= writers_checked_at_ + kCheckWritersEvery) {
    writers_checked_at_ = steady;
    for (const int64_t writer : watermarks_.Known()) unknown_writers_.push_back(writer);
  }
  if (unknown_writers_.empty()) return;
  checking_writers_ = true;
  ports_.CheckWriters(std::exchange(unknown_writers_, {}));
}

bool Core::FileDue(Instant now) {
  for (int i = 0; i < kMostDuePerTurn; ++i) {
    const Slot slot = calendar_.PopDue(index_, now);
    if (slot == kNoSlot) return false;
    Place_(slot, now);
  }
  return true;
}

void Core::SweepExpired(Instant now) {
  const uint32_t ticks = ToTicks(now);
  const Slot capacity = static_cast<Slot>(index_.capacity());
  // Nothing expires within a tick that a whole pass of that tick has not seen.
  if (sweep_at_ == 0 && swept_whole_at_ == ticks) return;
  for (Slot i = 0; i < kSweptPerTurn && i < capacity; ++i) {
    sweep_at_ = sweep_at_ + 1 < capacity ? sweep_at_ + 1 : 0;
    if (sweep_at_ == 0) swept_whole_at_ = ticks;
    const Entry& entry = index_[sweep_at_];
    if (entry.expires > ticks) continue;
    const bool waits = entry.place != Place::kFree && entry.place != Place::kEnded &&
                       entry.place != Place::kInFlight && entry.place != Place::kSettling;
    if (waits) Place_(TakeOut(sweep_at_), now);
  }
}

void Core::Flush() {
  if (!to_fetch_.empty()) ports_.Fetch(std::exchange(to_fetch_, {}));
  for (Egress& egress : fleet_.egresses()) {
    if (!egress.connected()) continue;
    egress.out.settled_through = egress.acks.TakeThrough();
    if (!egress.out.empty()) egress.port->Send(std::exchange(egress.out, {}));
    egress.out.settled_through = -1;
  }
}

std::map<std::string, Duration> Core::DownPaths(const std::string& domain) {
  std::map<std::string, Duration> out;
  const uint32_t site = domains_[domains_.Number(domain)].site;
  if (site == kNoSite) return out;
  const SteadyInstant steady = clock_.Steady();
  for (uint16_t source = 0; source < fleet_.sources().size(); ++source) {
    if (fleet_.PathIsDown(source, site)) out[fleet_.source(source).name] = fleet_.RestOf(source, site, steady);
  }
  return out;
}

CoreSnapshot Core::Snapshot() const {
  CoreSnapshot out;
  out.entries = static_cast<int64_t>(index_.size());
  out.in_flight = static_cast<int64_t>(in_flight_.size());
  out.unsettled = static_cast<int64_t>(unsettled_.size() + settling_.size());
  out.content_bytes = contents_.bytes();
  out.flows = static_cast<int64_t>(flows_.size());
  out.unrouted = unrouted_count_;
  flows_.ForEachWarmupWaiting([&](uint32_t, uint32_t, int64_t entries) { out.warmup_waiting += entries; });
  out.down_paths = fleet_.down_count();
  out.held = held_count_;
  out.facts = static_cast<int64_t>(facts_.size());
  out.texts = static_cast<int64_t>(texts_.size());
  out.domains = static_cast<int64_t>(domains_.size());
  out.sites = static_cast<int64_t>(domains_.site_count());
  out.kept_back = kept_back_count_;
  out.policy_revision = policy_revision_;
  out.queue = queue_depths_;
  out.constraints = ConstraintCounts();
  const SteadyInstant steady = clock_.Steady();
  out.releasing = !handing_over_ && steady < lease_until_ && awaited_egresses_.empty();
  for (const auto& [shard, state] : shards_) out.shards.push_back(shard);
  for (const Egress& egress : const_cast<Fleet&>(fleet_).egresses()) {
    out.egresses.push_back({egress.id, egress.version, egress.connected(), egress.in_flight,
                            steady - egress.last_heard});
  }
  return out;
}

}  // namespace sluice::scheduler
