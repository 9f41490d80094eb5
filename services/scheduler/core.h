// The scheduler's heart: one thread, no locks, no I/O. It holds the index of the owned shards, decides which entry leaves
// next, through which source and egress, and what becomes of it. Everything comes in as a call of an On… method and leaves through
// CorePorts and EgressPort; nothing here waits. Names of the life of an entry: entry_index.h.
//
// Safety rules that live here (architecture §4):
//  - released only while the lease holds with a margin, and, after a takeover, only when every registered egress has sent its
//    inventory or had time to die;
//  - a batch at or below its watermark is never taken again;
//  - what an egress was given and may have begun is given to nobody else before the egress said so, came back without it, or was
//    silent for longer than it may begin anything.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/dns.h"
#include "policy/constraints.h"
#include "scheduler/allowances.h"
#include "policy/retry_schedule.h"
#include "policy/routing.h"
#include "scheduler/calendar.h"
#include "scheduler/census.h"
#include "scheduler/content_store.h"
#include "scheduler/control/warmup_book.h"
#include "scheduler/core_metrics.h"
#include "scheduler/core_options.h"
#include "scheduler/core_ports.h"
#include "scheduler/core_snapshot.h"
#include "scheduler/domains.h"
#include "scheduler/entry_index.h"
#include "scheduler/facts.h"
#include "scheduler/fleet.h"
#include "scheduler/flows.h"
#include "scheduler/forgetting.h"
#include "scheduler/lookups.h"
#include "scheduler/names.h"
#include "scheduler/pending_counts.h"
#include "scheduler/pools.h"
#include "scheduler/shared_limits.h"
#include "scheduler/sweep.h"
#include "scheduler/families.h"
#include "scheduler/tenant_rates.h"
#include "scheduler/told_deferrals.h"
#include "scheduler/types.h"
#include "scheduler/watermarks.h"

namespace sluice::scheduler {

// A row of queue_entry as it was loaded.
struct LoadedRow {
  int64_t id = 0, message_id = 0;
  Instant accepted_at{}, due_at{}, expires_at{};
  int32_t part = 0;
  int16_t attempts = 0, crashes = 0, priority = 1, engagement = 0;
  std::string tenant, stream, campaign, domain, last_source, held, tags, sender_domain;
  std::string pool;  // Moved there by an operator; empty = by the routes.
};

struct AssignedTo {
  std::string source, egress;
  bool bound = false;
};

class Core {
 public:
  Core(const CoreOptions& options, const Clock& clock, const Logger& log, CorePorts& ports, CoreMetrics& metrics);

  // ---- leases: the lease worker says what is ours and until when on our monotonic clock ----
  void OnShardTaken(int shard, int64_t epoch, int64_t last_seq, const std::vector<std::string>& registered_egresses);
  void OnLeaseExtended(SteadyInstant valid_until);
  void OnShardsLost(const std::vector<int>& shards);
  // How many shards there are in all.
  void OnShardCount(int total);
  // Nothing is released any more; egresses are asked to give back what they have not begun.
  void BeginHandover();
  // All that was given out is settled or back.
  bool HandoverDone() const;

  // ---- loading ----
  void OnShardMarks(int shard, int64_t epoch, const std::vector<Mark>& marks);
  void OnLoaded(int shard, int64_t epoch, std::vector<LoadedRow> rows);
  void OnShardLoaded(int shard, int64_t epoch);

  // ---- intake ----
  struct HandoffAnswer {
    std::vector<int> not_owned;
    int64_t content_budget_bytes = 0;
  };
  HandoffAnswer OnHandoff(std::vector<HandedBatch> batches);
  void OnTailed(const std::vector<storage::TailedBatch>& batches);
  void OnTailFailed() { tailing_ = false; }
  void OnWritersChecked(const std::vector<int64_t>& alive, const std::vector<int64_t>& gone);
  // Per recipient named (all when empty): whether it was cancelled.
  std::vector<std::pair<int64_t, bool>> Cancel(int64_t message_id, const std::vector<int64_t>& entry_ids);

