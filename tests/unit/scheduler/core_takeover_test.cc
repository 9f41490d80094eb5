// What a new owner does before it may release, and what a lost one leaves behind.
#include <gmock/gmock.h>

#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kDelivered = 1, kDeferred = 2;

LoadedRow Row(int64_t id, Instant now) {
  LoadedRow row;
  row.id = row.message_id = id;
  row.due_at = now;
  row.expires_at = now + std::chrono::hours(1);
  row.tenant = "shop";
  row.stream = "marketing";
  row.domain = "d.test";
  return row;
}

TEST(CoreTakeoverTest, ReleasesNothingBeforeEveryRegisteredEgressHasSentItsInventory) {
  CoreRig rig;
  rig.TakeShard({"egress-1", "egress-2"});
  rig.core.OnLoaded(CoreRig::kShard, 1, {Row(rig.Id(1), rig.clock.Now()), Row(rig.Id(2), rig.clock.Now())});
  const auto one = rig.Connect("egress-1");
  rig.Bind();
  rig.Run();
  EXPECT_THAT(rig.world.fetches, IsEmpty());
  rig.Connect("egress-2", 1, {rig.Id(2)});
  rig.Run();
  ASSERT_THAT(rig.world.fetches, SizeIs(1)) << "the second is being sent by egress-2";
  EXPECT_EQ(rig.world.fetches[0].entry_id, rig.Id(1));
}

// Its report overtakes an inventory that it made before it heard that the report is settled.
TEST(CoreTakeoverTest, AnInventoryThatNamesWhatWasToldMeanwhileClaimsNothing) {
  CoreRig rig;
  rig.core.OnShardTaken(CoreRig::kShard, 1, 0, {"egress-1"});
  rig.core.OnLeaseExtended(rig.clock.Steady() + std::chrono::hours(1));
  rig.Connect();
  rig.Bind();
  ReleasedEntry told;
  told.entry_id = told.message_id = rig.Id(1);
  told.attempt_id = 77;
  told.attempt = 1;
  rig.Report("egress-1", told, kDeferred, 1, "rcpt", std::chrono::seconds(1));
  rig.Run();
  rig.Inventory("egress-1", {rig.Id(1)});
  rig.core.OnShardMarks(CoreRig::kShard, 1, {});
  rig.core.OnLoaded(CoreRig::kShard, 1, {Row(rig.Id(1), rig.clock.Now())});
  rig.core.OnShardLoaded(CoreRig::kShard, 1);
  rig.core.OnWritersChecked({CoreRig::kWriter}, {});
  rig.Pass(std::chrono::seconds(2), {"egress-1"});
  rig.Run();
  EXPECT_THAT(rig.world.fetches, SizeIs(1)) << "it is tried again";
}

TEST(CoreTakeoverTest, AnInventoryFromBeforeASettlementClaimsNothing) {
  CoreRig rig;
  rig.TakeShard();
  const auto port = rig.Connect();
  rig.Bind();
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(1));
  rig.Report("egress-1", port->released[0], kDeferred, 1, "rcpt", std::chrono::seconds(1));
  rig.Run();
  rig.Inventory("egress-1", {rig.Id(1)});
  rig.Pass(std::chrono::seconds(2), {"egress-1"});
  rig.Run();
  EXPECT_THAT(rig.world.fetches, SizeIs(1)) << "it is tried again";
}

TEST(CoreTakeoverTest, WaitsForAnEgressThatDoesNotComeOnlyAsLongAsItMayLive) {
  CoreRig rig;
  rig.TakeShard({"egress-1", "egress-2"});
  rig.core.OnLoaded(CoreRig::kShard, 1, {Row(rig.Id(1), rig.clock.Now())});
  rig.Connect("egress-1");
  rig.Bind();
  rig.Run();
  rig.Pass(std::chrono::seconds(11), {"egress-1"});
  EXPECT_THAT(rig.world.fetches, IsEmpty());
  rig.Pass(std::chrono::seconds(2), {"egress-1"});
  EXPECT_THAT(rig.world.fetches, SizeIs(1));
}

TEST(CoreTakeoverTest, AReportThatComesBeforeItsRowIsLoadedEndsTheEntryForGood) {
  CoreRig rig;
  rig.core.OnShardTaken(CoreRig::kShard, 1, 0, {});
  rig.core.OnLeaseExtended(rig.clock.Steady() + std::chrono::hours(1));
  rig.Connect("egress-1", 1, {rig.Id(1)});
  rig.Bind();
  ReleasedEntry entry;
  entry.entry_id = entry.message_id = rig.Id(1);
  entry.attempt_id = 5;
  rig.Report("egress-1", entry, kDelivered, 1);
  rig.Run();
  EXPECT_THAT(rig.Kinds(), ElementsAre("delivered"));

  rig.core.OnShardMarks(CoreRig::kShard, 1, {});
  rig.core.OnLoaded(CoreRig::kShard, 1, {Row(rig.Id(1), rig.clock.Now())});
  rig.core.OnShardLoaded(CoreRig::kShard, 1);
  rig.Run();
  EXPECT_THAT(rig.world.fetches, IsEmpty());
  EXPECT_EQ(rig.core.Snapshot().entries, 0);
  EXPECT_EQ(rig.core.Snapshot().in_flight, 0);
}

TEST(CoreTakeoverTest, WhatTheSnapshotKnowsIsNotTakenAgainFromALateHandoff) {
  CoreRig rig;
  rig.core.OnShardTaken(CoreRig::kShard, 1, 0, {});
  rig.core.OnLeaseExtended(rig.clock.Steady() + std::chrono::hours(1));
  rig.core.OnShardMarks(CoreRig::kShard, 1, {{CoreRig::kShard, CoreRig::kWriter, 5}});
  rig.core.OnShardLoaded(CoreRig::kShard, 1);
  const auto port = rig.Connect();
  rig.Bind();
  rig.HandOff(rig.Batch(5, 50));
  rig.Run();
  EXPECT_THAT(port->released, IsEmpty());
  rig.HandOff(rig.Batch(6, 60));
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(1));
}

TEST(CoreTakeoverTest, ClaimsNoShardWhileItsLeaseMayBeAnothers) {
  CoreRig rig;
  rig.TakeShard();
  const auto before = rig.Connect();
  EXPECT_THAT(before->shards, ElementsAre(CoreRig::kShard));
  rig.core.OnLeaseExtended(rig.clock.Steady());
  const auto frozen = rig.Connect("egress-1", 1);
  EXPECT_THAT(frozen->shards, IsEmpty());
  rig.core.OnLeaseExtended(rig.clock.Steady() + std::chrono::seconds(8));
  EXPECT_THAT(frozen->shards, ElementsAre(CoreRig::kShard));
}

TEST(CoreTakeoverTest, ALostShardIsForgottenAndItsUnsettledReportsGoBack) {
  CoreRig rig;
  rig.TakeShard();
  const auto port = rig.Connect();
  rig.Bind();
  rig.HandOff(rig.Batch(1, 1, 3));
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(3));
  rig.Report("egress-1", port->released[0], kDelivered, 1);
  rig.core.OnShardsLost({CoreRig::kShard});
  rig.Run();
  EXPECT_THAT(port->not_owned, ElementsAre(1));
  EXPECT_EQ(rig.core.Snapshot().entries, 0);
  EXPECT_EQ(rig.core.Snapshot().in_flight, 0);
  EXPECT_EQ(rig.core.Snapshot().content_bytes, 0);
}

}  // namespace
}  // namespace sluice::scheduler
