// Warming sources in the core: no grant, no mail; no allowance, no stall.
#include <gmock/gmock.h>

#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kDelivered = 1, kDeferred = 2, kBounced = 3;
constexpr int64_t kDay = 20'000;

struct CoreWarmupTest : ::testing::Test {
  // ip-1 warms up; `overflow` of its pool is ip-2's.
  void Start(const std::string& overflow, bool mixed = false) {
    PolicyDocument policy = CoreRig::Policy();
    policy.sources[0].warmup = SourceWarmup{.plan = "default"};
    policy.pools = {{.name = "new", .members = {{.source = "ip-1"}}, .overflow = overflow},
                    {.name = "old", .members = {{.source = "ip-2"}}}};
    if (mixed) policy.pools[0].members.push_back({.source = "ip-2"});
    policy.routes = {{.match = {}, .pool = "new"}};
    rig.core.SetPolicy(2, policy);
    rig.TakeShard();
    port = rig.Connect();
    rig.Bind();
    day = {.day = kDay, .starts_at = rig.clock.Now() - std::chrono::hours(1), .ends_at = rig.clock.Now() + std::chrono::hours(23),
           .now = rig.clock.Now()};
  }
  void Follow(int64_t lowered = 0, bool needs_grants = true) {
    rig.core.SetWarmup({{.source = "ip-1", .address = "127.0.0.11",
                         .columns = {{.provider = "google", .needs_grants = needs_grants, .lowered = lowered},
                                     {.provider = "other", .needs_grants = needs_grants, .lowered = lowered}}}},
                       day);
  }
  // Answers the draw under way.
  void Grant(int64_t count, int64_t cap = 1'000) {
    ASSERT_THAT(rig.world.draws, SizeIs(1));
    const auto requests = std::exchange(rig.world.draws, {});
    storage::GrantAnswer answer{.day = day, .grants = {}};
    answer.day.now = rig.clock.Now();
    for (const auto& request : requests[0]) {
      EXPECT_EQ(request.address, "127.0.0.11");
      EXPECT_EQ(request.provider, "other");
      answer.grants.push_back({.count = std::min(count, request.wanted), .is_open = true,
                               .provider = {.cap = cap, .used = count == 0 ? cap : 1, .opens_at = day.starts_at, .closes_at = day.ends_at},
                               .total = {.cap = cap, .used = 1, .opens_at = day.starts_at, .closes_at = day.ends_at}});
    }
    rig.core.OnDrawn(answer);
    rig.Run();
  }
  AttemptReport ReportOf(int disposition, const std::string& stage) const {
    AttemptReport report;
    report.entry_id = port->released[0].entry_id;
    report.message_id = port->released[0].message_id;
    report.attempt_id = port->released[0].attempt_id;
    report.number = 1;
    report.disposition = disposition;
    report.stage = stage;
    report.source = "ip-1";
    return report;
  }
  // One entry is in flight on a grant when the warming sources become these: its outcome is counted all the same.
  void CountsAfter(const std::vector<WarmupBook::View>& sources) {
    Start("old");
    Follow();
    rig.HandOff(rig.Batch(1, 1));
    rig.Run();
    Grant(1);
    ASSERT_THAT(Sources(), ::testing::ElementsAre("ip-1"));
    rig.core.SetWarmup(sources, day);
    DeliverInput input;
    AttemptReport report = ReportOf(kDelivered, "body");
    report.rcpt_sent = true;
    input.reports.push_back(report);
    rig.core.OnDeliver(rig.sessions["egress-1"], std::move(input));
    rig.Pass(std::chrono::seconds(2), {"egress-1"});
    ASSERT_THAT(rig.world.recorded, SizeIs(1));
    EXPECT_EQ(rig.world.recorded[0].address, "127.0.0.11");
    EXPECT_EQ(rig.world.recorded[0].provider, "other");
    EXPECT_EQ(rig.world.recorded[0].day, kDay);
    EXPECT_EQ(rig.world.recorded[0].attempted, 1);
    EXPECT_EQ(rig.world.recorded[0].accepted, 1);
  }
  // The warming address was refused with this disposition.
  void LeavesByTheOverflowAfter(int disposition) {
    Start("old");
    Follow();
    rig.HandOff(rig.Batch(1, 1));
    rig.Run();
    Grant(20);
    DeliverInput input;
    AttemptReport report = ReportOf(disposition, "rcpt");
    report.reply_class = "block_ip";
    report.rcpt_sent = true;
    input.reports.push_back(report);
    rig.core.OnDeliver(rig.sessions["egress-1"], std::move(input));
    rig.Run();
    rig.Pass(std::chrono::seconds(3), {"egress-1"});
    std::vector<Fetched> fetched;
    for (const FetchRequest& request : std::exchange(rig.world.fetches, {})) {
      auto content = std::make_shared<Content>();
      content->message_id = request.message_id;
      fetched.push_back({.request = request, .entry_found = true, .payload = {.recipient = "u@d.test", .merge_values = {}, .dsn_notify = {}}, .content = content});
    }
    rig.core.OnFetched(std::move(fetched));
    rig.Run();
    EXPECT_THAT(Sources(), ElementsAre("ip-1", "ip-2"));
    int64_t bounced = 0, blocked = 0;
    for (const auto& c : rig.world.recorded) bounced += c.bounced, blocked += c.blocked;
    EXPECT_EQ(bounced, 0);
    EXPECT_EQ(blocked, 1);
  }
  std::vector<std::string> Sources() const {
    std::vector<std::string> out;
    for (const ReleasedEntry& entry : port->released) out.push_back(entry.source);
    return out;
  }

