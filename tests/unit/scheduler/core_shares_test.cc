// Rates that hold for several sources together, at the scheduler that has a share of them.
#include <gtest/gtest.h>

#include <algorithm>

#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kDelivered = 1;

struct CoreSharesTest : ::testing::Test {
  void SetUp() override {
    rig.TakeShard();
    port = rig.Connect();
    rig.Bind();
  }
  void SetRules(std::vector<ShapingRule> rules) {
    policy.shaping = std::move(rules);
    rig.core.SetPolicy(++revision, policy);
  }
  // All of each rate.
  void GiveAll(Duration valid_for = std::chrono::hours(1)) {
    std::vector<GivenShare> given;
    for (const SharedLimit& shared : SharedLimitsOf(policy.shaping)) given.push_back({KeyOf(shared), shared.rate.count, shared.rate.count, shared.rate.count});
    rig.core.GiveShares(given, rig.clock.Steady() + valid_for);
  }
  void HandOff(int messages, const std::string& tenant, const std::string& campaign = "", const std::string& domain = "d.test") {
    HandedBatch batch = rig.Batch(seq++, next, messages, domain);
    next += static_cast<uint32_t>(messages);
    for (HandedMessage& message : batch.messages) {
      message.tenant = tenant;
      message.campaign = campaign;
    }
    rig.HandOff(std::move(batch));
  }
  // With content of so many bytes each; `in_memory`: it was handed off, too.
  void HandOffBytes(int messages, int64_t bytes, const std::string& domain, const std::string& campaign = "", bool in_memory = true) {
    HandedBatch batch = rig.Batch(seq++, next, messages, domain);
    next += static_cast<uint32_t>(messages);
    for (HandedMessage& message : batch.messages) {
      message.campaign = campaign;
      auto content = std::make_shared<Content>(*message.content);
      content->size_bytes = bytes;
      sizes[message.message_id] = bytes;
      message.content = in_memory ? content : nullptr;
    }
    rig.HandOff(std::move(batch));
  }
  void AnswerFetches() {
    std::vector<Fetched> fetched;
    for (const FetchRequest& request : std::exchange(rig.world.fetches, {})) {
      ++fetches;
      auto content = std::make_shared<Content>();
      content->message_id = request.message_id;
      content->size_bytes = sizes.at(request.message_id);
      EntryPayload payload;
      payload.recipient = "u@d.test";
      fetched.push_back({.request = request, .entry_found = true, .payload = std::move(payload), .content = content});
    }
    if (!fetched.empty()) rig.core.OnFetched(std::move(fetched));
  }
  // Bytes released within any second, at most.
  int64_t MostBytes() const {
    int64_t most = 0, inside = 0;
    for (size_t begin = 0, i = 0; i < times.size(); ++i) {
      inside += sizes.at(port->released[i].message_id);
      for (; times[begin] + seconds(1) <= times[i]; ++begin) inside -= sizes.at(port->released[begin].message_id);
      most = std::max(most, inside);
    }
    return most;
  }
  int64_t ReleasedBytes(int64_t each) const {
    return std::count_if(port->released.begin(), port->released.end(), [&](const ReleasedEntry& entry) {
             return sizes.at(entry.message_id) == each;
           }) * each;
  }
  // What is released is delivered at once.
  void Pass(Duration time) {
    for (; time.count() > 0; time -= milliseconds(10)) {
      rig.clock.Advance(milliseconds(10));
      rig.core.OnHeartbeat(rig.sessions["egress-1"], 0);
      rig.Run();
      AnswerFetches();
      rig.Run();
      for (; delivers && reported < port->released.size(); ++reported) {
        times.push_back(rig.clock.Steady());
        rig.Report("egress-1", port->released[reported], kDelivered, ++number);
      }
    }
  }
  int64_t Released(const std::string& tenant, const std::string& campaign = "") const {
    return std::count_if(port->released.begin(), port->released.end(), [&](const ReleasedEntry& entry) {
      return entry.tenant == tenant && entry.campaign == campaign;
    });
  }

  CoreRig rig;
  PolicyDocument policy = CoreRig::Policy();
  std::shared_ptr<FakePort> port;
  std::vector<SteadyInstant> times;  // Of releases.
  std::map<int64_t, int64_t> sizes;  // By message.
  int fetches = 0;
  int64_t seq = 1, number = 0, revision = 1;
  uint32_t next = 1;
  size_t reported = 0;
  bool delivers = true;
};

