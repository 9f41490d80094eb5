#include "ingest/key_budgets.h"

#include <gtest/gtest.h>

namespace sluice::ingest {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct KeyBudgetsTest : ::testing::Test {
  // How many of single messages of `bytes` pass within `span`, one tried every millisecond.
  int64_t PassedIn(const storage::KeyLimits& limits, Duration span, int64_t bytes = 1) {
    int64_t passed = 0;
    for (const SteadyInstant end = now + span; now < end; now += milliseconds(1)) {
      while (!budgets.Take("k", limits, 1, bytes, now).has_value()) ++passed;
    }
    return passed;
  }
  KeyBudgets budgets;
  SteadyInstant now{seconds(1'000)};
};

TEST_F(KeyBudgetsTest, AKeyWithoutLimitsIsNeverRefused) {
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(budgets.Take("k", {}, 1'000, 1 << 30, now).has_value());
}

TEST_F(KeyBudgetsTest, ARateHoldsAfterItsBurst) {
  const storage::KeyLimits limits{.messages_per_second = 50};
  const int64_t first = PassedIn(limits, seconds(10));
  EXPECT_GE(first, 50 * 10);
  EXPECT_LE(first, 50 * 11 + 1);
  const int64_t then = PassedIn(limits, seconds(10));
  EXPECT_GE(then, 499);
  EXPECT_LE(then, 501);
}

TEST_F(KeyBudgetsTest, BytesCountWhateverTheMessages) {
  const storage::KeyLimits limits{.messages_per_second = 1'000, .bytes_per_second = 10'000};
  PassedIn(limits, seconds(2), 500);
  const int64_t passed = PassedIn(limits, seconds(10), 500);
  EXPECT_GE(passed, 199);
  EXPECT_LE(passed, 201);
  auto refused = budgets.Take("k", limits, 1, 500, now);
  if (!refused.has_value()) refused = budgets.Take("k", limits, 1, 500, now);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->unit, "bytes");
  EXPECT_EQ(refused->per_second, 10'000);
}

TEST_F(KeyBudgetsTest, ALargeFramePassesOnceAndIsPaidOff) {
  const storage::KeyLimits limits{.messages_per_second = 100};
  EXPECT_FALSE(budgets.Take("k", limits, 1'000, 1, now).has_value());
  const auto refused = budgets.Take("k", limits, 1, 1, now);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->unit, "messages");
  EXPECT_GT(refused->retry_after, seconds(8));
  EXPECT_LE(refused->retry_after, seconds(9) + milliseconds(1));
  EXPECT_TRUE(budgets.Take("k", limits, 1, 1, now + refused->retry_after - milliseconds(1)).has_value());
  EXPECT_FALSE(budgets.Take("k", limits, 1, 1, now + refused->retry_after).has_value());
}

TEST_F(KeyBudgetsTest, WhatWasRefusedCostsNothing) {
  const storage::KeyLimits limits{.messages_per_second = 1, .bytes_per_second = 1'000'000};
  EXPECT_FALSE(budgets.Take("k", limits, 2, 1, now).has_value());
  const Duration wait = budgets.Take("k", limits, 1, 900'000, now)->retry_after;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(budgets.Take("k", limits, 1, 900'000, now)->retry_after, wait);
  EXPECT_FALSE(budgets.Take("k", limits, 1, 900'000, now + wait).has_value());
}

TEST_F(KeyBudgetsTest, KeysDoNotShare) {
  const storage::KeyLimits limits{.messages_per_second = 1};
  EXPECT_FALSE(budgets.Take("a", limits, 5, 1, now).has_value());
  EXPECT_TRUE(budgets.Take("a", limits, 1, 1, now).has_value());
  EXPECT_FALSE(budgets.Take("b", limits, 1, 1, now).has_value());
}

}  // namespace
}  // namespace sluice::ingest
