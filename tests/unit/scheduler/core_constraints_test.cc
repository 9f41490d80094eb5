// What constraints hold back, and what they ask back.
#include <gmock/gmock.h>

#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Constraint Suspend(Scope scope, std::optional<Instant> until = {}) {
  return {.id = 1, .scope = std::move(scope), .value = {.suspend = true}, .until = until};
}

struct ConstraintsTest : ::testing::Test {
  ConstraintsTest() {
    rig.TakeShard();
    port = rig.Connect();
    rig.Bind();
  }
  void HandOff(int messages = 1) {
    rig.HandOff(rig.Batch(++seq, counter, messages));
    counter += static_cast<uint32_t>(messages);
    rig.Run();
  }
  CoreRig rig;
  std::shared_ptr<FakePort> port;
  int64_t seq = 0;
  uint32_t counter = 1;
};

TEST(ConstraintsFirstTest, NothingLeavesBeforeTheyAreKnown) {
  CoreRig rig(/*with_constraints=*/false);
  rig.TakeShard();
  const auto port = rig.Connect();
  rig.Bind();
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  EXPECT_THAT(port->released, IsEmpty());
  rig.core.SetConstraints(1, {});
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(1));
}

TEST_F(ConstraintsTest, EachKindOfScopeHoldsAndLetsGo) {
  HandOff();
  ASSERT_THAT(port->released, SizeIs(1));
  const std::string site = port->released[0].site;
  port->released.clear();
  int64_t generation = 1;
  for (const Scope& scope : {Scope{.tenant = "shop"}, Scope{.stream = "marketing"}, Scope{.pool = "warm"},
                             Scope{.provider = "other"}, Scope{.site = site}, Scope{.domain = "d.test"},
                             Scope{.tenant = "shop", .domain = "d.test"}}) {
    rig.core.SetConstraints(++generation, {Suspend(scope)});
    HandOff();
    EXPECT_THAT(port->released, IsEmpty()) << ToString(scope);
    rig.core.SetConstraints(++generation, {});
    rig.Run();
    EXPECT_THAT(port->released, SizeIs(1)) << ToString(scope);
    port->released.clear();
  }
}

TEST_F(ConstraintsTest, WhatNamesNothingHoldsEverything) {
  rig.core.SetConstraints(2, {Suspend({})});
  HandOff(3);
  EXPECT_THAT(port->released, IsEmpty());
  rig.core.SetConstraints(3, {});
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(3));
}

TEST_F(ConstraintsTest, OthersAreNotTouched) {
  rig.core.SetConstraints(2, {Suspend({.tenant = "bank"}), Suspend({.campaign = "may"}), Suspend({.domain = "e.test"})});
  HandOff();
  EXPECT_THAT(port->released, SizeIs(1));
}

TEST_F(ConstraintsTest, ASuspendedSourceIsPassedOver) {
  rig.core.SetConstraints(2, {Suspend({.source = "ip-1"})});
  HandOff(6);
  ASSERT_THAT(port->released, SizeIs(6));
  for (const ReleasedEntry& entry : port->released) EXPECT_EQ(entry.source, "ip-2");
}

TEST_F(ConstraintsTest, WithAllSourcesHeldItWaitsUntilOneEnds) {
  rig.core.SetConstraints(2, {Suspend({.source = "ip-1"}),
                              Suspend({.source = "ip-2", .provider = "other"}, rig.clock.Now() + std::chrono::minutes(5))});
  HandOff();
  EXPECT_THAT(port->released, IsEmpty());
  rig.Pass(std::chrono::minutes(5), {"egress-1"});
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(1));
  EXPECT_EQ(port->released[0].source, "ip-2");
}

