// Scenario 40 of the SMTP scenarios: retry backoff doubles, is capped, has jitter.
#include "policy/retry_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "unit/policy/example_policy.h"

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ExamplePolicy;

const Instant kNow = FromMicros(1'800'000'000'000'000);
const RetrySchedule kBuiltIn;

TEST(RetryScheduleTest, DoublesFromFiveMinutesAndIsCappedAtFourHours) {
  const Duration expected[] = {minutes(5),  minutes(10),  minutes(20), minutes(40),
                               minutes(80), minutes(160), hours(4),    hours(4)};
  for (int made = 1; made <= 8; ++made)
    EXPECT_EQ(RetryWait(kBuiltIn, made), expected[made - 1]) << made;
  EXPECT_EQ(RetryWait(kBuiltIn, 1'000'000), hours(4));
  EXPECT_EQ(RetryWait(kBuiltIn, 0), minutes(5));
}

TEST(RetryScheduleTest, JitterIsTenPercentEitherWay) {
  EXPECT_EQ(NextDue(kBuiltIn, 1, kNow, 0.0), kNow + std::chrono::seconds(270));
  EXPECT_EQ(NextDue(kBuiltIn, 1, kNow, 0.5), kNow + minutes(5));
  EXPECT_LT(NextDue(kBuiltIn, 1, kNow, 0.999999), kNow + std::chrono::seconds(330));
  EXPECT_GT(NextDue(kBuiltIn, 1, kNow, 0.999999), kNow + minutes(5));
}

TEST(RetryScheduleTest, WhatFailedTogetherComesBackSpreadOut) {
  Instant last = NextDue(kBuiltIn, 4, kNow, 0.0);
  for (int i = 1; i < 100; ++i) {
    const Instant due = NextDue(kBuiltIn, 4, kNow, i / 100.0);
    EXPECT_GT(due, last);
    last = due;
  }
  EXPECT_GT(last - NextDue(kBuiltIn, 4, kNow, 0.0), minutes(7));
}

TEST(RetryScheduleTest, FiveDaysOfDeferralsAreAboutThirtySevenAttempts) {
  Instant at = kNow;
  int attempts = 1;
  while (!IsExpired(kNow + hours(120), at)) {
    at = NextDue(kBuiltIn, attempts, at, 0.5, kNow + hours(120));
    ++attempts;
  }
  EXPECT_GE(attempts, 34);
  EXPECT_LE(attempts, 38);
}

TEST(RetryScheduleTest, OwnWaitsAreUsedInOrderAndTheLastRepeats) {
  const RetrySchedule schedule{.name = "fast", .waits = {minutes(1), minutes(15), hours(1)}};
  EXPECT_EQ(RetryWait(schedule, 1), minutes(1));
  EXPECT_EQ(RetryWait(schedule, 2), minutes(15));
  EXPECT_EQ(RetryWait(schedule, 3), hours(1));
  EXPECT_EQ(RetryWait(schedule, 99), hours(1));
}

TEST(RetryScheduleTest, GivesUpWhenOlderThanExpiry) {
  const Instant expires_at = kNow + minutes(3);
  EXPECT_EQ(NextDue(kBuiltIn, 1, kNow, 0.5, expires_at), expires_at);
  EXPECT_FALSE(IsExpired(expires_at, kNow));
  EXPECT_FALSE(IsExpired(expires_at, expires_at - Duration(1)));
  EXPECT_TRUE(IsExpired(expires_at, expires_at));
  EXPECT_EQ(NextDue(kBuiltIn, 1, kNow, 0.5, kNow + hours(1)), kNow + minutes(5));
}

TEST(RetryScheduleTest, AGreylistIsPassedSoonAFullMailboxLaterAndAThrottleFollowsThePath) {
  const RetrySchedules schedules{PolicyDocument()};
  EXPECT_EQ(RetryWait(schedules.For({.stream = "any"}, ReplyClass::kGreylist), 1), minutes(5));
  EXPECT_EQ(RetryWait(schedules.For({.stream = "any"}, ReplyClass::kGreylist), 20), hours(1));
  EXPECT_EQ(RetryWait(schedules.For({.stream = "any"}, ReplyClass::kRcptQuota), 1), hours(1));
  EXPECT_EQ(RetryWait(schedules.For({.stream = "any"}, ReplyClass::kRcptQuota), 20), hours(8));
  EXPECT_EQ(RetryWait(schedules.For({.stream = "any"}, ReplyClass::kThrottle), 20), minutes(15));
  EXPECT_EQ(RetryWait(schedules.For({.stream = "any"}, ReplyClass::kRemoteSys), 20), hours(4));
}

TEST(RetryScheduleTest, AReplyMaySayHowLong) {
  EXPECT_EQ(ToldWait("4.2.0 Greylisted, please try again in 300 seconds"), minutes(5));
  EXPECT_EQ(ToldWait("Retry after 10 minutes"), minutes(10));
  EXPECT_EQ(ToldWait("try again in 2 seconds"), minutes(1)) << "never a loop";
  EXPECT_EQ(ToldWait("please wait 90 hours"), hours(4));
  EXPECT_EQ(ToldWait("try again later"), std::nullopt);
  EXPECT_EQ(ToldWait("try again in 99999999999999999999 s"), std::nullopt);
  EXPECT_EQ(ToldWait("try again in "), std::nullopt);
}

TEST(RetryScheduleTest, AStreamsOwnScheduleAppliesToItsReplyClasses) {
  PolicyDocument policy = ExamplePolicy();
  policy.retry_schedules = {
      {.name = "grey", .waits = {minutes(1)}, .reply_classes = {ReplyClass::kGreylist}},
      {.name = "slow", .waits = {hours(2)}}};
  policy.streams[0].retry_schedule = "grey";
  policy.streams[1].retry_schedule = "slow";
  const RetrySchedules schedules(policy);
  EXPECT_EQ(RetryWait(schedules.For({.stream = "transactional"}, ReplyClass::kGreylist), 1), minutes(1));
  EXPECT_EQ(RetryWait(schedules.For({.stream = "transactional"}, ReplyClass::kThrottle), 1), minutes(5));
  EXPECT_EQ(RetryWait(schedules.For({.stream = "marketing"}, ReplyClass::kThrottle), 1), hours(2));
  EXPECT_EQ(RetryWait(schedules.For({.stream = "unknown"}, ReplyClass::kThrottle), 1), minutes(5));
}

TEST(RetryScheduleTest, TheMostSpecificShapingRuleGoesAboveTheStream) {
  PolicyDocument policy = ExamplePolicy();
  policy.retry_schedules = {{.name = "stream", .waits = {minutes(1)}},
                            {.name = "provider", .waits = {minutes(2)}},
                            {.name = "pool", .waits = {minutes(3)}, .reply_classes = {ReplyClass::kThrottle}},
                            {.name = "domain", .waits = {minutes(4)}}};
  policy.streams[1].retry_schedule = "stream";
  const std::string pool = policy.pools[0].name, source = policy.pools[0].members[0].source;
  policy.shaping = {{.match = {.provider = "google"}, .retry_schedule = "provider"},
                    {.match = {.provider = "google", .pool = pool}, .retry_schedule = "pool"},
                    {.match = {.domain = "d.example"}, .retry_schedule = "domain"},
                    {.match = {.provider = "google"}, .connections = 3}};
  const RetrySchedules schedules(policy);
  const auto wait = [&](const RetryFacts& facts, ReplyClass reply) { return RetryWait(schedules.For(facts, reply), 1); };
  EXPECT_EQ(wait({.stream = "marketing"}, ReplyClass::kThrottle), minutes(1));
  EXPECT_EQ(wait({.stream = "marketing", .provider = "google"}, ReplyClass::kThrottle), minutes(2));
  EXPECT_EQ(wait({.stream = "marketing", .source = source, .provider = "google"}, ReplyClass::kThrottle), minutes(3));
  EXPECT_EQ(wait({.stream = "marketing", .source = source, .provider = "google"}, ReplyClass::kGreylist), minutes(1))
      << "the rule's schedule is for another class";
  EXPECT_EQ(wait({.stream = "marketing", .domain = "d.example"}, ReplyClass::kRemoteSys), minutes(4))
      << "a lookup that failed has no source";
}

}  // namespace
}  // namespace sluice
