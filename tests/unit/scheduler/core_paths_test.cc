// What a site that cannot be reached costs: little, whoever waits for it.
#include <gmock/gmock.h>

#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

using ::testing::SizeIs;
using std::chrono::seconds;

constexpr int kDelivered = 1, kDeferred = 2;

TEST(PathTest, RestsDoubleFromASecondToHalfAMinute) {
  Path path;
  for (int i = 1; i < Path::kMostFailures; ++i) EXPECT_EQ(path.Failed(), Duration::zero());
  for (const int rest : {1, 2, 4, 8, 16, 30, 30}) {
    EXPECT_EQ(path.Failed(), seconds(rest));
    EXPECT_EQ(path.Failed(), Duration::zero()) << "it had begun before";
    EXPECT_FALSE(path.HasRoom());
    path.EndRest();
    EXPECT_TRUE(path.HasRoom()) << "for a probe";
    path.in_flight = 1;
    EXPECT_FALSE(path.HasRoom());
    path.in_flight = 0;
  }
  path.Delivered();
  path.in_flight = 1;
  EXPECT_TRUE(path.HasRoom());
  EXPECT_EQ(path.Failed(), Duration::zero()) << "one failure is none";
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
  EXPECT_LT(ReportAll(kDeferred), 60U) << "of five hundred";
  EXPECT_EQ(rig.core.Snapshot().resting_paths, 1);
  EXPECT_EQ(PassAndReport(std::chrono::milliseconds(500), kDeferred), 0U);
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
  EXPECT_EQ(rig.core.Snapshot().resting_paths, 0);
  EXPECT_THAT(port->released, SizeIs(500)) << "each once; those that failed wait for their retry";
}

TEST_F(CorePathsTest, APersonWhoWantsARetryWaitsForNoRest) {
  ReportAll(kDeferred);
  for (const int rest : {1, 2, 4, 8}) PassAndReport(seconds(rest), kDeferred);
  const size_t failed = reported;
  rig.core.StartSweep({.operation = 1, .kind = SweepKind::kRetryNow, .accepted_before = rig.clock.Now() + seconds(1)}, {CoreRig::kShard});
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(failed + 1));
}

}  // namespace
}  // namespace sluice::scheduler
