// Who gets turns and credit, and what a policy or a rate does to those that wait.
#include <gmock/gmock.h>

#include <map>

#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

using ::testing::SizeIs;

constexpr int kDelivered = 1;

struct CoreFairnessTest : ::testing::Test {
  void SetUp() override {
    rig.TakeShard();
    port = rig.Connect();
    rig.Bind();
  }
  void HandOff(const std::string& tenant, int messages, const std::string& domain) {
    HandedBatch batch = rig.Batch(seq, next, messages, domain);
    for (HandedMessage& message : batch.messages) message.tenant = tenant;
    rig.HandOff(std::move(batch));
    ++seq;
    next += static_cast<uint32_t>(messages);
  }
  std::map<std::string, int> ReleasedByTenant() const {
    std::map<std::string, int> count;
    for (const ReleasedEntry& entry : port->released) ++count[entry.tenant];
    return count;
  }
  // Reports whatever was released since the last call, but what goes to `silent`.
  void ReportAllBut(const std::string& silent) {
    for (; reported < port->released.size(); ++reported) {
      const ReleasedEntry entry = port->released[reported];
      if (entry.payload.recipient.ends_with("@" + silent)) continue;
      rig.Report("egress-1", entry, kDelivered, ++number);
    }
  }
  CoreRig rig;
  std::shared_ptr<FakePort> port;
  int64_t seq = 1, number = 0;
  uint32_t next = 1;
  size_t reported = 0;
};

TEST_F(CoreFairnessTest, ATenantLeavesCreditForTheNext) {
  for (int i = 0; i < 40; ++i) HandOff("bulk", 100, "d" + std::to_string(i) + ".test");
  rig.Run();
  const int bulk = ReleasedByTenant()["bulk"];
  EXPECT_LT(bulk, 1000) << "the credit of the egress";
  HandOff("shop", 20, "d1.test");
  rig.Run();
  EXPECT_EQ(ReleasedByTenant()["shop"], 20);
}

// PostgreSQL is slow: an egress keeps what it has reported, and takes no more than it can keep.
TEST_F(CoreFairnessTest, WhatIsReportedAndNotSettledTakesCreditAndLeavesSomeForTheNext) {
  for (int i = 0; i < 60; ++i) HandOff("bulk", 100, "d" + std::to_string(i) + ".test");
  rig.AnswerDns();
  const auto turns = [&] {
    for (int i = 0; i < 100; ++i) {
      rig.core.Turn();
      rig.AnswerDns();
      ReportAllBut("");
    }
  };
  turns();
  const int bulk = ReleasedByTenant()["bulk"];
  EXPECT_GT(bulk, 1000) << "more than may be in flight at once";
  EXPECT_LE(bulk, 2400) << "four fifths of three times its credit";
  HandOff("shop", 200, "d1.test");
  turns();
  EXPECT_EQ(ReleasedByTenant()["shop"], 200) << "nobody takes all";
  EXPECT_LE(port->released.size(), 3000U);
  rig.Run();
  turns();
  EXPECT_GT(ReleasedByTenant()["bulk"], bulk) << "settled: there is room again";
}

// A long transaction beside it is what high-priority mail waits for at its own commit.
TEST_F(CoreFairnessTest, SettlementsAreShortWhileHighPriorityMailComes) {
  const auto settles = [&] {
    for (int i = 0; i < 5; ++i) HandOff("bulk", 100, "d" + std::to_string(i) + ".test");
    rig.Run();
    ReportAllBut("");
    do {
      rig.core.Turn();
    } while (rig.TakeInbox());
    const size_t first = rig.world.settling.size();
    rig.Run();
    return first;
  };
  EXPECT_GT(settles(), CoreOptions().settle_batch_beside_high);
  HandedBatch urgent = rig.Batch(seq++, next++, 1, "d1.test");
  urgent.messages[0].priority = kHighPriority;
  rig.HandOff(std::move(urgent));
  EXPECT_EQ(settles(), CoreOptions().settle_batch_beside_high);
  rig.Pass(std::chrono::seconds(2), {"egress-1"});
  EXPECT_GT(settles(), CoreOptions().settle_batch_beside_high);
}

// Where settling bounds the rate the processors are all taken; high-priority mail finds them free in between.
TEST_F(CoreFairnessTest, ASettlementRestsForHalfItsTimeWhileHighPriorityMailComes) {
  for (int i = 0; i < 9; ++i) HandOff("bulk", 100, "d" + std::to_string(i) + ".test");
  HandedBatch urgent = rig.Batch(seq++, next++, 1, "d1.test");
  urgent.messages[0].priority = kHighPriority;
  rig.HandOff(std::move(urgent));
  rig.Run();
  ReportAllBut("");
  do {
    rig.core.Turn();
  } while (rig.TakeInbox());
  const auto begins_after = [&](Duration time) {
    rig.clock.Advance(time);
    rig.core.Turn();
    return !rig.world.settling.empty();
  };
  rig.clock.Advance(std::chrono::milliseconds(10));
  ASSERT_TRUE(rig.Commit());
  EXPECT_FALSE(begins_after(std::chrono::milliseconds(4)));
  EXPECT_TRUE(begins_after(std::chrono::milliseconds(1)));
  ReportAllBut("");
  rig.clock.Advance(std::chrono::seconds(1));
  ASSERT_TRUE(rig.Commit());
  EXPECT_TRUE(begins_after(Duration::zero())) << "no more of it comes";
}