  CoreRig rig;
  std::shared_ptr<FakePort> port;
  storage::LedgerDay day;
};

TEST_F(CoreWarmupTest, WhereNobodyHasSaidHowItStandsNothingLeaves) {
  Start("");
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  EXPECT_THAT(port->released, IsEmpty());
  EXPECT_THAT(rig.world.draws, IsEmpty());
  EXPECT_EQ(rig.core.Snapshot().warmup_waiting, 1);
}

TEST_F(CoreWarmupTest, AnEntryLeavesWithItsGrantAndNotAfterItsDay) {
  Start("old");
  Follow();
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  EXPECT_THAT(port->released, IsEmpty()) << "while the ledger is asked";
  Grant(1);
  ASSERT_THAT(Sources(), ElementsAre("ip-1"));
  EXPECT_TRUE(port->released[0].one_rcpt);
  EXPECT_LT(port->released[0].not_after, day.ends_at);
  EXPECT_GT(port->released[0].not_after, day.ends_at - std::chrono::seconds(5));
}

TEST_F(CoreWarmupTest, WhatExceedsTheAllowanceOverflowsAtOnce) {
  Start("old");
  Follow();
  rig.HandOff(rig.Batch(1, 1, 3));
  rig.Run();
  Grant(1);
  EXPECT_THAT(Sources(), ElementsAre("ip-1"));
  Grant(0);
  EXPECT_THAT(Sources(), ElementsAre("ip-1", "ip-2", "ip-2"));
  EXPECT_EQ(port->released[1].pool, "old");
  EXPECT_FALSE(port->released[1].one_rcpt);
  EXPECT_EQ(rig.metrics.overflowed, 2);
}

TEST_F(CoreWarmupTest, WhatWaitsIsToldByWhomItWaitsFor) {
  Start("");
  Follow();
  EXPECT_THAT(rig.core.WarmupWaiting(), IsEmpty());
  rig.HandOff(rig.Batch(1, 1, 3));
  rig.Run();
  EXPECT_THAT(rig.core.WarmupWaiting(), IsEmpty()) << "the ledger is asked";
  Grant(0);
  EXPECT_THAT(rig.core.WarmupWaiting(), ElementsAre(storage::WarmupWaitingRow{.address = "127.0.0.11", .provider = "other", .entries = 3}));
}

TEST_F(CoreWarmupTest, HowLongAnEntryWaitedIsObservedWhenItLeaves) {
  telemetry::Histogram wait({1, 10});
  rig.metrics.warmup_wait = &wait;
  Start("");
  Follow();
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  Grant(0);
  EXPECT_EQ(wait.count(0) + wait.count(1) + wait.count(2), 0);
  rig.Pass(std::chrono::seconds(4), {"egress-1"});
  Grant(1);
  EXPECT_EQ(wait.count(1), 1) << "about four seconds";
  EXPECT_NEAR(wait.sum(), 4, 1.5);
}

