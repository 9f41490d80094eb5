// Rates at the sink, and what they hold back.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"
#include "unit/egress/egress_rig.h"

namespace sluice::egress {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

v1::DeliverResponse Batch(uint64_t first, uint64_t count, const std::string& source) {
  v1::DeliverResponse batch;
  for (uint64_t id = first; id < first + count; ++id) AddMessage(batch, id, source);
  return batch;
}

TrialSource Limited(const std::string& rate, const std::string& connection_rate = "", const std::string& bytes_rate = "") {
  TrialSource source = SourceAt("ip-11", "127.0.0.11");
  source.rate = rate;
  source.connection_rate = connection_rate;
  source.bytes_rate = bytes_rate;
  return source;
}

TEST(EgressLimitsTest, ARateIsKeptAndUsed) {
  EgressRig rig;
  rig.Begin({Limited("50/s")});
  const auto begin = std::chrono::steady_clock::now();
  rig.scheduler().Send(Batch(1, 75, "ip-11"));
  ASSERT_TRUE(rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 75; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(1450)) << "74 intervals of 20 ms";
  EXPECT_TRUE(rig.scheduler().heard().returns.empty()) << "all of it could go soon";
}

TEST(EgressLimitsTest, WhatCannotGoSoonGoesBackAndTheRoomIsTold) {
  EgressRig rig;
  rig.Begin({Limited("1/min"), SourceAt("ip-12", "127.0.0.12")});
  rig.scheduler().Send(Batch(1, 20, "ip-11"));
  ASSERT_TRUE(rig.scheduler().WaitUntil([](const Heard& heard) {
    return heard.CountReturns("limit") == 18 && heard.reports.size() == 1 && !heard.rooms.empty();
  }));
  const Heard heard = rig.scheduler().heard();
  EXPECT_EQ(heard.rooms.back().source(), "ip-11");
  EXPECT_EQ(heard.rooms.back().provider(), "other");
  EXPECT_EQ(heard.rooms.back().site(), "mx.example.com");
  EXPECT_EQ(heard.rooms.back().most_in_flight(), 2);
  // The one that came first is the one that went.
  EXPECT_EQ(heard.reports.front().queue_entry_id(), 1U);
  rig.scheduler().Send(Batch(101, 30, "ip-12"));
  EXPECT_TRUE(rig.scheduler().WaitUntil([](const Heard& h) { return h.reports.size() == 31; }))
      << "a limit of one source holds up no other";
}

TEST(EgressLimitsTest, AnEditWorksOnWhatWaits) {
  EgressRig rig;
  rig.Begin({Limited("1/min")});
  rig.scheduler().Send(Batch(1, 2, "ip-11"));
  ASSERT_TRUE(rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 1; }));
  rig.Shape({Limited("100/s")});
  EXPECT_TRUE(rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 2; }));
}

TEST(EgressLimitsTest, NewConnectionsAreCounted) {
  EgressRig rig;
  TrialSource source = Limited("", "3/h");
  source.messages_per_connection = 1;
  rig.Begin({source});
  rig.scheduler().Send(Batch(1, 10, "ip-11"));
  ASSERT_TRUE(rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 3; }));
  EXPECT_FALSE(rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() > 3; }, milliseconds(600)));
  EXPECT_EQ(rig.sink().Total(rig::Count::kConnected), 3U);
}

TEST(EgressLimitsTest, BytesAreCounted) {
  EgressRig rig;
  rig.Begin({Limited("", "", "200/h")});
  v1::DeliverResponse batch;
  for (uint64_t id = 1; id <= 2; ++id) {
    AddContent(batch, id, Cat("Subject: x\r\n\r\n", std::string(100, 'a'), "\r\n"));
    AddRelease(batch, id, "ip-11");
  }
  rig.scheduler().Send(batch);
  ASSERT_TRUE(rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 1; }));
  EXPECT_FALSE(rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() > 1; }, milliseconds(400)));
}

TEST(EgressLimitsTest, RecipientsOfOneMessageCountEach) {
  EgressRig rig;
  rig.Begin({Limited("3/h")});
  v1::DeliverResponse batch;
  AddContent(batch, 1, "Subject: x\r\n\r\nHello\r\n");
  for (uint64_t id = 1; id <= 5; ++id) AddRelease(batch, id, "ip-11").set_message_id(1);
  rig.scheduler().Send(batch);
  ASSERT_TRUE(rig.scheduler().WaitUntil(
      [](const Heard& heard) { return heard.CountReturns("limit") == 3 && heard.reports.size() == 1; }));
  EXPECT_EQ(rig.sink().Total(rig::Count::kRecipientsAccepted), 1U) << "the second is due in 20 minutes";
}

TEST(EgressLimitsTest, AThrottlingReplySlowsDownAndIsToldUntilItIsKept) {
  EgressRig rig({.sink_script = R"(
rules:
  - match: {}
    rcpt: "451 4.4.5 slow down"
)",
                 .hosts = {}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 1)});
  rig.scheduler().Send(Batch(1, 1, "ip-11"));
  ASSERT_TRUE(rig.scheduler().WaitUntil([](const Heard& heard) { return !heard.reactions.empty(); }));
  const v1::Reaction reaction = rig.scheduler().heard().reactions.front();
  EXPECT_EQ(reaction.cause(), "aimd");
  EXPECT_EQ(reaction.scope().source(), "ip-11");
  EXPECT_EQ(reaction.scope().provider(), "other");
  EXPECT_EQ(reaction.scope().site(), "mx.example.com");
  EXPECT_EQ(reaction.value(), "rate=60/h");
  EXPECT_NE(reaction.evidence().find("slow down"), std::string::npos);
  rig.scheduler().Cut();
  EXPECT_TRUE(rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reactions.size() >= 2; }))
      << "told again to the next session, for nobody has said that it is kept";
}

}  // namespace
}  // namespace sluice::egress