// An egress that connects anew keeps its reports for whoever owns their shards now: nothing of them counts twice or for ever.
TEST_F(CoreFairnessTest, AnEgressThatConnectsAnewHasItsWholeCredit) {
  for (int i = 0; i < 60; ++i) HandOff("bulk", 100, "d" + std::to_string(i) + ".test");
  rig.AnswerDns();
  for (int i = 0; i < 100; ++i) {
    rig.core.Turn();
    rig.AnswerDns();
    ReportAllBut("");
  }
  const size_t before = port->released.size();
  rig.core.OnEgressGone(rig.sessions["egress-1"]);
  port = rig.Connect();
  rig.Bind();
  reported = 0;
  rig.Commit();
  for (int i = 0; i < 10; ++i) rig.core.Turn();
  EXPECT_GT(port->released.size(), 100U) << before << " were released before";
}

TEST_F(CoreFairnessTest, ABlackHoledSiteHoldsNobodyElseUp) {
  for (int i = 0; i < 30; ++i) HandOff("shop", 100, "hole.test");
  rig.Run();
  const size_t held = port->released.size();
  EXPECT_LE(held, 64u) << "two sources, the first window of each";
  for (int i = 0; i < 20; ++i) HandOff("shop", 100, "fine.test");
  for (int round = 0; round < 200; ++round) {
    rig.Run();
    ReportAllBut("hole.test");
  }
  EXPECT_EQ(port->released.size(), held + 2000);
}

TEST_F(CoreFairnessTest, ManyBlackHoledSitesLeaveHalfOfTheCreditToThoseThatDeliver) {
  HandOff("shop", 1, "fine.test");
  rig.Run();
  HandOff("shop", 1, "fine.test");
  rig.Run();
  ReportAllBut("");
  for (int i = 0; i < 40; ++i) HandOff("other", 50, "hole" + std::to_string(i) + ".test");
  rig.Run();
  EXPECT_EQ(ReleasedByTenant()["other"], 500);
  HandOff("shop", 60, "fine.test");
  rig.Run();
  EXPECT_EQ(ReleasedByTenant()["shop"], 62);
}

TEST_F(CoreFairnessTest, ATenantsRateHoldsAndTheOthersAreNotHeldUp) {
  PolicyDocument policy = CoreRig::Policy();
  policy.tenants = {{.name = "slow", .rate = Rate{.count = 100, .per = std::chrono::seconds(1)}}, {.name = "shop"}};
  rig.core.SetPolicy(2, policy);
  rig.core.OnShardCount(1);
  for (int i = 0; i < 10; ++i) HandOff("slow", 100, "d" + std::to_string(i) + ".test");
  HandOff("shop", 60, "d1.test");
  rig.Run();
  EXPECT_EQ(ReleasedByTenant()["shop"], 60);
  EXPECT_EQ(ReleasedByTenant()["slow"], 10) << "a tenth of a second's worth at once";
  const Instant began = rig.clock.Now();
  for (int i = 0; i < 100; ++i) {
    rig.clock.Advance(std::chrono::milliseconds(50));
    rig.core.OnHeartbeat(rig.sessions["egress-1"], 0);
    rig.Run();
    ReportAllBut("");
    const auto passed = static_cast<double>((rig.clock.Now() - began).count()) * 1e-6;
    ASSERT_LE(ReleasedByTenant()["slow"], 100 * passed + 10 + 1);
  }
  EXPECT_GE(ReleasedByTenant()["slow"], 500 * 0.99) << "five seconds, saturated";
}

TEST_F(CoreFairnessTest, ARateIsSharedByTheShardsThatAreOwned) {
  PolicyDocument policy = CoreRig::Policy();
  policy.tenants = {{.name = "slow", .rate = Rate{.count = 1000, .per = std::chrono::seconds(1)}}};
  rig.core.SetPolicy(2, policy);
  rig.core.OnShardCount(4);
  for (int i = 0; i < 10; ++i) HandOff("slow", 100, "d" + std::to_string(i) + ".test");
  for (int i = 0; i < 20; ++i) {
    rig.Run();
    ReportAllBut("");
    rig.clock.Advance(std::chrono::milliseconds(50));
  }
  EXPECT_NEAR(ReleasedByTenant()["slow"], 250, 50);
}

TEST_F(CoreFairnessTest, ANewPolicyIsInForceAtOnceAndFilesWhatWaitsAFewAtATime) {
  rig.Bind({{"ip-1", "egress-1", false}, {"ip-2", "egress-1", false}});
  for (int i = 0; i < 50; ++i) HandOff("shop", 500, "d" + std::to_string(i % 10) + ".test");
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(0));
  PolicyDocument policy = CoreRig::Policy();
  policy.pools.push_back({.name = "only-2", .members = {{.source = "ip-2"}}});
  policy.routes = {{.match = {}, .pool = "only-2"}};
  rig.core.SetPolicy(2, policy);
  rig.Bind();
  EXPECT_TRUE(rig.core.Turn()) << "more is to be filed";
  rig.Run();
  for (int round = 0; round < 60; ++round) {
    rig.Run();
    ReportAllBut("");
  }
  EXPECT_GT(port->released.size(), 10'000u);
  for (const ReleasedEntry& entry : port->released) ASSERT_EQ(entry.pool, "only-2");
}

TEST_F(CoreFairnessTest, MailThatNoRouteNamesExpiresLikeAllOther) {
  PolicyDocument policy = CoreRig::Policy();
  policy.routes.clear();
  rig.core.SetPolicy(2, policy);
  HandOff("shop", 3, "d.test");
  rig.Run();
  EXPECT_EQ(rig.core.Snapshot().unrouted, 3);
  rig.Pass(std::chrono::hours(24) + std::chrono::seconds(1), {"egress-1"});
  rig.Run();
  EXPECT_EQ(rig.Kinds(), (std::vector<std::string>{"expired", "expired", "expired"}));
  EXPECT_EQ(rig.core.Snapshot().unrouted, 0);
}

}  // namespace
}  // namespace sluice::scheduler