TEST_F(CoreSharesTest, ATenantsRateHoldsOverAllItsSourcesAndSlowsNobodyElse) {
  SetRules({{.match = {.tenant = "shop"}, .rate = Rate{20, seconds(1)}}});
  GiveAll();
  HandOff(200, "shop");
  HandOff(200, "shop", "", "e.test");
  HandOff(300, "bank");
  Pass(seconds(1));
  EXPECT_EQ(Released("bank"), 300);
  EXPECT_LE(Released("shop"), 21);
  Pass(seconds(4));
  EXPECT_LE(Released("shop"), 100);
  EXPECT_GE(Released("shop"), 95);
}

TEST_F(CoreSharesTest, AnEntrysLimitLeavesTheOthersOfItsFlowAlone) {
  SetRules({{.match = {.campaign = "autumn"}, .rate = Rate{10, seconds(1)}}});
  GiveAll();
  for (int i = 0; i < 20; ++i) {
    HandOff(5, "shop", "autumn");
    HandOff(5, "shop");
  }
  Pass(seconds(1));
  EXPECT_EQ(Released("shop"), 100) << "of the same flow";
  EXPECT_LE(Released("shop", "autumn"), 11);
  Pass(seconds(4));
  EXPECT_GE(Released("shop", "autumn"), 47);
  EXPECT_LE(Released("shop", "autumn"), 51);
}

TEST_F(CoreSharesTest, WhatIsUnderWayCountsUntilItHasBegunAndWhatComesBackNoMore) {
  SetRules({{.match = {.tenant = "shop"}, .rate = Rate{5, seconds(1)}}});
  GiveAll();
  HandOff(50, "shop");
  delivers = false;
  Pass(seconds(10));
  ASSERT_EQ(Released("shop"), 2) << "what a quarter of a second lets go, and one, is under way; none of it has begun";
  DeliverInput begun;
  begun.begun = {port->released[0].entry_id};
  rig.core.OnDeliver(rig.sessions["egress-1"], std::move(begun));
  Pass(milliseconds(50));
  EXPECT_EQ(Released("shop"), 2);
  Pass(milliseconds(250));
  EXPECT_EQ(Released("shop"), 3);
  DeliverInput input;
  input.returns = {{.entry_id = port->released[1].entry_id, .attempt_id = port->released[1].attempt_id, .reason = "limit", .detail = {}}};
  rig.core.OnDeliver(rig.sessions["egress-1"], std::move(input));
  Pass(milliseconds(50));
  EXPECT_EQ(Released("shop"), 4) << "what came back counts no more";
}

TEST_F(CoreSharesTest, AllThatMatchHoldAtOnce) {
  SetRules({{.match = {.tenant = "shop"}, .rate = Rate{20, seconds(1)}}, {.match = {.pool = "warm"}, .rate = Rate{30, seconds(1)}}});
  GiveAll();
  HandOff(200, "shop");
  HandOff(200, "bank");
  Pass(seconds(4));
  EXPECT_LE(port->released.size(), 121U);
  EXPECT_GE(port->released.size(), 114U);
  EXPECT_LE(Released("shop"), 81);
  EXPECT_GE(Released("bank"), 40) << "what the pool lets go beyond the other's share";
}

TEST_F(CoreSharesTest, WithoutAShareNothingLeavesAndNobodySpins) {
  SetRules({{.match = {.tenant = "shop"}, .rate = Rate{20, seconds(1)}}});
  HandOff(50, "shop");
  HandOff(50, "bank");
  Pass(seconds(1));
  EXPECT_EQ(Released("shop"), 0);
  EXPECT_EQ(Released("bank"), 50);
  EXPECT_FALSE(rig.core.Turn()) << "there is nothing to do at once";
  EXPECT_EQ(rig.core.Patience(milliseconds(50)), milliseconds(50));
  const std::vector<ShareNow> shares = rig.core.Shares();
  ASSERT_EQ(shares.size(), 1U);
  EXPECT_TRUE(shares[0].wants);
  GiveAll(seconds(2));
  Pass(seconds(4));
  EXPECT_LE(Released("shop"), 41) << "nothing after its time is over";
  EXPECT_GE(Released("shop"), 38);
}

