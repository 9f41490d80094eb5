#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(FlowsTest, TenantsTakeTurnsHoweverManyFlowsOneHas) {
  EntryIndex index;
  Flows flows;
  int64_t id = 1;
  for (uint32_t site = 0; site < 10; ++site) {
    flows.Add(index, index.Add(Make(id++)), {.tenant = 1, .stream = 0, .pool = 0, .site = site});
  }
  flows.Add(index, index.Add(Make(id++)), {.tenant = 2, .stream = 0, .pool = 0, .site = 0});
  const FlowNumber first = flows.NextTurn();
  const FlowNumber second = flows.NextTurn();
  EXPECT_EQ(flows[first].key.tenant, 1u);
  EXPECT_EQ(flows[second].key.tenant, 2u);
}

TEST(FlowsTest, HighPriorityGoesFirstAndNormalIsNotStarved) {
  EntryIndex index;
  Flows flows;
  int64_t id = 1;
  const FlowKey high{.tenant = 1, .stream = 0, .pool = 0, .site = 0, .priority = 2};
  const FlowKey normal{.tenant = 1, .stream = 0, .pool = 0, .site = 0, .priority = 1};
  for (int i = 0; i < 100; ++i) flows.Add(index, index.Add(Make(id++)), high);
  flows.Add(index, index.Add(Make(id++)), normal);
  std::vector<int> turns;
  for (int i = 0; i < 6; ++i) {
    const FlowNumber flow = flows.NextTurn();
    turns.push_back(flows[flow].key.priority);
    flows.Requeue(flow);
  }
  EXPECT_THAT(turns, ElementsAre(2, 2, 2, 2, 1, 2));
}

TEST(FlowsTest, AParkedFlowComesBackOnlyForWhatItWaitsFor) {
  EntryIndex index;
  Flows flows;
  flows.Add(index, index.Add(Make(1)), {.tenant = 1, .stream = 0, .pool = 0, .site = 5});
  const FlowNumber flow = flows.NextTurn();
  flows.Park(flow, Parked::kPath);
  flows.WakePools();
  flows.WakeCredit(10);
  flows.WakeSite(4);
  EXPECT_EQ(flows.NextTurn(), kNoFlow);
  flows.WakeSite(5);
  EXPECT_EQ(flows.NextTurn(), flow);
}

// ---- assignment ---------------------------------------------------------------------------------

SourcePolicy NamedSource(const std::string& name, const std::string& bind) {
  SourcePolicy source;
  source.name = name;
  source.address = source.bind = bind;
  return source;
}

TEST(AssignmentTest, SpreadsFreeSourcesOverEgressesThatMayBindThem) {
  const auto plan = PlanAssignments({NamedSource("a", "192.0.2.1"), NamedSource("b", "192.0.2.2"), NamedSource("c", "192.0.2.3")},
                                    {{"e1", {}}, {"e2", {"192.0.2.2"}}}, {});
  EXPECT_THAT(plan.claims.at("e1"), ElementsAre("a", "c"));
  EXPECT_THAT(plan.claims.at("e2"), ElementsAre("b"));
}

TEST(AssignmentTest, ASourceStaysWithItsHolderWhileTheLeaseRuns) {
  const auto plan = PlanAssignments({NamedSource("a", "192.0.2.1")}, {{"e2", {}}}, {{"a", "e1", false, false}});
  EXPECT_THAT(plan.claims, IsEmpty());
  const auto later = PlanAssignments({NamedSource("a", "192.0.2.1")}, {{"e2", {}}}, {{"a", "e1", true, false}});
  EXPECT_THAT(later.claims.at("e2"), ElementsAre("a"));
}

TEST(AssignmentTest, ASourceThatCouldNotBeBoundMovesWhenSomebodyElseMightBindIt) {
  const std::vector<SourcePolicy> sources = {NamedSource("a", "192.0.2.1")};
  EXPECT_THAT(PlanAssignments(sources, {{"e1", {}}}, {{"a", "e1", false, true}}).releases, IsEmpty());
  EXPECT_THAT(PlanAssignments(sources, {{"e1", {}}, {"e2", {}}}, {{"a", "e1", false, true}}).releases, ElementsAre("a"));
  EXPECT_THAT(PlanAssignments(sources, {{"e1", {}}, {"e2", {}}}, {{"a", "e1", true, true}}).claims.at("e2"), ElementsAre("a"));
}

TEST(AssignmentTest, ASourceThatNamesItsEgressGoesNowhereElse) {
  SourcePolicy source = NamedSource("a", "192.0.2.1");
  source.egress = "e9";
  EXPECT_THAT(PlanAssignments({source}, {{"e1", {}}}, {}).claims, IsEmpty());
}

}  // namespace
}  // namespace sluice::scheduler