TEST_F(CoreWarmupTest, WithoutOverflowItWaitsForTheNextGrant) {
  Start("");
  Follow();
  rig.HandOff(rig.Batch(1, 1, 2));
  rig.Run();
  Grant(0);
  EXPECT_THAT(port->released, IsEmpty());
  EXPECT_EQ(rig.core.Snapshot().warmup_waiting, 2);
  rig.Pass(std::chrono::seconds(2), {"egress-1"});
  Grant(1);
  EXPECT_THAT(Sources(), ElementsAre("ip-1"));
}

TEST_F(CoreWarmupTest, AMixedPoolIsNotStalled) {
  Start("", true);
  Follow();
  rig.HandOff(rig.Batch(1, 1, 4));
  rig.Run();
  Grant(0);
  EXPECT_THAT(Sources(), ElementsAre("ip-2", "ip-2", "ip-2", "ip-2"));
}

TEST_F(CoreWarmupTest, ASilentOrFailingLedgerStopsWarmingSourcesAtOnceAndStallsNobody) {
  Start("old");
  Follow();
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  rig.clock.Advance(std::chrono::milliseconds(250));
  rig.Run();
  EXPECT_THAT(Sources(), ElementsAre("ip-2")) << "it takes too long";
  rig.core.OnDrawn(absl::UnavailableError("gone"));
  rig.world.draws.clear();
  rig.HandOff(rig.Batch(2, 10));
  rig.Run();
  EXPECT_THAT(Sources(), ElementsAre("ip-2", "ip-2"));
  EXPECT_THAT(rig.world.draws, IsEmpty()) << "not asked again at once";
}

TEST_F(CoreWarmupTest, AGrantWhoseRcptWasNotSentGoesBack) {
  Start("old");
  Follow();
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  Grant(20);
  rig.Report("egress-1", port->released[0], kDeferred, 1, "connect");
  rig.Run();
  rig.Pass(std::chrono::seconds(7), {"egress-1"});
  ASSERT_FALSE(rig.world.recorded.empty());
  int64_t returned = 0, attempted = 0;
  for (const auto& c : rig.world.recorded) returned += c.returned, attempted += c.attempted;
  EXPECT_EQ(attempted, 0);
  EXPECT_EQ(returned, 1);
}

TEST_F(CoreWarmupTest, OutcomesAreCountedOnTheDayOfTheGrant) {
  Start("old");
  Follow();
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  Grant(1);
  DeliverInput input;
  AttemptReport report = ReportOf(kDelivered, "body");
  report.rcpt_sent = true;
  input.reports.push_back(report);
  rig.core.OnDeliver(rig.sessions["egress-1"], std::move(input));
  ++day.day;
  Follow();
  rig.Pass(std::chrono::seconds(2), {"egress-1"});
  ASSERT_THAT(rig.world.recorded, SizeIs(1));
  EXPECT_EQ(rig.world.recorded[0].day, kDay);
  EXPECT_EQ(rig.world.recorded[0].accepted, 1);
  EXPECT_EQ(rig.world.recorded[0].provider, "other");
}

TEST_F(CoreWarmupTest, WhatIsInFlightIsCountedWhoeverJoinsMeanwhile) {
  CountsAfter({{.source = "ip-2", .address = "127.0.0.12", .columns = {{.provider = "other"}}},
               {.source = "ip-1", .address = "127.0.0.11", .columns = {{.provider = "google"}, {.provider = "other"}}}});
}

TEST_F(CoreWarmupTest, WhatIsInFlightIsCountedThoughItsSourceWarmsUpNoMore) {
  CountsAfter({{.source = "ip-2", .address = "127.0.0.12", .columns = {{.provider = "other"}}}});
}