  void OnResolved(uint32_t domain, const MxAnswer& answer, const std::vector<MxHost>& ordered);
  void OnFetched(std::vector<Fetched> fetched);
  void OnFetchFailed(const std::vector<FetchRequest>& requests);

  // ---- dispatch ----
  struct Session {
    EgressNumber egress = kNoEgress;
    uint64_t session = 0;
  };
  Session OnEgressConnected(const EgressHello& hello, std::shared_ptr<EgressPort> port);
  void OnEgressGone(Session session);
  void OnHeartbeat(Session session, int64_t sent_at_micros);
  void OnDrain(Session session);
  void OnRooms(Session session, const std::vector<RoomAt>& rooms);
  void OnDeliver(Session session, DeliverInput input);

  // ---- settling ----
  void OnSettled(const storage::SettleResult& result);
  // Nothing was written; the same again later.
  void OnSettleFailed();
  void OnInboxTaken(const storage::SettleResult& result);
  void OnInboxFailed();

  // ---- policy and sources ----
  // Entries that are ready are filed anew as they come up, not at once; what was released from a source that left its pool is
  // asked back.
  void SetPolicy(int64_t revision, const PolicyDocument& policy);
  // All constraints in force. What was released against one of them and has not begun is asked back. Nothing is released before
  // the first call.
  void SetConstraints(int64_t generation, std::vector<Constraint> constraints);
  // What was ordered of the egress under this number is done there.
  void OnOrderResult(Session session, int64_t number);
  // What is true here and at every egress.
  struct Acted {
    int64_t policy_revision = 0, constraint_generation = 0;
    std::vector<std::string> waits_for;  // Egresses that have not answered.
  };
  Acted ActsOn() const;
  void SetAssignments(const std::vector<AssignedTo>& assignments);
  // Where the sources that warm up stand, and the ledger's day. Those of the policy that are not among them may send nothing.
  void SetWarmup(std::vector<WarmupBook::View> sources, const storage::LedgerDay& day);
  // What waits for an allowance, by whom it waits for: where several may send it, an equal share for each.
  std::vector<storage::WarmupWaitingRow> WarmupWaiting();
  void OnDrawn(const absl::StatusOr<storage::GrantAnswer>& answer);
  // Nothing was recorded: again later.
  void OnRecordFailed(std::vector<storage::LedgerCounts> counts) { allowances_.OnRecordFailed(std::move(counts)); }

  // ---- operations on many entries (sweep.h) ----
  // On those of the shards that are owned and loaded; an operation that is under way begins anew.
  void StartSweep(SweepOrder order, const std::vector<int>& shards);
  void StopSweep(int64_t operation);
  SweepProgress ProgressOf(int64_t operation) const;
  std::vector<int> LoadedShards() const;
  // Entries of these tenants in each shard that is loaded and surely owned, and a row of no tenant for the shard; without times.
  std::vector<storage::ShardPending> Pending(const std::vector<std::string>& tenants);

  // ---- rates that hold for several sources together ----
  // Comes down from shares that are too high, and says what this scheduler has and wants.
  std::vector<ShareNow> Shares();
  // Those not named are nothing; nothing leaves against them after `until`.
  void GiveShares(const std::vector<GivenShare>& shares, SteadyInstant until);

  // After each round of inputs, and when Patience is over. True when there is more to release at once.
  bool Turn();
  // How long the next Turn may wait, at most `most`.
  Duration Patience(Duration most) const;

  struct ConnectedEgress {
    std::string id;
    uint64_t session = 0;
    std::vector<std::string> bind_addresses;
  };
  std::vector<ConnectedEgress> ConnectedEgresses() const;
  void SendAssignment(const std::string& egress, uint64_t session, const std::vector<AssignedSource>& sources);
  void SendSigningKeys(const std::string& egress, uint64_t session, const std::vector<SigningKey>& keys);
  // The policy of its revision is in force when this was answered.
  void SendShaping(const std::string& egress, uint64_t session, const ShapingOrder& order);

