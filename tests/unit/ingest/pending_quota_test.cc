#include "ingest/pending_quota.h"

#include <gtest/gtest.h>

namespace sluice::ingest {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant kStart = FromMicros(1'800'000'000'000'000);

storage::Pending Waiting(int64_t shop, Instant counted_at) { return {.entries = {{"shop", shop}}, .counted_at = counted_at}; }

TEST(PendingQuotaTest, RefusesWhatWouldExceedItAndTakesWhatFits) {
  PendingQuota quota;
  quota.Counted(Waiting(90, kStart));
  EXPECT_FALSE(quota.Take("shop", 100, 11, kStart));
  EXPECT_TRUE(quota.Take("shop", 100, 10, kStart));
  EXPECT_FALSE(quota.Take("shop", 100, 1, kStart)) << "what was taken since counts, too";
  EXPECT_TRUE(quota.Take("other", 100, 100, kStart)) << "a tenant fills nobody else's";
}

TEST(PendingQuotaTest, WhatWasTakenCountsUntilItIsSurelyCounted) {
  PendingQuota quota;
  quota.Counted(Waiting(0, kStart));
  ASSERT_TRUE(quota.Take("shop", 10, 10, kStart + milliseconds(500)));
  quota.Counted(Waiting(10, kStart + seconds(2)));
  EXPECT_FALSE(quota.Take("shop", 19, 1, kStart + seconds(2))) << "it may be among the ten, or on its way";
  quota.Counted(Waiting(10, kStart + seconds(4)));
  EXPECT_TRUE(quota.Take("shop", 19, 9, kStart + seconds(4)));
}

TEST(PendingQuotaTest, HoldsWhileNobodyCounts) {
  PendingQuota quota;
  quota.Counted(Waiting(0, kStart));
  int64_t taken = 0;
  for (int second = 0; second < 3600; ++second) taken += quota.Take("shop", 1000, 1, kStart + seconds(second)) ? 1 : 0;
  EXPECT_EQ(taken, 1000) << "schedulers that are away free nothing";
}

TEST(PendingQuotaTest, NothingIsRefusedBeforeAnybodyHasCounted) {
  PendingQuota quota;
  EXPECT_TRUE(quota.Take("shop", 1, 5, kStart));
}

TEST(PendingQuotaTest, CountsGoDownAgain) {
  PendingQuota quota;
  quota.Counted(Waiting(100, kStart));
  EXPECT_FALSE(quota.Take("shop", 100, 1, kStart));
  quota.Counted({.entries = {}, .counted_at = kStart + seconds(1)});
  EXPECT_TRUE(quota.Take("shop", 100, 100, kStart + seconds(1)));
}

}  // namespace
}  // namespace sluice::ingest