TEST_F(CoreWarmupTest, WhatIsStoppedOverflowsAtOnceThoughThePaceWouldAllowMore) {
  Start("old");
  Follow();
  rig.HandOff(rig.Batch(1, 1, 3));
  rig.Run();
  ASSERT_THAT(rig.world.draws, SizeIs(1));
  rig.world.draws.clear();
  storage::Granted stopped{.count = 0, .is_open = true,
                           .provider = {.cap = 1'000, .used = 1, .opens_at = day.starts_at, .closes_at = day.ends_at},
                           .total = {.cap = 1'000, .used = 1, .opens_at = day.starts_at, .closes_at = day.ends_at}};
  stopped.provider.stopped_until = rig.clock.Now() + std::chrono::hours(24);
  storage::GrantAnswer answer{.day = day, .grants = {stopped}};
  answer.day.now = rig.clock.Now();
  rig.core.OnDrawn(answer);
  rig.Run();
  EXPECT_THAT(Sources(), ElementsAre("ip-2", "ip-2", "ip-2"));
  EXPECT_THAT(rig.world.draws, IsEmpty()) << "not asked again at once";
}

TEST_F(CoreWarmupTest, WhatControlSaysIsSuspendedIsNotAskedFor) {
  Start("old");
  rig.core.SetWarmup({{.source = "ip-1", .address = "127.0.0.11", .columns = {{.provider = "other", .is_stopped = true}}}}, day);
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  EXPECT_THAT(rig.world.draws, IsEmpty());
  EXPECT_THAT(Sources(), ElementsAre("ip-2"));
  rig.core.SetWarmup({{.source = "ip-1", .address = "127.0.0.11", .columns = {{.provider = "other"}}}}, day);
  rig.HandOff(rig.Batch(2, 10));
  rig.Run();
  Grant(1);
  EXPECT_THAT(Sources(), ElementsAre("ip-2", "ip-1"));
}

TEST_F(CoreWarmupTest, NothingIsDrawnThatNobodyWaitsFor) {
  Start("old");
  Follow();
  rig.HandOff(rig.Batch(1, 1, 2));
  rig.Run();
  Grant(1, 100);
  ASSERT_THAT(Sources(), ElementsAre("ip-1"));
  Grant(0, 100);
  EXPECT_THAT(Sources(), ElementsAre("ip-1", "ip-2")) << "the second has gone by the overflow";
  rig.Pass(std::chrono::hours(2), {"egress-1"});
  EXPECT_THAT(rig.world.draws, IsEmpty());
}

TEST_F(CoreWarmupTest, ALoweredCapRecallsWhatWasNotBegunAndGivesUpWhatWasDrawn) {
  Start("old");
  Follow();
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  Grant(20);
  Follow(1);
  EXPECT_EQ(port->recalls, 1);
  DeliverInput input;
  ReturnedEntry& back = input.returns.emplace_back();
  back.entry_id = port->released[0].entry_id;
  back.attempt_id = port->released[0].attempt_id;
  back.reason = "recall";
  rig.core.OnDeliver(rig.sessions["egress-1"], std::move(input));
  rig.Pass(std::chrono::seconds(2), {"egress-1"});
  int64_t returned = 0;
  for (const auto& c : rig.world.recorded) returned += c.returned;
  EXPECT_EQ(returned, 1);
}

TEST_F(CoreWarmupTest, ABlockReplySendsTheEntryByTheOverflowNext) { LeavesByTheOverflowAfter(kDeferred); }

TEST_F(CoreWarmupTest, ABlockReplyForGoodIsNoBounce) { LeavesByTheOverflowAfter(kBounced); }

TEST_F(CoreWarmupTest, TheBestMailGetsTheGrantsFirst) {
  Start("");
  Follow();
  HandedBatch batch = rig.Batch(1, 1, 3);
  batch.messages[0].recipients[0].engagement = 0;
  batch.messages[1].recipients[0].engagement = 90;
  batch.messages[2].recipients[0].engagement = 40;
  rig.HandOff(std::move(batch));
  rig.Run();
  Grant(0);
  std::vector<int64_t> order;
  for (int i = 0; i < 3; ++i) {
    rig.Pass(std::chrono::seconds(2), {"egress-1"});
    Grant(1, 100);
  }
  for (const ReleasedEntry& entry : port->released) order.push_back(entry.entry_id);
  EXPECT_THAT(order, ElementsAre(rig.Id(2), rig.Id(3), rig.Id(1)));
}

TEST_F(CoreWarmupTest, AWarmProviderNeedsNoGrantAndIsCounted) {
  Start("");
  Follow(0, false);
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  EXPECT_THAT(Sources(), ElementsAre("ip-1"));
  EXPECT_FALSE(port->released[0].one_rcpt);
}

}  // namespace
}  // namespace sluice::scheduler