TEST_F(ConstraintsTest, WhatHasNotBegunIsAskedBackAndTheOrderStandsUntilItIsAnswered) {
  HandOff(3);
  ASSERT_THAT(port->released, SizeIs(3));
  DeliverInput begun;
  begun.begun = {port->released[0].entry_id};
  rig.core.OnDeliver(rig.sessions["egress-1"], begun);
  rig.core.SetConstraints(5, {Suspend({.stream = "marketing"})});
  EXPECT_THAT(port->recalled, ::testing::UnorderedElementsAre(port->released[1].entry_id, port->released[2].entry_id));
  EXPECT_EQ(rig.core.ActsOn().constraint_generation, 4);
  EXPECT_THAT(rig.core.ActsOn().waits_for, ElementsAre("egress-1"));

  DeliverInput back;
  for (int i : {1, 2}) {
    const ReleasedEntry& entry = port->released[static_cast<size_t>(i)];
    back.returns.push_back({.entry_id = entry.entry_id, .attempt_id = entry.attempt_id, .reason = "recall", .detail = {}});
  }
  rig.core.OnDeliver(rig.sessions["egress-1"], back);
  rig.core.OnOrderResult(rig.sessions["egress-1"], port->last_recall);
  EXPECT_EQ(rig.core.ActsOn().constraint_generation, 5);
  EXPECT_THAT(rig.core.ActsOn().waits_for, IsEmpty());
  port->released.clear();
  rig.Run();
  EXPECT_THAT(port->released, IsEmpty());
  EXPECT_THAT(rig.world.fetches, IsEmpty());
  rig.core.SetConstraints(6, {});
  rig.Run();
  EXPECT_THAT(rig.world.fetches, SizeIs(2)) << "chosen again, their content on its way";
}

TEST_F(ConstraintsTest, AnEgressThatIsGoneIsNotWaitedForForEver) {
  HandOff();
  rig.core.SetConstraints(2, {Suspend({.tenant = "shop"})});
  EXPECT_EQ(rig.core.ActsOn().constraint_generation, 1);
  rig.core.OnEgressGone(rig.sessions["egress-1"]);
  rig.Run();
  EXPECT_EQ(rig.core.ActsOn().constraint_generation, 1) << "it may still begin";
  rig.clock.Advance(std::chrono::seconds(11));
  rig.Run();
  EXPECT_EQ(rig.core.ActsOn().constraint_generation, 2);
}

TEST_F(ConstraintsTest, OverflowTakesWhatHeldMembersCannot) {
  PolicyDocument policy = CoreRig::Policy();
  policy.pools = {{.name = "new", .members = {{.source = "ip-1"}}, .overflow = "warm"},
                  {.name = "warm", .members = {{.source = "ip-2"}}}};
  policy.routes = {{.match = {}, .pool = "new"}};
  rig.core.SetPolicy(2, policy);
  HandOff();
  ASSERT_THAT(port->released, SizeIs(1));
  EXPECT_EQ(port->released[0].source, "ip-1");
  rig.core.SetConstraints(2, {Suspend({.source = "ip-1"})});
  HandOff();
  ASSERT_THAT(port->released, SizeIs(2));
  EXPECT_EQ(port->released[1].source, "ip-2");
  EXPECT_EQ(port->released[1].pool, "warm");
  rig.core.SetConstraints(3, {Suspend({.source = "ip-1"}), Suspend({.pool = "warm"})});
  HandOff();
  EXPECT_THAT(port->released, SizeIs(2)) << "neither pool may send";
}

Constraint Trickle(Scope scope, Rate rate, int64_t id = 1) {
  return {.id = id, .scope = std::move(scope), .value = {.suspend = true, .trickle = rate}};
}

TEST_F(ConstraintsTest, ATrickleLetsOneThroughAndTheNextWhenItsTimeHasCome) {
  rig.core.SetConstraints(2, {Trickle({.source = "ip-1"}, {1, std::chrono::seconds(10)}), Suspend({.source = "ip-2"})});
  HandOff(5);
  ASSERT_THAT(port->released, SizeIs(1));
  EXPECT_EQ(port->released[0].source, "ip-1");
  rig.Pass(std::chrono::seconds(9), {"egress-1"});
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(1));
  rig.Pass(std::chrono::seconds(1), {"egress-1"});
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(2));
}

