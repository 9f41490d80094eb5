// A core with a fake world around it: PostgreSQL is a map, DNS answers at once, egress is a list of what it was sent. Time moves
// only when a test says so.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "scheduler/core.h"

namespace sluice::scheduler {

class FakePort final : public EgressPort {
 public:
  void Send(DeliverBatch batch) override {
    for (ReleasedEntry& entry : batch.releases) released.push_back(std::move(entry));
    contents += batch.contents.size();
    if (batch.settled_through >= 0) settled_through = batch.settled_through;
    not_owned.insert(not_owned.end(), batch.not_owned.begin(), batch.not_owned.end());
  }
  void SendHeartbeat(int64_t, Duration valid_for) override { valid = valid_for; }
  void SendAssignment(const std::vector<AssignedSource>&) override {}
  void SendSigningKeys(const std::vector<SigningKey>&) override {}
  void SendShaping(int64_t number, const ShapingOrder&) override { last_shaping = number; }
  void SendShards(const std::vector<int>& list) override { shards = list; }
  void SendRecall(int64_t number, const std::string&, const std::vector<RecalledEntry>& entries) override {
    for (const RecalledEntry& entry : entries) recalled.push_back(entry.entry_id);
    last_recall = number;
    ++recalls;
  }
  void Close() override { closed = true; }

  std::vector<ReleasedEntry> released;
  size_t contents = 0;
  int64_t settled_through = 0;
  std::vector<int64_t> not_owned, recalled;
  std::vector<int> shards;
  Duration valid{};
  int64_t last_recall = 0, last_shaping = 0;
  int recalls = 0;
  bool closed = false;
};

// Keeps what would be rows; answers when the test says so (Settle) or at once (Resolve, Fetch).
class FakeWorld final : public CorePorts {
 public:
  void Resolve(uint32_t domain, const std::string& name) override { lookups.push_back({domain, name}); }
  void Fetch(std::vector<FetchRequest> requests) override {
    fetches.insert(fetches.end(), requests.begin(), requests.end());
  }
  void LoadShard(int shard, int64_t epoch) override { loads.push_back({shard, epoch}); }
  void Tail(std::vector<int>, std::vector<Mark> marks) override {
    ++tails;
    tail_marks = std::move(marks);
  }
  void LoadRange(int, int64_t, int64_t first, int64_t last) override { ranges.push_back({first, last}); }
  void CheckWriters(std::vector<int64_t> writers) override { checks = std::move(writers); }
  void TrimBatches(std::vector<Mark>, std::vector<int64_t>, Instant) override {}
  void Settle(std::vector<storage::ShardEpoch> shards, std::vector<storage::Settlement> settlements) override {
    ASSERT_TRUE(settling.empty() && inbox_shards.empty()) << "one transaction at a time";
    settling_shards = std::move(shards);
    settling = std::move(settlements);
  }
  void TakeInbox(std::vector<storage::ShardEpoch> shards, int, Instant) override { inbox_shards = std::move(shards); }
  void Draw(std::vector<storage::GrantRequest> requests) override { draws.push_back(std::move(requests)); }
  void Record(std::vector<storage::LedgerCounts> counts) override { recorded.insert(recorded.end(), counts.begin(), counts.end()); }
  void StoreRoute(std::string, std::string, std::string, Instant) override {}
  bool IsSuppressed(std::string_view tenant, std::string_view recipient) const override {
    return suppressed.contains({std::string(tenant), std::string(recipient)});
  }

  std::set<std::pair<std::string, std::string>> suppressed;  // (tenant, recipient)

  std::vector<std::pair<uint32_t, std::string>> lookups;
  std::vector<FetchRequest> fetches;
  std::vector<std::pair<int, int64_t>> loads;
  std::vector<std::pair<int64_t, int64_t>> ranges;
  std::vector<int64_t> checks;
  std::vector<std::vector<storage::GrantRequest>> draws;
  std::vector<storage::LedgerCounts> recorded;
  int tails = 0;
  std::vector<Mark> tail_marks;
  std::vector<storage::ShardEpoch> settling_shards;
  std::vector<storage::Settlement> settling;
  std::vector<storage::ShardEpoch> inbox_shards;  // An inbox is being taken.
  int64_t notes = 0;                              // That the next taking finds, all of the first shard.
  std::vector<storage::Settlement> events;  // Committed, in order.
};

class CoreRig {
 public:
  static constexpr int kShard = 3;
  static constexpr int64_t kWriter = 7;

  explicit CoreRig(bool with_constraints = true, const CoreOptions& options = Options())
      : log_(sink_, clock, "test"), core(options, clock, log_, world, metrics) {
    core.SetPolicy(1, Policy());
    if (with_constraints) core.SetConstraints(1, {});
  }

  static CoreOptions Options() { return {}; }
  static PolicyDocument Policy() {
    PolicyDocument policy;
    policy.streams = {{.name = "marketing"}};
    policy.sources = {{.name = "ip-1", .address = "127.0.0.11", .bind = "127.0.0.11", .ehlo = "a.test"},
                      {.name = "ip-2", .address = "127.0.0.12", .bind = "127.0.0.12", .ehlo = "b.test"}};
    policy.pools = {{.name = "warm", .members = {{.source = "ip-1"}, {.source = "ip-2"}}}};
    policy.routes = {{.match = {}, .pool = "warm"}};
    return policy;
  }

  // Owns the shard, loaded empty, with a long lease.
  void TakeShard(std::vector<std::string> registered = {}) {
    core.OnShardTaken(kShard, 1, 0, registered);
    core.OnLeaseExtended(clock.Steady() + std::chrono::hours(1));
    core.OnShardMarks(kShard, 1, {});
    core.OnShardLoaded(kShard, 1);
    core.OnWritersChecked({kWriter}, {});
  }