  CoreSnapshot Snapshot() const;
  // Sources whose path to the domain's site is down, and how long each rests still.
  std::map<std::string, Duration> DownPaths(const std::string& domain);
  Fleet& fleet() { return fleet_; }

 private:
  struct Shard {
    int64_t epoch = 0, last_seq = 0;
    bool loading = true;
  };
  struct InFlight {
    Slot slot = kNoSlot;  // kNoSlot: named by an inventory, row not loaded yet.
    EgressNumber egress = kNoEgress;
    uint16_t source = kNoSource;
    uint32_t site = kNoSite, provider = 0, tenant = 0, pool = 0;
    uint64_t limit_group = 0;
    int64_t attempt_id = 0;  // 0 = from an inventory: any report fits.
    int64_t message_id = 0;
    Grant grant{};
    bool sent = false, begun = false, probe = false;
    bool trickled = false;  // Let through a constraint: not asked back.
  };
  // What happens in memory once its settlement is committed.
  struct Unsettled {
    storage::Settlement settlement;
    EgressNumber egress = kNoEgress;
    uint64_t session = 0;
    int64_t report_number = 0;  // 0 = not from a report.
    std::optional<uint32_t> tenant = {};  // Whose share of the egress's credit the report takes until then.
    int64_t operation = 0;      // 0 = of none.
    bool is_note = false;       // Only the row changes: the entry goes on where it is.
    bool moves_on = false;      // To the overflow of its pool.
  };

  // core.cc
  bool Owns(int64_t id) const { return shards_.contains(static_cast<int>(id >> 56)); }
  bool MayRelease();
  bool GateOpen();
  std::vector<int> ClaimedShards() const;
  void SendShardLists();
  void Flush();
  bool FileDue(Instant now);
  void SweepExpired(Instant now);
  void AskPostgres(SteadyInstant steady);
  void DropShard(int shard);

  // By route, the site of its smart host; kNoSite = by MX.
  std::vector<uint32_t> SmartHostSites(const PolicyDocument& policy);

  // core_intake.cc
  // kNoSlot: it was known.
  Slot AddEntry(const Entry& entry);
  void AddHanded(HandedMessage& message);
  void AddLoaded(const LoadedRow& row);
  uint32_t FactsOf(std::string_view tenant, std::string_view stream, std::string_view campaign,
                   std::string_view sender_domain, std::string_view tags, std::string_view pool = {});
  // Puts a living entry that is in no list where it belongs now.
  // `first`: before the others of its flow.
  void Place_(Slot slot, Instant now, bool first = false);
  void RouteAndFile(Slot slot, Instant now, bool first = false);
  // True while there is more to file anew.
  bool RefileStale(Instant now);
  void Resolve(uint32_t domain, Slot slot);
  void StartLookups();
  void ForgetIdleSites();
  Slot TakeOut(Slot slot);

  RoutingFacts RoutingFactsOf(const Entry& entry);
  // Where the entry goes now: by the routes, or (without a route) to the pool an operator has moved it to.
  RouteChoice RouteOf(const Entry& entry);

  // core_sweep.cc
  // True when there is more to do at once.
  bool RunSweeps(Instant now);
  bool HasSweepRoom() const;
  void SweepMessage(Sweep& sweep, Instant now);
  void LookAgain(Sweep& sweep, Instant now);
  bool IsMeant(Sweep& sweep, const Entry& entry);
  bool IsThere(const Sweep& sweep, uint32_t domain);
  // `recall`: what is in flight and not begun is asked back.
  void ApplySweep(Sweep& sweep, Slot slot, Instant now, bool recall = true);
  // Its site is tried, though nobody could connect.
  void EndRestsFor(const Entry& entry);
  void SettleSwept(Sweep& sweep, Slot slot, Instant now);
  void EndSwept(const Unsettled& item, bool committed);