TEST_F(CoreSharesTest, TheNextTurnComesWhenTheNextMayGo) {
  SetRules({{.match = {.tenant = "shop"}, .rate = Rate{20, seconds(1)}}});
  GiveAll();
  HandOff(50, "shop");
  Pass(seconds(1));
  EXPECT_LE(rig.core.Patience(seconds(1)), milliseconds(51));
  EXPECT_GE(rig.core.Patience(seconds(1)), milliseconds(1));
}

TEST_F(CoreSharesTest, AnEditCountsWhatWentAndARuleThatGoesLetsGo) {
  SetRules({{.match = {.tenant = "shop"}, .rate = Rate{50, seconds(1)}}});
  GiveAll();
  HandOff(400, "shop", "autumn");
  Pass(seconds(1));
  const int64_t before = Released("shop", "autumn");
  EXPECT_GE(before, 47);
  SetRules({{.match = {.tenant = "shop"}, .rate = Rate{5, seconds(1)}}});
  Pass(seconds(2));
  EXPECT_LE(Released("shop", "autumn") - before, 6) << "cut at once, before the shares are given out anew";
  SetRules({});
  Pass(milliseconds(200));
  EXPECT_EQ(Released("shop", "autumn"), 400);
}

TEST_F(CoreSharesTest, BytesOfAPoolHoldInAnySecondAndAreUsed) {
  SetRules({{.match = {.pool = "warm"}, .bytes_rate = Rate{100'000, seconds(1)}}});
  GiveAll();
  HandOffBytes(200, 5'000, "small.test");
  HandOffBytes(60, 20'000, "large.test");
  Pass(seconds(10));
  EXPECT_LE(MostBytes(), 100'000);
  EXPECT_GE(ReleasedBytes(5'000) + ReleasedBytes(20'000), 880'000);
  EXPECT_GE(ReleasedBytes(20'000), 300'000) << "heavy mail has its turns";
  EXPECT_GE(ReleasedBytes(5'000), 100'000);
}

TEST_F(CoreSharesTest, BytesOfACampaignLeaveTheOthersOfItsFlowAlone) {
  SetRules({{.match = {.campaign = "autumn"}, .bytes_rate = Rate{100'000, seconds(1)}}});
  GiveAll();
  HandOffBytes(100, 10'000, "d.test", "autumn");
  HandOffBytes(100, 11'000, "d.test");
  Pass(seconds(5));
  EXPECT_EQ(ReleasedBytes(11'000), 1'100'000);
  EXPECT_LE(ReleasedBytes(10'000), 510'000);
  EXPECT_GE(ReleasedBytes(10'000), 450'000);
}

TEST_F(CoreSharesTest, BytesThatAreKnownOnlyWhenFetchedAreHeldToTheLimitToo) {
  SetRules({{.match = {.tenant = "shop"}, .bytes_rate = Rate{100'000, seconds(1)}}});
  GiveAll();
  HandOffBytes(60, 30'000, "d.test", "", /*in_memory=*/false);
  Pass(seconds(10));
  EXPECT_LE(MostBytes(), 100'000);
  EXPECT_GE(ReleasedBytes(30'000), 810'000) << "three of 30 kB fit into a second";
  EXPECT_LE(fetches, static_cast<int>(port->released.size()) + 15) << "what was fetched too early is not fetched again";
}

TEST_F(CoreSharesTest, AMessageLargerThanTheLimitGoesAloneInItsInterval) {
  SetRules({{.match = {.tenant = "shop"}, .bytes_rate = Rate{100'000, seconds(1)}}});
  GiveAll();
  HandOffBytes(3, 250'000, "d.test");
  HandOffBytes(100, 10'000, "e.test");
  Pass(seconds(12));
  EXPECT_EQ(ReleasedBytes(250'000), 750'000);
  EXPECT_GE(ReleasedBytes(10'000), 200'000);
}

TEST_F(CoreSharesTest, WhatWaitsAsideIsCancelledAndExpiresLikeAnyOther) {
  SetRules({{.match = {.campaign = "autumn"}, .rate = Rate{1, std::chrono::hours(1)}}});
  GiveAll();
  HandOff(10, "shop", "autumn");
  Pass(seconds(1));
  EXPECT_EQ(Released("shop", "autumn"), 1);
  EXPECT_EQ(rig.core.Snapshot().kept_back, 9);
  SetRules({});
  Pass(milliseconds(500));
  EXPECT_EQ(Released("shop", "autumn"), 10);
  EXPECT_EQ(rig.core.Snapshot().kept_back, 0);
}

}  // namespace
}  // namespace sluice::scheduler
