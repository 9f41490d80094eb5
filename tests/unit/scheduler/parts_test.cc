#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "scheduler/calendar.h"
#include "scheduler/control/assignment.h"
#include "scheduler/fleet.h"
#include "scheduler/flows.h"
#include "scheduler/watermarks.h"

namespace sluice::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Entry Make(int64_t id) {
  Entry entry;
  entry.id = id;
  entry.place = Place::kReady;
  return entry;
}

TEST(EntryIndexTest, AnEntryThatEndsInsideAListIsSkippedAndItsSlotComesBack) {
  EntryIndex index;
  EntryList list;
  for (int64_t id = 1; id <= 3; ++id) list.PushBack(index, index.Add(Make(id)));
  index.End(index.Find(2));
  EXPECT_EQ(index[list.Pop(index)].id, 1);
  EXPECT_EQ(index[list.Pop(index)].id, 3);
  EXPECT_EQ(list.Pop(index), kNoSlot);
  EXPECT_EQ(index.size(), 2u);
  index.Add(Make(4));
  EXPECT_EQ(index.capacity(), 3u) << "the slot of 2 is used again";
}

TEST(EntryIndexTest, RefusesAnIdThatItHas) {
  EntryIndex index;
  EXPECT_NE(index.Add(Make(1)), kNoSlot);
  EXPECT_EQ(index.Add(Make(1)), kNoSlot);
}

