// Random policies and random events over a core, held against the plain meaning of the policy: whatever happens, an entry leaves only
// through a member of the pool its route names (or of that pool's overflow), with a weight, bound at that egress, held by nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>

#include "base/text.h"
#include "policy/constraints.h"
#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

constexpr int kSources = 8, kPools = 4;
constexpr int kSteps = 150;
const std::vector<std::string> kEgresses = {"egress-1", "egress-2"};
const std::vector<std::string> kStreams = {"news", "receipts"};
const std::vector<std::string> kTenants = {"shop", "bank"};
const std::vector<std::string> kProviders = {"pa", "pb", "other"};

// What an egress has been sent, in the order it came.
class WatchedPort final : public EgressPort {
 public:
  void Send(DeliverBatch batch) override {
    for (ReleasedEntry& entry : batch.releases) released.push_back(std::move(entry));
  }
  void SendHeartbeat(int64_t, Duration) override {}
  void SendAssignment(const std::vector<AssignedSource>&) override {}
  void SendSigningKeys(const std::vector<SigningKey>&) override {}
  void SendShaping(int64_t, const ShapingOrder&) override {}
  void SendShards(const std::vector<int>&) override { inventory_wanted = true; }
  void SendRecall(int64_t number, const std::string&, const std::vector<RecalledEntry>& entries) override {
    recalls.push_back({number, entries});
  }
  void Close() override {}

  std::vector<ReleasedEntry> released;
  std::deque<std::pair<int64_t, std::vector<RecalledEntry>>> recalls;
  bool inventory_wanted = false;
};