  // core_forget.cc
  bool KnowsTooMany() const;
  void ForgetNames(Instant now);
  // True when all are marked.
  bool MarkEntries();
  bool ForgetDomains(Instant now);
  void ForgetSite(uint32_t site);

  // core_census.cc
  void TakeCensus(SteadyInstant steady);
  std::vector<std::pair<ConstraintCause, int64_t>> ConstraintCounts() const;

  // core_release.cc
  bool Release(Instant now);
  int Serve(const Flows::Turn& turn, Instant now, int most);
  void WakeWhatMayGo(SteadyInstant steady);
  void Begin(Slot slot, const Choice& choice, const FlowKey& key);
  void Send(int64_t id, InFlight& flight, EntryPayload payload);
  // It was suppressed after it was accepted: ends without an attempt.
  void EndSuppressed(int64_t id);
  // After the attempt that `deferral` tells of.
  Instant RetryAt(const Entry& entry, const storage::Settlement& deferral, Instant now);
  void Defer(Slot slot, const storage::Settlement& evidence, Instant now);

  // core_shares.cc
  // Of shared limits: those that cover a flow and the entry at hand; how many of it may leave, and which of them lets no more.
  struct SharedGate {
    SharedLimits::Numbers flow, entry;
    bool is_overflow = false;  // `entry` are all.
    int most = 0;
    uint32_t blocking = 0;
    int64_t bytes = 1;  // Of the entry at hand.
  };
  void SetSharedLimits(const PolicyDocument& policy);
  void FindShared(const FlowKey& key, int most, SharedGate& gate);
  // What the entry counts; true: it is too much for its flow's limits now.
  bool SharedHoldsBytes(Slot slot, SharedGate& gate);
  // True: it went aside.
  bool SharedHoldsEntry(Slot slot, const FlowKey& key, SharedGate& gate);
  // Of the overflow that was chosen; its limits are the gate's then.
  bool SharedHoldsOverflow(Slot slot, const FlowKey& key, uint32_t pool, SharedGate& gate);
  void HandOutShared(int64_t id, const SharedGate& gate);
  // What it counts is known now. False: it is too much, and went back to the front of its flow.
  bool WeighShared(int64_t id, const InFlight& flight, const std::shared_ptr<const Content>& content, EntryPayload& payload);
  // What was sent may have begun, unless it was given back before.
  void EndShared(int64_t id, bool was_sent);
  void WakeShared(SteadyInstant steady);

  // core_warmup.cc
  // Of the flow's pool; of its overflow where nobody else may send.
  Choice Choose(const FlowKey& key, const Target& target, uint16_t last_source, Instant now, IsHeld is_held);
  // Sources that it names and nobody has spoken of yet send nothing.
  void WarmByPolicy(const PolicyDocument& policy);
  // True when more may go at once.
  bool WakeWarmed(Instant now);
  void AskLedger(Instant now);
  void ConcludeGrant(const InFlight& flight, const AttemptReport& report);
  void ReturnGrant(InFlight& flight);
  void ForgetGoneAllowances();
  // Deferred by a refusal of the warming address, and others may send it: goes at once, once.
  bool MovesOn(const InFlight& flight, const AttemptReport& report) const;
  uint8_t EngagementClass(uint32_t pool, uint8_t engagement) const;

