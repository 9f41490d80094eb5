// Operations on many entries: cancel, bounce, move, retry now.
#include <gmock/gmock.h>

#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kDelivered = 1, kDeferred = 2;

struct CoreSweepTest : ::testing::Test {
  void SetUp() override { rig.TakeShard(); }
  void Send() {
    port = rig.Connect();
    rig.Bind();
  }
  SweepOrder Order(SweepKind kind, Match filter) {
    return {.operation = 7, .kind = kind, .filter = std::move(filter), .reason = "a test", .accepted_before = rig.clock.Now()};
  }
  SweepCount Done() { return rig.core.ProgressOf(7).shards.at(CoreRig::kShard); }
  CoreRig rig;
  std::shared_ptr<FakePort> port;
};

TEST_F(CoreSweepTest, CancelsWhatMatchesAndNothingElse) {
  rig.HandOff(rig.Batch(1, 1, 30, "a.test"));
  rig.HandOff(rig.Batch(2, 100, 20, "b.test"));
  rig.Run();
  rig.core.StartSweep(Order(SweepKind::kCancel, {.domain = "a.test"}), {CoreRig::kShard});
  rig.Run();
  EXPECT_TRUE(rig.core.ProgressOf(7).finished);
  EXPECT_EQ(Done().done, 30);
  EXPECT_THAT(rig.Kinds(), SizeIs(30));
  EXPECT_THAT(rig.Kinds(), Each("cancelled"));
  EXPECT_EQ(rig.core.Snapshot().entries, 20);
}

TEST_F(CoreSweepTest, LeavesAloneWhatWasAcceptedAfterItBegan) {
  rig.HandOff(rig.Batch(1, 1, 5));
  const SweepOrder order = Order(SweepKind::kCancel, {.tenant = "shop"});
  rig.clock.Advance(std::chrono::seconds(1));
  rig.HandOff(rig.Batch(2, 100, 5));
  rig.core.StartSweep(order, {CoreRig::kShard});
  rig.Run();
  EXPECT_EQ(Done().done, 5);
  EXPECT_EQ(rig.core.Snapshot().entries, 5);
}

TEST_F(CoreSweepTest, CountsOnlyWhatIsCommitted) {
  rig.HandOff(rig.Batch(1, 1, 5));
  rig.core.StartSweep(Order(SweepKind::kCancel, {.tenant = "shop"}), {CoreRig::kShard});
  rig.core.Turn();
  EXPECT_EQ(Done().done, 0);
  EXPECT_FALSE(rig.core.ProgressOf(7).finished);
  rig.Run();
  EXPECT_EQ(Done().done, 5);
}

TEST_F(CoreSweepTest, WhatIsInFlightIsCancelledWhenItComesBackAndTooLateWhenItWasDelivered) {
  Send();
  rig.HandOff(rig.Batch(1, 1, 2));
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(2));
  rig.core.StartSweep(Order(SweepKind::kCancel, {.tenant = "shop"}), {CoreRig::kShard});
  rig.Run();
  EXPECT_THAT(port->recalled, SizeIs(2));
  EXPECT_FALSE(rig.core.ProgressOf(7).finished);
  rig.Report("egress-1", port->released[0], kDelivered, 1);
  rig.Report("egress-1", port->released[1], kDeferred, 2);
  rig.Run();
  rig.Pass(std::chrono::seconds(1), {"egress-1"});
  rig.Run();
  EXPECT_TRUE(rig.core.ProgressOf(7).finished);
  EXPECT_EQ(Done().done, 1);
  EXPECT_EQ(Done().too_late, 1);
  EXPECT_EQ(rig.core.Snapshot().entries, 0);
}

TEST_F(CoreSweepTest, BouncesWithTheReasonOfTheOrder) {
  rig.HandOff(rig.Batch(1, 1));
  rig.core.StartSweep(Order(SweepKind::kBounce, {.stream = "marketing"}), {CoreRig::kShard});
  rig.Run();
  ASSERT_THAT(rig.world.events, SizeIs(1));
  EXPECT_EQ(rig.world.events[0].kind, "bounced");
  EXPECT_THAT(rig.world.events[0].reply, ::testing::HasSubstr("a test"));
}

TEST_F(CoreSweepTest, MovesToAnotherPoolWhateverTheRoutesSay) {
  PolicyDocument policy = CoreRig::Policy();
  policy.pools.push_back({.name = "other", .members = {{.source = "ip-2"}}});
  rig.core.SetPolicy(2, policy);
  rig.HandOff(rig.Batch(1, 1, 3));
  SweepOrder order = Order(SweepKind::kMove, {.pool = "warm"});
  rig.Run();
  order.target_pool = "other";
  rig.core.StartSweep(order, {CoreRig::kShard});
  rig.Run();
  EXPECT_EQ(Done().done, 3);
  Send();
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(3));
  for (const ReleasedEntry& entry : port->released) EXPECT_EQ(entry.pool, "other");
}

TEST_F(CoreSweepTest, RetriesNowWhatWaitsForItsTime) {
  Send();
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  rig.Report("egress-1", port->released[0], kDeferred, 1);
  rig.Run();
  EXPECT_THAT(rig.world.fetches, IsEmpty());
  rig.core.StartSweep(Order(SweepKind::kRetryNow, {.domain = "d.test"}), {CoreRig::kShard});
  rig.Run();
  EXPECT_EQ(Done().done, 1);
  EXPECT_THAT(rig.world.fetches, SizeIs(1));
}

TEST_F(CoreSweepTest, AMessageIsFoundWithoutAWalk) {
  rig.HandOff(rig.Batch(1, 1, 3));
  SweepOrder order = Order(SweepKind::kCancel, {});
  order.message_id = rig.Id(2);
  rig.core.StartSweep(order, {CoreRig::kShard});
  rig.Run();
  EXPECT_EQ(Done().done, 1);
  EXPECT_EQ(rig.core.Snapshot().entries, 2);
}

TEST_F(CoreSweepTest, EntriesThatAreLongDueCountForAProviderByTheirRouteOnRecord) {
  HandedBatch batch = rig.Batch(1, 1, 2, "later.test");
  for (HandedMessage& message : batch.messages) message.due_at = rig.clock.Now() + std::chrono::hours(1);
  rig.HandOff(std::move(batch));
  SweepOrder order = Order(SweepKind::kCancel, {.provider = "google"});
  order.domains = {"later.test"};
  rig.core.StartSweep(order, {CoreRig::kShard});
  rig.Run();
  EXPECT_EQ(Done().done, 2);
}

}  // namespace
}  // namespace sluice::scheduler