class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    rig_.TakeShard();
    for (const std::string& egress : kEgresses) Connect(egress);
    NewPolicy();
    Bind(/*all=*/true);
  }

  void Step() {
    switch (random_() % 10) {
      case 0: return NewPolicy();
      case 1:
      case 2: return NewConstraints();
      case 3: return Bind(/*all=*/random_() % 2 == 0);
      case 4: return Reconnect(kEgresses[random_() % kEgresses.size()]);
      case 5: return Pass(std::chrono::minutes(random_() % 20));
      default: return HandOff(static_cast<int>(1 + random_() % 12));
    }
  }

  // Everything may leave: all of it must, each entry once.
  void Finish() {
    policy_ = AnyPolicy();
    policy_.routes = {{.match = {}, .pool = "pool-0"}};
    policy_.pools[0].members = {{.source = "ip-0"}, {.source = "ip-1"}};
    rig_.core.SetPolicy(++revision_, policy_);
    SetConstraints({});
    Bind(true);
    for (int hours = 0; hours < 20 && ended_.size() < accepted_.size(); ++hours) {
      calm_ = true;
      Pass(std::chrono::hours(1));
    }
    EXPECT_EQ(ended_.size(), accepted_.size());
  }

  // With the same members eligible all along, one-message domains get their exact shares.
  void CheckShares() {
    SetConstraints({});
    Bind(true);
    calm_ = true;
    Pass(std::chrono::hours(12));  // What waits is gone, so that only what follows takes turns.
    Watch(random_() % 2 == 0 ? 4 : kSources);
  }

  int released() const { return released_; }

 private:
  int Roll(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string Source() { return Cat("ip-", Roll(kSources)); }
  std::string Pool() { return Cat("pool-", Roll(kPools)); }
  const std::string& OneOf(const std::vector<std::string>& list) { return list[random_() % list.size()]; }
  // Half of them empty.
  std::string Perhaps(const std::string& name) { return random_() % 2 == 0 ? name : std::string(); }

  PolicyDocument AnyPolicy() {
    PolicyDocument policy;
    for (const std::string& name : kStreams) policy.streams.push_back({.name = name});
    policy.providers = {{".pa.test", "pa"}, {".pb.test", "pb"}};
    for (int i = 0; i < kSources; ++i) {
      const std::string address = Cat("127.0.0.", 11 + i);
      policy.sources.push_back({.name = Cat("ip-", i), .address = address, .bind = address, .ehlo = "a.test"});
    }
    for (int i = 0; i < kPools; ++i) {
      PoolPolicy pool{.name = Cat("pool-", i), .members = {}, .overflow = {}};
      std::set<std::string> members;
      for (int n = 0; n < 1 + Roll(5); ++n) members.insert(Source());
      for (const std::string& source : members) {
        pool.members.push_back({.source = source, .weight = Roll(4), .reserve = Roll(4) == 0});
      }
      // Never in a circle.
      if (i + 1 < kPools && Roll(2) == 0) pool.overflow = Cat("pool-", i + 1 + Roll(kPools - i - 1));
      policy.pools.push_back(std::move(pool));
    }
    for (int i = 0; i < 1 + Roll(6); ++i) {
      policy.routes.push_back({.match = {.tenant = Perhaps(OneOf(kTenants)), .stream = Perhaps(OneOf(kStreams)),
                                         .provider = Perhaps(OneOf(kProviders))},
                               .pool = Pool()});
    }
    return policy;
  }

  void NewPolicy() {
    policy_ = AnyPolicy();
    rig_.core.SetPolicy(++revision_, policy_);
    Settle();
  }

  void SetConstraints(std::vector<Constraint> constraints) {
    constraints_ = std::move(constraints);
    rig_.core.SetConstraints(++generation_, constraints_);
    Settle();
  }

  void NewConstraints() {
    std::vector<Constraint> all;
    for (int i = 0; i < Roll(4); ++i) {
      Scope scope;
      switch (Roll(6)) {
        case 0: scope.pool = Pool(); break;
        case 1: scope.stream = OneOf(kStreams); break;
        case 2: scope.provider = OneOf(kProviders); break;
        case 3: scope.tenant = OneOf(kTenants); break;
        default: scope.source = Source(); scope.provider = Perhaps(OneOf(kProviders));
      }
      std::optional<Instant> until;
      if (Roll(2) == 0) until = rig_.clock.Now() + std::chrono::minutes(1 + Roll(30));
      all.push_back({.id = i + 1, .scope = scope, .value = {.suspend = true}, .until = until});
    }
    SetConstraints(std::move(all));
  }

  void Bind(bool all) {
    bound_.clear();
    std::vector<AssignedTo> assigned;
    for (int i = 0; i < kSources; ++i) {
      const std::string source = Cat("ip-", i), egress = OneOf(kEgresses);
      const bool bound = all || Roll(4) != 0;
      assigned.push_back({source, egress, bound});
      if (bound) bound_[source] = egress;
    }
    rig_.core.SetAssignments(assigned);
    Settle();
  }

  void Connect(const std::string& egress) {
    auto port = std::make_shared<WatchedPort>();
    rig_.sessions[egress] = rig_.core.OnEgressConnected({.egress_id = egress,
                                                         .version = "1",
                                                         .incarnation = ++incarnation_,
                                                         .credit_entries = 2'000,
                                                         .credit_bytes = 1 << 30,
                                                         .bind_addresses = {}},
                                                        port);
    ports_[egress] = std::move(port);
    rig_.Inventory(egress, {});
  }

  // As another process, which knows nothing of what it was given.
  void Reconnect(const std::string& egress) {
    rig_.core.OnEgressGone(rig_.sessions[egress]);
    std::erase_if(held_, [&](const auto& held) { return held.second.first == egress; });
    Connect(egress);
    Settle();
  }

  void HandOff(int messages) {
    HandedBatch batch{.shard = CoreRig::kShard, .writer = CoreRig::kWriter, .seq = ++seq_, .messages = {}};
    for (int i = 0; i < messages; ++i) AddMessage(batch, OneOf(kTenants), OneOf(kStreams), OneOf(kProviders));
    rig_.HandOff(std::move(batch));
    Settle();
  }

  void AddMessage(HandedBatch& batch, const std::string& tenant, const std::string& stream, const std::string& provider) {
    HandedMessage& message = batch.messages.emplace_back();
    message.message_id = rig_.Id(++counter_);
    message.tenant = tenant;
    message.stream = stream;
    message.accepted_at = message.due_at = rig_.clock.Now();
    message.expires_at = rig_.clock.Now() + std::chrono::hours(2'000);
    auto content = std::make_shared<Content>();
    content->message_id = message.message_id;
    content->data = "hello";
    message.content = content;
    const std::string domain = Cat("d", Roll(1'000'000), ".", provider, ".test");
    message.recipients.push_back({.domain = domain, .payload = {.recipient = Cat("u@", domain), .merge_values = {}, .dsn_notify = {}}});
    accepted_.insert(message.message_id);
  }

  void Pass(Duration time) {
    rig_.clock.Advance(time);
    rig_.core.OnLeaseExtended(rig_.clock.Steady() + std::chrono::hours(1));
    for (const std::string& egress : kEgresses) rig_.core.OnHeartbeat(rig_.sessions[egress], 0);
    Settle();
  }

  // Turns until nothing moves; every release is looked at in the turn in which it was made.
  void Settle() {
    for (int i = 0; i < 500; ++i) {
      bool moved = rig_.core.Turn();
      moved = rig_.AnswerDns() || moved;
      moved = Fetch() || moved;
      moved = rig_.Commit() || moved;
      moved = rig_.TakeInbox() || moved;
      for (const std::string& egress : kEgresses) moved = Act(egress) || moved;
      NoteEnds();
      if (!moved) return;
    }
    FAIL() << "the core does not come to rest";
  }

  bool Fetch() {
    std::vector<Fetched> fetched;
    for (const FetchRequest& request : std::exchange(rig_.world.fetches, {})) {
      auto content = std::make_shared<Content>();
      content->message_id = request.message_id;
      content->data = "hello";
      fetched.push_back({.request = request, .entry_found = true, .payload = {.recipient = domains_[request.entry_id], .merge_values = {}, .dsn_notify = {}}, .content = content});
    }
    const bool any = !fetched.empty();
    if (any) rig_.core.OnFetched(std::move(fetched));
    return any;
  }

  bool Act(const std::string& egress) {
    const std::shared_ptr<WatchedPort> port = ports_[egress];
    bool moved = false;
    if (std::exchange(port->inventory_wanted, false)) rig_.Inventory(egress, {});
    for (const ReleasedEntry& entry : std::exchange(port->released, {})) {
      Check(egress, entry);
      const auto [held, is_new] = held_.try_emplace(entry.entry_id, egress, entry);
      EXPECT_TRUE(is_new) << "given out twice";
      EXPECT_FALSE(ended_.contains(entry.entry_id)) << "given out after its end";
      moved = true;
    }
    for (; !port->recalls.empty(); port->recalls.pop_front(), moved = true) Answer(egress, port->recalls.front());
    for (auto at = held_.begin(); at != held_.end();) {
      // Some are kept in the egress's queue for a while, so that there is something to ask back.
      if (at->second.first != egress || (!calm_ && Roll(3) == 0)) {
        ++at;
        continue;
      }
      const ReleasedEntry entry = at->second.second;
      at = held_.erase(at);
      rig_.Report(egress, entry, !calm_ && Roll(4) == 0 ? 2 : 1, ++reports_[rig_.sessions[egress].session], "rcpt");
      moved = true;
    }
    return moved;
  }

  void Answer(const std::string& egress, const std::pair<int64_t, std::vector<RecalledEntry>>& recall) {
    DeliverInput back;
    for (const RecalledEntry& entry : recall.second) {
      const auto held = held_.find(entry.entry_id);
      if (held == held_.end() || held->second.second.attempt_id != entry.attempt_id) continue;
      back.returns.push_back({.entry_id = entry.entry_id, .attempt_id = entry.attempt_id, .reason = "recall", .detail = {}});
      held_.erase(held);
    }
    rig_.core.OnDeliver(rig_.sessions[egress], back);
    rig_.core.OnOrderResult(rig_.sessions[egress], recall.first);
  }

  void NoteEnds() {
    for (; noted_ < rig_.world.events.size(); ++noted_) {
      const storage::Settlement& event = rig_.world.events[noted_];
      if (event.kind == "delivered") {
        EXPECT_TRUE(ended_.insert(event.entry_id).second) << "delivered twice";
      } else {
        EXPECT_TRUE(event.kind.empty() || event.kind == "deferred") << event.kind;
      }
    }
  }

  // ---- the plain meaning -----------------------------------------------------------------------

  bool CanSend(const std::string& source) const {
    return bound_.contains(source);
  }
  bool IsHeld(const ReleasedEntry& entry, const std::string& pool, const std::string& source) const {
    const SendingFacts facts{.source = source, .provider = entry.provider, .pool = pool, .tenant = entry.tenant, .stream = entry.stream};
    return std::any_of(constraints_.begin(), constraints_.end(), [&](const Constraint& constraint) {
      return IsInForce(constraint, rig_.clock.Now()) && Covers(constraint.scope, facts);
    });
  }
  bool MaySend(const ReleasedEntry& entry, const PoolPolicy& pool, const PoolMember& member) const {
    return member.weight > 0 && CanSend(member.source) && !IsHeld(entry, pool.name, member.source);
  }

  void Check(const std::string& egress, const ReleasedEntry& entry) {
    ++released_;
    domains_[entry.entry_id] = entry.payload.recipient;
    const std::string told = Cat("seed's policy ", revision_, ": ", entry.tenant, "/", entry.stream, "/", entry.provider, " left ",
                                 entry.pool, " by ", entry.source);
    ASSERT_NE(entry.payload.recipient.find(Cat(".", entry.provider, ".test")), std::string::npos) << told;
    const RoutingFacts facts{.tenant = entry.tenant, .stream = entry.stream, .provider = entry.provider};
    const auto route = std::find_if(policy_.routes.begin(), policy_.routes.end(),
                                    [&](const RouteRule& rule) { return Matches(rule.match, facts); });
    ASSERT_NE(route, policy_.routes.end()) << told;
    const PoolPolicy* pool = FindPool(policy_, route->pool);
    for (; pool != nullptr && pool->name != entry.pool; pool = FindPool(policy_, pool->overflow)) {
      // Passed over: held here, and nobody else could send.
      for (const PoolMember& member : pool->members) EXPECT_FALSE(MaySend(entry, *pool, member)) << told;
      EXPECT_TRUE(std::any_of(pool->members.begin(), pool->members.end(), [&](const PoolMember& member) {
        return member.weight > 0 && CanSend(member.source) && IsHeld(entry, pool->name, member.source);
      })) << told;
    }
    ASSERT_NE(pool, nullptr) << told << ", which its route does not reach";
    const auto member = std::find_if(pool->members.begin(), pool->members.end(),
                                     [&](const PoolMember& m) { return m.source == entry.source; });
    ASSERT_NE(member, pool->members.end()) << told << ", which is none of its members";
    EXPECT_GT(member->weight, 0) << told;
    EXPECT_FALSE(IsHeld(entry, pool->name, entry.source)) << told;
    const auto bound = bound_.find(entry.source);
    ASSERT_NE(bound, bound_.end()) << told;
    EXPECT_EQ(bound->second, egress) << told;
    // A retry may keep the reserve it left by; nobody else takes one while a regular member could send.
    if (member->reserve && entry.attempt == 1) {
      for (const PoolMember& other : pool->members) {
        EXPECT_TRUE(other.reserve || !MaySend(entry, *pool, other)) << told << ", a reserve beside " << other.source;
      }
    }
    ++picks_[entry.source];
  }

  void Watch(int members) {
    policy_ = AnyPolicy();
    policy_.pools.push_back({.name = "watched", .members = {}, .overflow = {}});
    int total = 0;
    for (int i = 0; i < members; ++i) {
      policy_.pools.back().members.push_back({.source = Cat("ip-", i), .weight = 1 + Roll(5)});
      total += policy_.pools.back().members.back().weight;
    }
    policy_.routes.insert(policy_.routes.begin(), {.match = {.stream = "news"}, .pool = "watched"});
    rig_.core.SetPolicy(++revision_, policy_);
    Pass(std::chrono::hours(12));  // What no route took before.
    for (int round = 0; round < 5; ++round) {
      picks_.clear();
      HandedBatch batch{.shard = CoreRig::kShard, .writer = CoreRig::kWriter, .seq = ++seq_, .messages = {}};
      for (int i = 0; i < 100; ++i) AddMessage(batch, "shop", "news", "other");
      rig_.HandOff(std::move(batch));
      Settle();
      for (const PoolMember& member : policy_.pools.back().members) {
        const double exact = 100.0 * member.weight / total;
        EXPECT_NEAR(picks_[member.source], exact, members <= 4 ? 1.0 : 2.0) << member.source << " of " << members;
      }
    }
  }

  std::mt19937 random_;
  CoreRig rig_;
  std::map<std::string, std::shared_ptr<WatchedPort>> ports_;
  PolicyDocument policy_;
  std::vector<Constraint> constraints_;
  std::map<std::string, std::string> bound_;                              // Source → egress.
  std::map<int64_t, std::pair<std::string, ReleasedEntry>> held_;         // At an egress, not begun.
  std::map<uint64_t, int64_t> reports_;                                   // Last number by session.
  std::map<int64_t, std::string> domains_;                                // Recipient by entry.
  std::map<std::string, int> picks_;
  std::set<int64_t> accepted_, ended_;
  size_t noted_ = 0;
  int64_t revision_ = 1, generation_ = 1, seq_ = 0;
  uint64_t incarnation_ = 0;
  uint32_t counter_ = 0;
  int released_ = 0;
  bool calm_ = false;  // Everything is delivered at once.
};

class CorePolicyPropertyTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(CorePolicyPropertyTest, NothingLeavesAgainstThePolicyAndNothingIsLost) {
  World world(GetParam());
  for (int i = 0; i < kSteps && !::testing::Test::HasFailure(); ++i) world.Step();
  world.Finish();
  EXPECT_GT(world.released(), 100) << "a run in which nothing leaves shows nothing";
}

TEST_P(CorePolicyPropertyTest, WeightsAreKeptWhileTheSameMembersAreEligible) {
  World world(GetParam());
  for (int i = 0; i < 30; ++i) world.Step();
  world.CheckShares();
}

INSTANTIATE_TEST_SUITE_P(Seeds, CorePolicyPropertyTest, ::testing::Range(1U, 41U));

}  // namespace
}  // namespace sluice::scheduler
