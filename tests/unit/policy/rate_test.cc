#include "policy/rate.h"

#include <gtest/gtest.h>

#include <random>

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

const SteadyInstant kStart{Duration(1'000'000)};

TEST(TokenBucketTest, LetsTheBurstThroughThenTheRate) {
  TokenBucket bucket({10, seconds(1)}, 5, kStart);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(bucket.TryTake(1, kStart));
  EXPECT_FALSE(bucket.TryTake(1, kStart));
  EXPECT_EQ(bucket.ReadyAt(1, kStart), kStart + milliseconds(100));
  EXPECT_FALSE(bucket.TryTake(1, kStart + milliseconds(100) - Duration(1)));
  EXPECT_TRUE(bucket.TryTake(1, kStart + milliseconds(100)));
}

TEST(TokenBucketTest, SavesUpNoMoreThanTheBurst) {
  TokenBucket bucket({1'000, seconds(1)}, 3, kStart);
  EXPECT_EQ(bucket.Available(kStart + hours(24 * 365)), 3);
  EXPECT_FALSE(bucket.TryTake(4, kStart + hours(1)));
  EXPECT_EQ(bucket.ReadyAt(4, kStart), SteadyInstant::max());
}

TEST(TokenBucketTest, ThreePerSecondIsExactOverADay) {
  // A third of a second is no whole number of microseconds: nothing may be lost to rounding.
  TokenBucket bucket({3, seconds(1)}, 1, kStart);
  SteadyInstant now = kStart;
  int64_t taken = 0;
  const SteadyInstant end = kStart + hours(24);
  while (now < end) {
    ASSERT_TRUE(bucket.TryTake(1, now));
    ++taken;
    now = bucket.ReadyAt(1, now);
  }
  EXPECT_GE(taken, 3 * 86'400 - 1);
  EXPECT_LE(taken, 3 * 86'400 + 1);
}

TEST(TokenBucketTest, TwoAnHourIsTwoAnHour) {
  TokenBucket bucket({2, hours(1)}, 1, kStart);
  EXPECT_TRUE(bucket.TryTake(1, kStart));
  EXPECT_EQ(bucket.ReadyAt(1, kStart), kStart + std::chrono::minutes(30));
}

TEST(TokenBucketTest, TimeThatRunsBackwardsEarnsNothing) {
  TokenBucket bucket({1, seconds(1)}, 1, kStart);
  EXPECT_TRUE(bucket.TryTake(1, kStart + seconds(10)));
  EXPECT_FALSE(bucket.TryTake(1, kStart));
  EXPECT_FALSE(bucket.TryTake(1, kStart + seconds(10)));
  EXPECT_EQ(bucket.ReadyAt(1, kStart), kStart + seconds(11));
}

TEST(TokenBucketTest, WhatIsReturnedCanBeTakenAgain) {
  TokenBucket bucket({1, seconds(1)}, 2, kStart);
  EXPECT_TRUE(bucket.TryTake(2, kStart));
  bucket.Return(1, kStart);
  EXPECT_TRUE(bucket.TryTake(1, kStart));
  bucket.Return(100, kStart);
  EXPECT_EQ(bucket.Available(kStart), 2);
}

TEST(TokenBucketTest, ANewRateKeepsWhatWasSaved) {
  TokenBucket bucket({10, seconds(1)}, 10, kStart);
  EXPECT_TRUE(bucket.TryTake(6, kStart));
  bucket.SetRate({1, hours(1)}, 100, kStart);
  EXPECT_EQ(bucket.Available(kStart), 4);
  bucket.SetRate({1, seconds(1)}, 2, kStart);
  EXPECT_EQ(bucket.Available(kStart), 2);
}

TEST(TokenBucketTest, TheLargestRatesDoNotOverflow) {
  TokenBucket bucket({1'000'000'000'000'000, hours(24)}, 1'000'000'000'000'000, kStart);
  EXPECT_TRUE(bucket.TryTake(1'000'000'000'000'000, kStart));
  EXPECT_EQ(bucket.ReadyAt(1'000'000'000'000'000, kStart), kStart + hours(24));
}

TEST(TokenBucketPropertyTest, AnySpanLetsThroughAtMostBurstAndRate) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    const Rate rate{static_cast<int64_t>(1 + random() % 1'000),
                    Duration(1 + random() % 10'000'000)};
    const auto burst = static_cast<int64_t>(1 + random() % 20);
    TokenBucket bucket(rate, burst, kStart);
    SteadyInstant now = kStart;
    int64_t taken = 0;
    for (int i = 0; i < 2'000; ++i) {
      now += Duration(random() % 20'000);
      const auto n = static_cast<int64_t>(1 + random() % 3);
      if (bucket.TryTake(n, now)) taken += n;
      const double allowed =
          static_cast<double>(burst) + static_cast<double>(rate.count) *
                                           static_cast<double>((now - kStart).count()) /
                                           static_cast<double>(rate.per.count());
      ASSERT_LE(static_cast<double>(taken), allowed + 1e-6);
    }
  }
}

TEST(DefaultBurstTest, IsATenthOfASecondAndAtLeastOne) {
  EXPECT_EQ(DefaultBurst({500, seconds(1)}), 50);
  EXPECT_EQ(DefaultBurst({2, hours(1)}), 1);
}

}  // namespace
}  // namespace sluice
