// What egress can use at once at a provider bounds what it is given, and holds up nobody else.
#include <gtest/gtest.h>

#include <algorithm>

#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

constexpr int kDelivered = 1;

struct CoreLimitsTest : ::testing::Test {
  void SetUp() override {
    rig.TakeShard();
    port = rig.Connect();
    rig.Bind();
  }
  void HandOff(int messages, const std::string& domain) {
    rig.HandOff(rig.Batch(seq, next, messages, domain));
    ++seq;
    next += static_cast<uint32_t>(messages);
  }
  // The site of a domain in this rig is `mx.` + domain, of the provider `other`.
  void Tell(const std::string& source, const std::string& site, std::optional<int64_t> most) {
    rig.core.OnRooms(rig.sessions["egress-1"], {{source, "other", site, most}});
  }
  int64_t Released(const std::string& domain, const std::string& source = "") const {
    return std::count_if(port->released.begin(), port->released.end(), [&](const ReleasedEntry& entry) {
      return entry.payload.recipient.ends_with("@" + domain) && (source.empty() || entry.source == source);
    });
  }
  void ReportSome(size_t most) {
    for (; most > 0 && reported < port->released.size(); ++reported, --most) {
      rig.Report("egress-1", port->released[reported], kDelivered, ++number);
    }
  }
  std::string SiteOf(const std::string& domain) {
    HandOff(1, domain);
    rig.Run();
    const std::string site = port->released.back().site;
    ReportSome(1);
    rig.Run();
    return site;
  }
  CoreRig rig;
  std::shared_ptr<FakePort> port;
  int64_t seq = 1, number = 0;
  uint32_t next = 1;
  size_t reported = 0;
};

TEST_F(CoreLimitsTest, NoMoreIsGivenThanThereIsRoomFor) {
  const std::string site = SiteOf("slow.test");
  Tell("ip-1", site, 3);
  Tell("ip-2", site, 2);
  HandOff(100, "slow.test");
  HandOff(50, "free.test");
  rig.Run();
  EXPECT_EQ(Released("slow.test"), 1 + 5);
  EXPECT_EQ(Released("free.test"), 50) << "the others are not held up";

  ReportSome(port->released.size());
  rig.Run();
  EXPECT_EQ(Released("slow.test"), 1 + 10) << "as many again as have left";
}

TEST_F(CoreLimitsTest, AMemberWithoutRoomLeavesItsTurnsToTheOthers) {
  const std::string site = SiteOf("slow.test");
  Tell("ip-1", site, 0);
  HandOff(20, "slow.test");
  rig.Run();
  EXPECT_EQ(Released("slow.test", "ip-1") + Released("slow.test", "ip-2"), 21);
  EXPECT_GE(Released("slow.test", "ip-2"), 20);
}

TEST_F(CoreLimitsTest, MoreRoomLetsMoreGoAtOnce) {
  const std::string site = SiteOf("slow.test");
  Tell("ip-1", site, 0);
  Tell("ip-2", site, 0);
  HandOff(20, "slow.test");
  rig.Run();
  EXPECT_EQ(Released("slow.test"), 1);
  Tell("ip-2", site, 7);
  rig.Run();
  EXPECT_EQ(Released("slow.test"), 8);
  Tell("ip-1", site, std::nullopt);
  rig.Run();
  EXPECT_EQ(Released("slow.test"), 21);
}

TEST_F(CoreLimitsTest, WhatCameBackForALimitGoesWhenThereIsRoom) {
  HandOff(10, "slow.test");
  rig.Run();
  ASSERT_EQ(Released("slow.test"), 10);
  const std::string site = port->released.front().site;
  Tell("ip-1", site, 1);
  Tell("ip-2", site, 1);
  DeliverInput input;
  for (size_t i = 2; i < 10; ++i) {
    const ReleasedEntry& entry = port->released[i];
    input.returns.push_back({.entry_id = entry.entry_id, .attempt_id = entry.attempt_id, .reason = "limit", .detail = {}});
  }
  rig.core.OnDeliver(rig.sessions["egress-1"], std::move(input));
  rig.Run();
  EXPECT_TRUE(rig.world.fetches.empty()) << "none of it is chosen again at once";
  ReportSome(2);
  rig.Run();
  EXPECT_EQ(rig.world.fetches.size(), 2U) << "contents of what leaves next";
}

TEST_F(CoreLimitsTest, AnEgressThatComesBackSaysAnewWhatLimitsIt) {
  const std::string site = SiteOf("slow.test");
  Tell("ip-1", site, 0);
  Tell("ip-2", site, 0);
  HandOff(20, "slow.test");
  rig.Run();
  port = rig.Connect("egress-1", 2);
  rig.Run();
  EXPECT_EQ(Released("slow.test"), 20);
}

}  // namespace
}  // namespace sluice::scheduler
