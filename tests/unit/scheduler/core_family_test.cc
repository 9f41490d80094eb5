// Which sources an address family keeps from some mail.
#include <gmock/gmock.h>

#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

using ::testing::Each;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kDeferred = 2;

struct FamilyTest : ::testing::Test {
  FamilyTest() {
    policy = CoreRig::Policy();
    policy.sources[1].address = policy.sources[1].bind = "2001:db8::12";
    rig.core.SetPolicy(2, policy);
    rig.TakeShard();
    port = rig.Connect();
    rig.Bind();
  }
  void HandOff(const std::string& domain, int messages = 1) {
    rig.HandOff(rig.Batch(++seq, counter, messages, domain));
    counter += static_cast<uint32_t>(messages);
    rig.Run();
  }
  void Never(Match match) {
    ShapingRule rule;
    rule.match = std::move(match);
    rule.ipv6 = Ipv6Mode::kNever;
    policy.shaping.push_back(rule);
    rig.core.SetPolicy(++revision, policy);
    rig.Run();
  }
  size_t CountOf(const std::string& source) const {
    return static_cast<size_t>(std::count_if(port->released.begin(), port->released.end(),
                                             [&](const ReleasedEntry& entry) { return entry.source == source; }));
  }

  PolicyDocument policy;
  CoreRig rig;
  std::shared_ptr<FakePort> port;
  int64_t revision = 2, seq = 0;
  uint32_t counter = 1;
};

TEST_F(FamilyTest, SourcesOfBothFamiliesTakeTheirTurn) {
  HandOff("d.test", 10);
  EXPECT_EQ(CountOf("ip-1"), 5U);
  EXPECT_EQ(CountOf("ip-2"), 5U);
}

TEST_F(FamilyTest, NeverKeepsIpv6SourcesFromAProvider) {
  Never({.provider = "other"});
  HandOff("d.test", 10);
  EXPECT_EQ(CountOf("ip-1"), 10U);
}

TEST_F(FamilyTest, NeverForADomainIsForThatDomainAlone) {
  Never({.domain = "d.test"});
  HandOff("d.test", 6);
  EXPECT_EQ(CountOf("ip-1"), 6U);
  HandOff("e.test", 6);
  EXPECT_EQ(CountOf("ip-2"), 3U);
}

TEST_F(FamilyTest, APoolWithIpv6AloneHoldsWhatMustNotGoSoUntilTheRuleHasGone) {
  policy.pools[0].members = {{.source = "ip-2"}};
  Never({.domain = "d.test"});
  HandOff("d.test");
  EXPECT_THAT(port->released, IsEmpty());
  HandOff("e.test");
  EXPECT_THAT(port->released, SizeIs(1)) << "others go";
  policy.shaping.clear();
  rig.core.SetPolicy(++revision, policy);
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(2));
}

TEST_F(FamilyTest, ASiteWithoutIpv6GoesByTheOtherFamilyAtOnceAndIsRemembered) {
  HandOff("d.test", 2);
  ASSERT_EQ(CountOf("ip-2"), 1U);
  const auto entry = *std::find_if(port->released.begin(), port->released.end(),
                                   [](const ReleasedEntry& e) { return e.source == "ip-2"; });
  port->released.clear();
  rig.Report("egress-1", entry, kDeferred, 1, "dns", {}, "4.4.4");
  rig.Run();
  rig.Pass(std::chrono::seconds(3), {"egress-1"});
  ASSERT_THAT(rig.world.fetches, SizeIs(1)) << "its content was let go";
  auto content = std::make_shared<Content>();
  content->message_id = entry.message_id;
  Fetched fetched{.request = rig.world.fetches[0], .entry_found = true, .payload = {}, .content = content};
  fetched.payload.recipient = "u@d.test";
  rig.core.OnFetched({fetched});
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(1)) << "a second later, not by the retry schedule";
  EXPECT_EQ(port->released[0].source, "ip-1");
  HandOff("d.test", 6);
  EXPECT_THAT(port->released, Each(Field(&ReleasedEntry::source, "ip-1")));
  HandOff("e.test", 6);
  EXPECT_EQ(CountOf("ip-2"), 3U);
}

TEST_F(FamilyTest, ASiteWithIpv6AloneGoesByThatFamilyFromThenOn) {
  HandOff("d.test", 2);
  const auto entry = *std::find_if(port->released.begin(), port->released.end(),
                                   [](const ReleasedEntry& e) { return e.source == "ip-1"; });
  port->released.clear();
  rig.Report("egress-1", entry, kDeferred, 1, "dns", {}, "4.4.4");
  rig.Run();
  HandOff("d.test", 6);
  EXPECT_THAT(port->released, Each(Field(&ReleasedEntry::source, "ip-2")));
}

TEST_F(FamilyTest, WithoutAMemberThatCouldTheScheduleCounts) {
  policy.pools[0].members = {{.source = "ip-2"}};
  rig.core.SetPolicy(++revision, policy);
  HandOff("d.test");
  ASSERT_THAT(port->released, SizeIs(1));
  const ReleasedEntry entry = port->released[0];
  port->released.clear();
  rig.Report("egress-1", entry, kDeferred, 1, "dns", {}, "4.4.4");
  rig.Run();
  rig.Pass(std::chrono::seconds(3), {"egress-1"});
  rig.Run();
  EXPECT_THAT(port->released, IsEmpty());
  HandOff("d.test");
  EXPECT_THAT(port->released, SizeIs(1)) << "not held: each attempt says what is wrong";
}

}  // namespace
}  // namespace sluice::scheduler