  std::shared_ptr<FakePort> Connect(const std::string& id = "egress-1", uint64_t incarnation = 1,
                                    std::vector<int64_t> inventory = {}) {
    auto port = std::make_shared<FakePort>();
    sessions[id] = core.OnEgressConnected({.egress_id = id,
                                           .version = "1",
                                           .incarnation = incarnation,
                                           .credit_entries = 1000,
                                           .credit_bytes = 1 << 30,
                                           .bind_addresses = {}},
                                          port);
    Inventory(id, std::move(inventory));
    return port;
  }
  void Inventory(const std::string& id, std::vector<int64_t> ids) {
    DeliverInput input;
    input.inventory = std::move(ids);
    input.inventory_complete = true;
    core.OnDeliver(sessions[id], std::move(input));
  }
  void Bind(std::vector<AssignedTo> assigned = {{"ip-1", "egress-1", true}, {"ip-2", "egress-1", true}}) {
    core.SetAssignments(assigned);
  }

  int64_t Id(uint32_t counter) const { return int64_t{kShard} << 56 | kWriter << 32 | counter; }
  HandedBatch Batch(int64_t seq, uint32_t counter, int messages = 1, const std::string& domain = "d.test") {
    HandedBatch batch{.shard = kShard, .writer = kWriter, .seq = seq, .messages = {}};
    for (int i = 0; i < messages; ++i) {
      HandedMessage& message = batch.messages.emplace_back();
      message.message_id = Id(counter + static_cast<uint32_t>(i));
      message.tenant = "shop";
      message.stream = "marketing";
      message.sender_domain = "shop.example";
      message.accepted_at = message.due_at = clock.Now();
      message.expires_at = clock.Now() + std::chrono::hours(24);
      auto content = std::make_shared<Content>();
      content->message_id = message.message_id;
      content->data = "hello";
      message.content = content;
      message.recipients.push_back({.domain = domain, .payload = {.recipient = "u@" + domain, .merge_values = {}, .dsn_notify = {}}});
    }
    return batch;
  }
  Core::HandoffAnswer HandOff(HandedBatch batch) {
    std::vector<HandedBatch> batches;
    batches.push_back(std::move(batch));
    return core.OnHandoff(std::move(batches));
  }

  // Turns until nothing moves: DNS answers, fetches are found, settlements are committed.
  void Run() {
    for (int i = 0; i < 200; ++i) {
      core.Turn();
      if (!AnswerDns() && !Commit() && !TakeInbox()) return;
    }
    FAIL() << "the core does not come to rest";
  }
  bool AnswerDns() {
    const auto lookups = std::exchange(world.lookups, {});
    for (const auto& [domain, name] : lookups) {
      MxAnswer answer;
      answer.status = DnsStatus::kOk;
      answer.hosts = {{.name = "mx." + name, .preference = 10}};
      answer.ttl = std::chrono::hours(1);
      core.OnResolved(domain, answer, answer.hosts);
    }
    return !lookups.empty();
  }
  bool TakeInbox() {
    if (world.inbox_shards.empty()) return false;
    storage::SettleResult result;
    for (const storage::ShardEpoch& shard : std::exchange(world.inbox_shards, {})) {
      result.shards.push_back({shard.shard, true, shard.last_seq + std::exchange(world.notes, 0)});
    }
    core.OnInboxTaken(result);
    return true;
  }
  bool Commit() {
    if (world.settling.empty()) return false;
    storage::SettleResult result;
    for (const storage::ShardEpoch& shard : world.settling_shards) {
      int64_t last = shard.last_seq;
      for (const storage::Settlement& s : world.settling) {
        if (static_cast<int>(s.entry_id >> 56) == shard.shard && !s.kind.empty()) ++last;
      }
      result.shards.push_back({shard.shard, true, last});
    }
    world.events.insert(world.events.end(), world.settling.begin(), world.settling.end());
    world.settling.clear();
    core.OnSettled(result);
    return true;
  }
  void Report(const std::string& egress, const ReleasedEntry& entry, int disposition, int64_t number,
              const std::string& stage = "body", Duration retry_after = {}, const std::string& enhanced_status = {}) {
    DeliverInput input;
    AttemptReport report;
    report.retry_after = retry_after;
    report.entry_id = entry.entry_id;
    report.message_id = entry.message_id;
    report.attempt_id = entry.attempt_id;
    report.attempt = entry.attempt;
    report.source = entry.source;
    report.number = number;
    report.disposition = disposition;
    report.stage = stage;
    report.enhanced_status = enhanced_status;
    input.reports.push_back(report);
    core.OnDeliver(sessions[egress], std::move(input));
  }
  std::vector<std::string> Kinds() const {
    std::vector<std::string> kinds;
    for (const storage::Settlement& s : world.events) {
      if (!s.kind.empty()) kinds.push_back(s.kind);
    }
    return kinds;
  }
  // Moves the clock in small steps, egresses named being heard all the while.
  void Pass(Duration time, std::vector<std::string> alive) {
    for (Duration step = std::chrono::milliseconds(500); time.count() > 0; time -= step) {
      clock.Advance(step);
      for (const std::string& id : alive) core.OnHeartbeat(sessions[id], 0);
      core.Turn();
    }
  }

  FakeClock clock;
  FakeWorld world;
  CoreMetrics metrics;
  std::map<std::string, Core::Session> sessions;

 private:
  CapturingSink sink_;
  Logger log_;

 public:
  Core core;
};

}  // namespace sluice::scheduler