TEST_F(ConstraintsTest, ATrickleOfASourceLeavesTheRestToTheOthers) {
  rig.core.SetConstraints(2, {Trickle({.source = "ip-1", .provider = "other"}, {6, std::chrono::minutes(1)})});
  HandOff(12);
  ASSERT_THAT(port->released, SizeIs(12));
  int from_first = 0;
  for (const ReleasedEntry& entry : port->released) from_first += entry.source == "ip-1" ? 1 : 0;
  EXPECT_EQ(from_first, 1);
}

TEST_F(ConstraintsTest, WhatATrickleLetThroughIsNotAskedBackAndUsesEveryTrickleThatCoversIt) {
  rig.core.SetConstraints(2, {Trickle({.source = "ip-1"}, {1, std::chrono::seconds(10)}, 1),
                              Trickle({.source = "ip-1", .provider = "other"}, {1, std::chrono::seconds(60)}, 2),
                              Suspend({.source = "ip-2"})});
  HandOff(3);
  ASSERT_THAT(port->released, SizeIs(1));
  rig.core.SetConstraints(3, {Trickle({.source = "ip-1"}, {1, std::chrono::seconds(10)}, 1),
                              Trickle({.source = "ip-1", .provider = "other"}, {1, std::chrono::seconds(60)}, 2),
                              Suspend({.source = "ip-2"}), Suspend({.tenant = "bank"})});
  EXPECT_THAT(port->recalled, IsEmpty());
  rig.Pass(std::chrono::seconds(30), {"egress-1"});
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(1)) << "the second still holds";
  rig.Pass(std::chrono::seconds(30), {"egress-1"});
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(2));
}

TEST_F(ConstraintsTest, ATrickleOfATenantOrASenderDomainHoldsWhatIsNotItsTurn) {
  const std::string domain = rig.Batch(seq + 1, counter).messages[0].sender_domain;
  int64_t generation = 1;
  for (const Scope& scope : {Scope{.provider = "other", .tenant = "shop"}, Scope{.sender_domain = domain}}) {
    port->released.clear();
    rig.core.SetConstraints(++generation, {Trickle(scope, {1, std::chrono::seconds(10)}, generation)});
    HandOff(4);
    EXPECT_THAT(port->released, SizeIs(1)) << ToString(scope);
    rig.Pass(std::chrono::seconds(10), {"egress-1"});
    rig.Run();
    EXPECT_THAT(port->released, SizeIs(2)) << ToString(scope);
    rig.core.SetConstraints(++generation, {});
    rig.Run();
    EXPECT_THAT(port->released, SizeIs(4)) << ToString(scope);
  }
}

TEST_F(ConstraintsTest, ASourceThatLeftItsPoolGivesBackWhatItHasNotBegun) {
  HandOff(4);
  ASSERT_THAT(port->released, SizeIs(4));
  PolicyDocument policy = CoreRig::Policy();
  policy.pools[0].members.pop_back();
  rig.core.SetPolicy(2, policy);
  EXPECT_THAT(port->recalled, SizeIs(2));
  EXPECT_EQ(rig.core.ActsOn().policy_revision, 1);
  rig.core.OnOrderResult(rig.sessions["egress-1"], port->last_recall);
  EXPECT_EQ(rig.core.ActsOn().policy_revision, 2);
}

TEST_F(ConstraintsTest, ADrainedSourceKeepsWhatItHas) {
  HandOff(4);
  PolicyDocument policy = CoreRig::Policy();
  policy.pools[0].members[1].weight = 0;
  rig.core.SetPolicy(2, policy);
  EXPECT_THAT(port->recalled, IsEmpty());
  port->released.clear();
  HandOff(4);
  ASSERT_THAT(port->released, SizeIs(4));
  for (const ReleasedEntry& entry : port->released) EXPECT_EQ(entry.source, "ip-1");
}

}  // namespace
}  // namespace sluice::scheduler
