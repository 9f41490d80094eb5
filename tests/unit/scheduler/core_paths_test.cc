// What a site that cannot be reached costs: little, whoever waits for it.
#include <gmock/gmock.h>

#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using std::chrono::seconds;

constexpr int kDelivered = 1, kDeferred = 2;

// Attempts begin one after the other; each fails before the next.
struct FailingPath {
  std::optional<Duration> Fail() {
    const auto until = path.Failed(next, next + 1, now);
    ++next;
    if (!until) return std::nullopt;
    return *until - now;
  }
  Path path;
  uint64_t next = 1;
  SteadyInstant now{seconds(100)};
};

TEST(PathTest, RestsDoubleFromASecondToFortySeconds) {
  FailingPath failing;
  for (int i = 1; i < Path::kMostFailures; ++i) EXPECT_EQ(failing.Fail(), std::nullopt);
  for (const int rest : {1, 2, 4, 8, 16, 32, 40, 40}) {
    EXPECT_EQ(failing.Fail(), seconds(rest));
    EXPECT_EQ(failing.Fail(), std::nullopt) << "it had begun before";
    EXPECT_FALSE(failing.path.HasRoom());
    failing.path.EndRest();
    EXPECT_TRUE(failing.path.HasRoom()) << "for a probe";
    failing.path.in_flight = 1;
    EXPECT_FALSE(failing.path.HasRoom());
    failing.path.in_flight = 0;
  }
  failing.path.Delivered();
  failing.path.in_flight = 1;
  EXPECT_TRUE(failing.path.HasRoom());
  EXPECT_EQ(failing.Fail(), std::nullopt) << "one failure is none";
}

TEST(PathTest, WhatWaitedForOneConnectionCountsOnce) {
  Path path;
  for (int i = 1; i <= 100; ++i) EXPECT_EQ(path.Failed(static_cast<uint64_t>(i), 101, {}), std::nullopt);
  EXPECT_FALSE(path.IsDown());
}

TEST(FleetTest, ARestThatADeliveryEndedEndsNoLaterOne) {
  Fleet fleet;
  const uint16_t source = fleet.SourceOf("ip-1");
  SteadyInstant now{seconds(100)};
  uint64_t next = 1;
  const auto fail = [&] {
    for (int i = 0; i < Path::kMostFailures; ++i, ++next) fleet.Failed(source, 5, next, next + 1, now);
  };
  fail();
  EXPECT_EQ(fleet.down_count(), 1);
  now += std::chrono::milliseconds(600);
  fleet.Delivered(source, 5);
  EXPECT_EQ(fleet.down_count(), 0);
  fail();
  now += std::chrono::milliseconds(600);
  EXPECT_THAT(fleet.TakeRested(now), IsEmpty()) << "it rests from the second time on";
  EXPECT_FALSE(fleet.PathIsOpen(source, 5));
  now += std::chrono::milliseconds(400);
  EXPECT_THAT(fleet.TakeRested(now), ElementsAre(5U));
  EXPECT_TRUE(fleet.PathIsOpen(source, 5));
  fleet.ForgetSite(5);
  EXPECT_EQ(fleet.down_count(), 0);
}

// Nothing goes on at the path that would wake its mail.
TEST(PoolsTest, APathThatMayBeProbedWaitsForTheCreditOfItsEgress) {
  Fleet fleet;
  Allowances allowances;
  Pools pools(fleet, allowances);
  pools.SetPolicy(CoreRig::Policy());
  Egress& egress = fleet.egress(fleet.EgressOf("egress-1"));
  egress.port = std::make_shared<FakePort>();
  egress.reconciled = true;
  egress.credit_entries = egress.in_flight = 100;
  egress.credit_bytes = 1;
  Source& source = fleet.source(fleet.SourceOf("ip-1"));
  source.egress = 0;
  source.bound = true;
  for (uint64_t n = 1; n <= Path::kMostFailures; ++n) fleet.Failed(fleet.SourceOf("ip-1"), 5, n, n + 1, {});
  const auto pick = [&] {
    return pools.Pick(pools.Number(0), {.provider = 0, .site = 5, .provider_name = "other"}, kNoSource, {},
                      [](uint32_t, uint16_t) { return false; });
  };
  EXPECT_EQ(pick().parked, Parked::kDown);
  fleet.TakeRested(SteadyInstant(seconds(1)));
  EXPECT_EQ(pick().parked, Parked::kCredit);
  egress.in_flight = 0;
  EXPECT_EQ(pick().source, fleet.SourceOf("ip-1"));
}