TEST(TicksTest, NeverRoundsDown) {
  const Instant at = FromMicros(1'800'000'000'000'001);
  EXPECT_GE(FromTicks(ToTicks(at)), at);
  EXPECT_LT(FromTicks(ToTicks(at)) - at, std::chrono::milliseconds(10));
}

TEST(CalendarTest, GivesWhatIsDueInOrderOfItsSecondAndNothingEarly) {
  EntryIndex index;
  Calendar calendar;
  const Instant now = FromMicros(1'800'000'000'000'000);
  for (const int64_t seconds : {30, 10, 20}) {
    Entry entry = Make(seconds);
    entry.due = ToTicks(now + std::chrono::seconds(seconds));
    calendar.Add(index, index.Add(entry));
  }
  EXPECT_EQ(calendar.PopDue(index, now + std::chrono::seconds(9)), kNoSlot);
  EXPECT_EQ(index[calendar.PopDue(index, now + std::chrono::seconds(25))].id, 10);
  EXPECT_EQ(index[calendar.PopDue(index, now + std::chrono::seconds(25))].id, 20);
  EXPECT_EQ(calendar.PopDue(index, now + std::chrono::seconds(25)), kNoSlot);
}

TEST(WatermarksTest, TakesEachBatchOnceInWhateverOrderTheyCome) {
  Watermarks marks;
  EXPECT_TRUE(marks.Take(1, 7, 2));
  EXPECT_TRUE(marks.HasGaps());
  EXPECT_FALSE(marks.Take(1, 7, 2));
  EXPECT_TRUE(marks.Take(1, 7, 1));
  EXPECT_FALSE(marks.HasGaps());
  EXPECT_FALSE(marks.Take(1, 7, 1));
  EXPECT_TRUE(marks.Take(2, 7, 1)) << "another shard counts for itself";
  marks.ForgetShard(1);
  marks.Set(1, 7, 5);
  EXPECT_FALSE(marks.Take(1, 7, 5));
  EXPECT_TRUE(marks.Take(1, 7, 6));
}

TEST(ReportAcksTest, AcknowledgesUpToTheFirstThatIsNotDone) {
  ReportAcks acks;
  for (int64_t n = 1; n <= 4; ++n) acks.Arrived(n);
  acks.Done(2);
  EXPECT_EQ(acks.TakeThrough(), -1);
  acks.Done(1);
  EXPECT_EQ(acks.TakeThrough(), 2);
  EXPECT_EQ(acks.TakeThrough(), -1);
  acks.Done(4);
  acks.Done(3);
  EXPECT_EQ(acks.TakeThrough(), 4);
}

struct FlowsTest : ::testing::Test {
  void Add(const FlowKey& key, int count = 1) {
    for (; count > 0; --count) flows.Add(index, index.Add(Make(next_id++)), key);
  }
  // Serves the flow whose turn it is; answers its key's site, kNoFlow when nobody has a turn.
  uint32_t Serve(int count = 1, Parked why = Parked::kNot) {
    const Flows::Turn turn = flows.Next();
    if (turn.flow == kNoFlow) return kNoFlow;
    const uint32_t site = flows.Key(turn.flow).site;
    for (int i = 0; i < count; ++i) flows.Ready(turn.flow).Pop(index);
    flows.Served(count, why);
    return site;
  }
  EntryIndex index;
  Flows flows;
  int64_t next_id = 1;
};

TEST_F(FlowsTest, AFlowThatRunsDryIsForgotten) {
  Add({.tenant = 1, .site = 5}, 2);
  EXPECT_EQ(flows.size(), 1u);
  Serve(2);
  EXPECT_EQ(flows.size(), 0u);
  EXPECT_EQ(flows.CountOf(1), 0u);
  EXPECT_EQ(Serve(), kNoFlow);
}

TEST_F(FlowsTest, AParkedFlowComesBackOnlyForWhatItWaitsFor) {
  Add({.tenant = 1, .site = 5});
  EXPECT_EQ(Serve(0, Parked::kPath), 5u);
  flows.WakePools();
  flows.WakeCredit(10);
  flows.WakeProbes(10);
  flows.WakeTenants([](uint32_t) { return true; });
  flows.WakeSite(4);
  EXPECT_EQ(Serve(), kNoFlow);
  flows.WakeSite(5);
  EXPECT_EQ(Serve(), 5u);
}

// Else a tenant's dead sites would keep its mail to other domains from being looked up.
TEST_F(FlowsTest, AFlowToASiteThatIsDownIsNotCounted) {
  Add({.tenant = 1, .site = 5}, 2);
  Add({.tenant = 1, .site = 6});
  Serve(0, Parked::kDown);
  EXPECT_EQ(flows.CountOf(1), 1u);
  Serve(0, Parked::kDown);
  EXPECT_EQ(flows.CountOf(1), 0u);
  flows.WakeSite(5);
  EXPECT_EQ(flows.CountOf(1), 1u);
  EXPECT_EQ(Serve(2), 5u);
  EXPECT_EQ(flows.CountOf(1), 0u);
  flows.NewPolicy();
  const FlowNumber stale = flows.NextStale();
  flows.Ready(stale).Pop(index);
  flows.DropStale(stale);
  EXPECT_EQ(flows.CountOf(1), 0u);
  EXPECT_EQ(flows.size(), 0u);
}

TEST_F(FlowsTest, WhatComesToAParkedFlowWaitsWithIt) {
  Add({.tenant = 1, .site = 5});
  Serve(0, Parked::kPool);
  Add({.tenant = 1, .site = 5});
  EXPECT_EQ(Serve(), kNoFlow);
  flows.WakePools();
  EXPECT_EQ(Serve(2), 5u);
}

TEST_F(FlowsTest, WithoutCreditALaneWaitsAndKeepsItsOrder) {
  for (uint32_t site = 1; site <= 3; ++site) Add({.tenant = 1, .site = site});
  EXPECT_EQ(Serve(1), 1u);
  EXPECT_EQ(Serve(0, Parked::kCredit), 2u);
  EXPECT_EQ(Serve(), kNoFlow);
  flows.WakeCredit(1);
  EXPECT_EQ(Serve(), 2u);
  EXPECT_EQ(Serve(), 3u);
}

TEST_F(FlowsTest, ATenantOverItsRateWaitsWithAllItsLanes) {
  Add({.tenant = 1, .stream = 1, .site = 1});
  Add({.tenant = 1, .stream = 2, .site = 2});
  Add({.tenant = 2, .site = 3});
  EXPECT_EQ(Serve(0, Parked::kRate), 1u);
  EXPECT_EQ(Serve(), 3u);
  EXPECT_EQ(Serve(), kNoFlow);
  flows.WakeTenants([](uint32_t tenant) { return tenant == 2; });
  EXPECT_EQ(Serve(), kNoFlow);
  flows.WakeTenants([](uint32_t tenant) { return tenant == 1; });
  EXPECT_EQ(Serve(), 1u);
  EXPECT_EQ(Serve(), 2u);
}

TEST_F(FlowsTest, ANewPolicyMakesEveryFlowStaleAndNoneOfThemComesBack) {
  Add({.tenant = 1, .site = 1}, 3);
  Add({.tenant = 1, .site = 2});
  Serve(0, Parked::kPool);
  flows.NewPolicy();
  int refiled = 0;
  for (FlowNumber flow = flows.NextStale(); flow != kNoFlow; flow = flows.NextStale()) {
    EXPECT_TRUE(flows.IsStale(flow));
    for (Slot slot = flows.Ready(flow).Pop(index); slot != kNoSlot; slot = flows.Ready(flow).Pop(index)) {
      flows.Add(index, slot, {.tenant = 1, .site = 9});
      ++refiled;
    }
    flows.DropStale(flow);
  }
  EXPECT_EQ(refiled, 4);
  flows.WakePools();
  EXPECT_EQ(Serve(4), 9u);
  EXPECT_EQ(Serve(), kNoFlow);
  EXPECT_EQ(flows.size(), 0u);
}

// ---- assignment ---------------------------------------------------------------------------------

SourcePolicy NamedSource(const std::string& name, const std::string& bind) {
  SourcePolicy source;
  source.name = name;
  source.address = source.bind = bind;
  return source;
}

constexpr SteadyInstant kNow = SteadyInstant(std::chrono::hours(1));

AssignmentPlan Plan(const std::vector<SourcePolicy>& sources, const std::vector<Candidate>& candidates, const std::vector<Holder>& holders,
                    const BindFailures& failures = {}, SteadyInstant now = kNow) {
  return PlanAssignments(sources, candidates, holders, failures, now);
}

TEST(AssignmentTest, SpreadsFreeSourcesOverEgressesThatMayBindThem) {
  const auto plan = Plan({NamedSource("a", "192.0.2.1"), NamedSource("b", "192.0.2.2"), NamedSource("c", "192.0.2.3")},
                                    {{"e1", {}}, {"e2", {"192.0.2.2"}}}, {});
  EXPECT_THAT(plan.claims.at("e1"), ElementsAre("a", "c"));
  EXPECT_THAT(plan.claims.at("e2"), ElementsAre("b"));
}

TEST(AssignmentTest, ASourceStaysWithItsHolderWhileTheLeaseRuns) {
  const auto plan = Plan({NamedSource("a", "192.0.2.1")}, {{"e2", {}}}, {{"a", "e1", false, false}});
  EXPECT_THAT(plan.claims, IsEmpty());
  const auto later = Plan({NamedSource("a", "192.0.2.1")}, {{"e2", {}}}, {{"a", "e1", true, false}});
  EXPECT_THAT(later.claims.at("e2"), ElementsAre("a"));
}

TEST(AssignmentTest, ASourceThatCouldNotBeBoundMovesWhenSomebodyElseMightBindIt) {
  const std::vector<SourcePolicy> sources = {NamedSource("a", "192.0.2.1")};
  BindFailures failures;
  failures.Add("a", "e1", kNow);
  EXPECT_THAT(Plan(sources, {{"e1", {}}}, {{"a", "e1", false, true}}, failures).releases, IsEmpty());
  EXPECT_THAT(Plan(sources, {{"e1", {}}, {"e2", {}}}, {{"a", "e1", false, true}}, failures).releases, ElementsAre("a"));
  EXPECT_THAT(Plan(sources, {{"e1", {}}, {"e2", {}}}, {{"a", "", true, false}}, failures).claims.at("e2"), ElementsAre("a"));
}

// Each of several hosts has addresses of its own, and nobody says which: every host is asked once, and then not at once again.
TEST(AssignmentTest, EveryEgressIsAskedOnceBeforeOneIsAskedAgain) {
  const std::vector<SourcePolicy> sources = {NamedSource("a", "192.0.2.1")};
  const std::vector<Candidate> three = {{"e1", {}}, {"e2", {}}, {"e3", {}}};
  BindFailures failures;
  std::set<std::string> asked;
  for (int i = 0; i < 3; ++i) {
    const std::string egress = Plan(sources, three, {{"a", "", true, false}}, failures).claims.begin()->first;
    asked.insert(egress);
    failures.Add("a", egress, kNow);
  }
  EXPECT_EQ(asked.size(), 3u);
  EXPECT_THAT(Plan(sources, three, {{"a", "", true, false}}, failures).claims, IsEmpty());
  EXPECT_THAT(Plan(sources, three, {{"a", "e2", false, true}}, failures).releases, IsEmpty());
  EXPECT_EQ(Plan(sources, three, {}, failures, kNow + BindFailures::kAskAgain).claims.size(), 1u);
  failures.Forget("a", "e2");
  EXPECT_THAT(Plan(sources, three, {}, failures).claims.at("e2"), ElementsAre("a"));
}

TEST(AssignmentTest, ASourceThatNamesItsEgressGoesNowhereElse) {
  SourcePolicy source = NamedSource("a", "192.0.2.1");
  source.egress = "e9";
  EXPECT_THAT(Plan({source}, {{"e1", {}}}, {}).claims, IsEmpty());
}

}  // namespace
}  // namespace sluice::scheduler