  // core_dispatch.cc
  bool IsCurrent(Session session) const;
  void FinishFlight(int64_t id, const InFlight& flight);
  void Requeue(int64_t id, bool crashed, bool first = false);
  // An egress lacks a key that this entry needs.
  void WaitForKey(const ReturnedEntry& returned);
  void NoteCrash(const Entry& entry, Instant now);
  void RequeueAllOf(EgressNumber egress, const absl::flat_hash_set<int64_t>* keep, bool crashed);
  void Claim(EgressNumber egress, int64_t id);
  void CheckSilence(SteadyInstant steady);
  void OnInventory(Session session, const std::vector<int64_t>& ids, bool complete);
  void OnReturned(EgressNumber egress, const ReturnedEntry& returned);

  // core_constraints.cc
  struct Order {
    enum class Kind : uint8_t { kPolicy, kConstraints };
    Kind kind = Kind::kPolicy;
    int64_t number = 0, generation = 0;
    absl::flat_hash_set<EgressNumber> waits_for;
  };
  // By the policy in force it may still leave through the pool and source that were chosen.
  bool IsStillMeant(const InFlight& flight);
  SendingFacts FactsOfFlow(const FlowKey& key) const;
  SendingFacts FactsOfEntry(const Entry& entry, uint32_t pool, uint32_t site) const;
  bool HoldsFlow(const FlowKey& key, Instant now) const;
  bool HoldsEntry(const Entry& entry, const FlowKey& key, Instant now) const;
  bool HoldsSource(const Entry& entry, const FlowKey& key, uint32_t pool, uint16_t source, Instant now) const;
  // A member of `pool` sends by another address family than `source`.
  bool HasOtherFamily(uint32_t pool, const std::string& source) const;
  // Its address family does not do for this entry.
  bool IsWrongFamily(const Entry& entry, uint32_t site, uint32_t pool, uint16_t source, Instant now) const;
  // Learns from an attempt that found no address of its source's family. True: a source with the other family can take the entry at once.
  bool LearnFamily(const AttemptReport& report, const InFlight& flight, Instant now);
  void KeepBack(Slot slot);
  // Lets what constraints held try again.
  void LetGo(Instant now);
  // Constraints of which an attempt may pass now.
  auto LetsThrough(Instant now) const {
    return [this, now](const Constraint& constraint) {
      if (!constraint.value.trickle) return false;
      const auto at = trickle_at_.find(constraint.id);
      return at != trickle_at_.end() && at->second <= now;
    };
  }
  void KeepTrickles(Instant now);
  // Something that is about to leave passes those that cover it; true when there are any.
  bool UseTrickles(const Entry& entry, const FlowKey& key, const Choice& choice, Instant now);
  void WakeTrickles(Instant now);
  // Asks back what has not begun and `is_wanted`; the order stands until all egresses concerned have answered.
  void Recall(Order::Kind kind, int64_t generation, absl::FunctionRef<bool(const InFlight&)> is_wanted);
  void ForgetOrders(EgressNumber egress);

  // core_settle.cc
  void OnReport(Session session, const AttemptReport& report);
  bool IsBesideHigh(SteadyInstant steady) const;
  void RestBesideHigh(SteadyInstant steady);
  void StartSettling(SteadyInstant steady);
  // One transaction at a time numbers events: after a settlement or, when nothing is to be settled, twice a second.
  void TakeInbox(SteadyInstant steady);
  std::vector<storage::ShardEpoch> Epochs() const;
  // Takes over the last event numbers; answers the shards whose lease is another's.
  absl::flat_hash_set<int> KeepNumbers(const storage::SettleResult& result);
  void Settled(const Unsettled& item);
  // Its egress may forget the report, or keeps it for the shard's next owner.
  void EndReport(const Unsettled& item, bool is_owned);
  void PutUnsettled(Unsettled item);
  storage::Settlement FromReport(const AttemptReport& report, const InFlight* flight, Instant now) const;

  const CoreOptions options_;
  const Clock& clock_;
  const Logger& log_;
  CorePorts& ports_;
  CoreMetrics& metrics_;
  std::function<double()> random_;
  uint64_t next_attempt_id_;