struct CorePathsTest : ::testing::Test {
  void SetUp() override {
    rig.TakeShard();
    port = rig.Connect();
    rig.Bind({{"ip-1", "egress-1", true}});
    rig.HandOff(rig.Batch(1, 1, 500));
    rig.Run();
  }
  // Reports whatever was released since the last call; how many those were, with what they let follow.
  size_t ReportAll(int disposition) {
    const size_t before = reported;
    for (; reported < port->released.size(); ++reported) {
      const ReleasedEntry entry = port->released[reported];
      rig.Report("egress-1", entry, disposition, ++number, disposition == kDeferred ? "connect" : "body");
      rig.Run();
    }
    return reported - before;
  }
  size_t PassAndReport(Duration time, int disposition) {
    rig.Pass(time, {"egress-1"});
    rig.Run();
    return ReportAll(disposition);
  }

  CoreRig rig;
  std::shared_ptr<FakePort> port;
  size_t reported = 0;
  int64_t number = 0;
};

TEST_F(CorePathsTest, ADeadSiteIsProbedByOneEntryAfterEachRest) {
  EXPECT_LT(ReportAll(kDeferred), 80U) << "of five hundred";
  EXPECT_EQ(rig.core.Snapshot().down_paths, 1);
  EXPECT_EQ(PassAndReport(std::chrono::milliseconds(500), kDeferred), 0U);
  EXPECT_THAT(rig.core.DownPaths("d.test"), ElementsAre(Pair("ip-1", std::chrono::milliseconds(500))));
  EXPECT_THAT(rig.core.DownPaths("other.test"), IsEmpty());
  EXPECT_EQ(PassAndReport(std::chrono::milliseconds(500), kDeferred), 1U);
  EXPECT_EQ(PassAndReport(std::chrono::milliseconds(1500), kDeferred), 0U);
  EXPECT_EQ(PassAndReport(std::chrono::milliseconds(500), kDeferred), 1U);
}

TEST_F(CorePathsTest, AProbeThatArrivesLetsTheOthersGo) {
  ReportAll(kDeferred);
  const size_t failed = reported;
  rig.Pass(seconds(1), {"egress-1"});
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(failed + 1));
  ReportAll(kDelivered);
  EXPECT_EQ(rig.core.Snapshot().down_paths, 0);
  EXPECT_THAT(port->released, SizeIs(500)) << "each once; those that failed wait for their retry";
}

TEST_F(CorePathsTest, APersonWhoWantsARetryWaitsForNoRest) {
  ReportAll(kDeferred);
  for (const int rest : {1, 2, 4, 8}) PassAndReport(seconds(rest), kDeferred);
  const size_t failed = reported;
  const auto retry = [&](int64_t operation, const std::string& domain) {
    rig.core.StartSweep({.operation = operation,
                         .kind = SweepKind::kRetryNow,
                         .filter = {.domain = domain},
                         .accepted_before = rig.clock.Now() + seconds(1)},
                        {CoreRig::kShard});
    rig.Run();
    rig.core.StopSweep(operation);
  };
  retry(1, "other.test");
  EXPECT_THAT(port->released, SizeIs(failed)) << "of other mail";
  retry(2, "d.test");
  EXPECT_THAT(port->released, SizeIs(failed + 1));
}

TEST_F(CorePathsTest, AMemberThatIsBoundWhileTheOthersRestIsTriedAtOnce) {
  ReportAll(kDeferred);
  const size_t failed = reported;
  rig.Bind();
  rig.Run();
  ASSERT_GT(port->released.size(), failed);
  EXPECT_EQ(port->released.back().source, "ip-2");
  ReportAll(kDelivered);
  EXPECT_THAT(port->released, SizeIs(500));
}

}  // namespace
}  // namespace sluice::scheduler