  std::map<int, Shard> shards_;
  int shard_count_ = 1;
  SteadyInstant lease_until_{};
  bool handing_over_ = false;
  // After a takeover: who has to send an inventory, and until when we wait for it.
  absl::flat_hash_set<std::string> awaited_egresses_;
  SteadyInstant gate_until_{};

  Names names_;  // Of tenants, streams and pools: what policies have named.
  Names texts_;  // Of campaigns, sender domains and tags.
  Forgetting forgetting_;
  FactsTable facts_;
  Parts parts_;
  EntryIndex index_;
  PendingCounts pending_;
  Calendar calendar_;
  ProviderCatalogue catalogue_;
  Domains domains_;
  Lookups lookups_;
  int lookups_under_way_ = 0;
  Flows flows_;
  Fleet fleet_;
  Allowances allowances_;
  std::vector<WarmupBook::View> warmup_;
  storage::LedgerDay warmup_day_;
  Pools pools_;
  ContentStore contents_;
  Watermarks watermarks_;
  absl::flat_hash_map<int64_t, InFlight> in_flight_;
  TenantRates rates_;
  SharedLimits shared_;
  absl::flat_hash_map<uint32_t, EntryList> aside_;  // Kept back, by the shared limit they wait for.
  Families families_;
  EntryList unrouted_;   // By the policy in force.
  EntryList kept_back_;  // By constraints that name a campaign or domain.
  EntryList to_file_;    // Of both: to be filed anew, some each turn.
  int64_t unrouted_count_ = 0, held_count_ = 0, kept_back_count_ = 0;
  Slot sweep_at_ = 0;
  uint32_t swept_whole_at_ = 0;  // Ticks.
  Census census_;
  QueueDepths queue_depths_;

  int64_t policy_revision_ = -1;
  std::optional<RoutingTable> routing_;
  std::vector<uint32_t> route_sites_;  // By route: of its smart host; kNoSite = by MX.
  std::vector<RouteRule> routes_;
  std::vector<ProviderRule> providers_;
  int64_t constraint_generation_ = -1;
  Suspensions suspensions_;
  std::vector<std::pair<ConstraintCause, std::optional<Instant>>> constraint_ends_;  // Of all there are.
  // When the next attempt may pass, of each constraint with a trickle.
  absl::flat_hash_map<int64_t, Instant> trickle_at_;
  std::optional<Instant> trickles_at_;  // The first of them.
  std::optional<Instant> constraint_ends_at_;
  std::deque<Order> orders_;
  int64_t next_order_ = 1'000;  // Below: not waited for.
  std::optional<RetrySchedules> retry_schedules_;

  std::vector<FetchRequest> to_fetch_;
  std::deque<Unsettled> unsettled_;
  std::vector<Unsettled> settling_;
  SteadyInstant oldest_unsettled_{}, settle_began_{}, settle_not_before_{};
  SteadyInstant high_came_until_{};  // High-priority mail came a moment ago.
  SteadyInstant inbox_at_{};
  bool settle_under_way_ = false;  // Or an inbox is being taken.
  int slow_start_ = 0;
  bool is_releasing_ = false;  // In the last turn.
  // Ended by a report while their rows were still being loaded: the load must not bring them back.
  absl::flat_hash_set<int64_t> ended_unloaded_;
  ToldDeferrals told_deferrals_;
  int loading_shards_ = 0;
  bool tailing_ = false, checking_writers_ = false;
  bool tail_wanted_ = false;
  SteadyInstant tail_at_{};
  std::vector<int64_t> unknown_writers_;
  SteadyInstant writers_checked_at_{};
  absl::flat_hash_map<int64_t, SteadyInstant> gone_since_;  // Writers that are provably gone.
  std::vector<uint32_t> wake_sites_;
  std::vector<uint64_t> wake_limits_;  // Groups that one more of may leave.
  std::vector<Sweep> sweeps_;
  int sweep_budget_ = 0;
};

}  // namespace sluice::scheduler
