// What waits by pool and provider: the walk, its pace, and what the core counts.
#include "scheduler/census.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string PoolName(uint32_t number) { return Cat("pool-", number); }
std::string ProviderName(uint32_t number) { return Cat("provider-", number); }

TEST(CensusTest, TenMillionEntriesAreWalkedAFewAtATime) {
  Census census;
  constexpr Slot kCapacity = 10'000'000;
  SteadyInstant now{seconds(100)};
  const SteadyInstant begin = now;
  Slot at = 0;
  for (int turn = 0; !census.is_complete(); ++turn) {
    ASSERT_LT(turn, 100'000);
    const Census::Stretch stretch = census.Next(kCapacity, now);
    EXPECT_LE(stretch.end - stretch.first, Census::kMostPerTurn);
    if (stretch.end > stretch.first) {
      EXPECT_EQ(stretch.first, at);
    }
    at = std::max(at, stretch.end);
    now += milliseconds(turn % 3);
  }
  EXPECT_EQ(at, kCapacity);
  const auto rate = kCapacity / std::chrono::duration<double>(now - begin).count();
  EXPECT_LE(rate, Census::kMostPerSecond * 1.1);
  EXPECT_GE(rate, Census::kMostPerSecond * 0.8);
}

TEST(CensusTest, ALapOfAFewIsDoneAtOnceAndThenItPauses) {
  Census census;
  const SteadyInstant now{seconds(100)};
  EXPECT_EQ(census.Next(10, now).end, 10u);
  ASSERT_TRUE(census.is_complete());
  census.Publish(PoolName, ProviderName, now);
  EXPECT_EQ(census.Next(10, now + Census::kPause - milliseconds(1)).end, 0u);
  EXPECT_EQ(census.Next(10, now + Census::kPause).end, 10u);
}

TEST(CensusTest, ManyRowsAreAddedUpAsOther) {
  Census census;
  for (uint32_t pool = 0; pool < 1'000; ++pool) {
    for (uint32_t i = 0; i <= pool; ++i) census.Count(pool, 1, pool + 1);
  }
  const QueueDepths depths = census.Publish(PoolName, ProviderName, SteadyInstant{});
  ASSERT_EQ(depths->size(), Census::kMostRows + 1);
  EXPECT_EQ(depths->front().pool, "pool-999");
  EXPECT_EQ(depths->front().entries, 1'000);
  EXPECT_EQ(depths->back().pool, "other");
  EXPECT_EQ(depths->back().oldest, FromTicks(1));
  int64_t entries = 0;
  for (const QueueDepth& depth : *depths) entries += depth.entries;
  EXPECT_EQ(entries, 1'000 * 1'001 / 2);
}

struct CoreCensusTest : ::testing::Test {
  const QueueDepth* Find(const std::string& pool, const std::string& provider) {
    depths = rig.core.Snapshot().queue;
    if (depths == nullptr) return nullptr;
    for (const QueueDepth& depth : *depths) {
      if (depth.pool == pool && depth.provider == provider) return &depth;
    }
    return nullptr;
  }
  void Lap() {
    rig.clock.Advance(Census::kPause);
    rig.Run();
    rig.clock.Advance(Census::kPause);
    rig.Run();
  }
  CoreRig rig;
  QueueDepths depths;
};

TEST_F(CoreCensusTest, CountsWhatWaitsAndSinceWhen) {
  rig.TakeShard();
  rig.core.SetConstraints(2, {{.id = 1, .scope = {.pool = "warm"}, .cause = ConstraintCause::kHealth, .value = {.suspend = true}}});
  rig.HandOff(rig.Batch(1, 1, 3));
  const Instant first = rig.clock.Now();
  rig.clock.Advance(seconds(30));
  rig.HandOff(rig.Batch(2, 10, 4));
  rig.Run();
  Lap();
  const QueueDepth* depth = Find("warm", "other");
  ASSERT_NE(depth, nullptr);
  EXPECT_EQ(depth->entries, 7);
  EXPECT_NEAR(std::chrono::duration<double>(depth->oldest - first).count(), 0, 0.011);
  const auto counts = rig.core.Snapshot().constraints;
  ASSERT_EQ(counts.size(), kConstraintCauses.size());
  for (const auto& [cause, count] : counts) EXPECT_EQ(count, cause == ConstraintCause::kHealth ? 1 : 0) << ToString(cause);

  const auto port = rig.Connect();
  rig.Bind();
  rig.core.SetConstraints(3, {});
  rig.Run();
  ASSERT_EQ(port->released.size(), 7u);
  Lap();
  ASSERT_NE(Find("warm", "other"), nullptr) << "in flight is not done";
  int64_t number = 0;
  for (const ReleasedEntry& entry : port->released) rig.Report("egress-1", entry, 1, ++number);
  rig.Run();
  Lap();
  EXPECT_EQ(Find("warm", "other"), nullptr);
}

TEST_F(CoreCensusTest, WhatHasNoRouteHasNoPool) {
  PolicyDocument policy = CoreRig::Policy();
  policy.routes.clear();
  rig.core.SetPolicy(2, policy);
  rig.TakeShard();
  rig.HandOff(rig.Batch(1, 1, 2));
  rig.Run();
  Lap();
  const QueueDepth* depth = Find("-", "other");
  ASSERT_NE(depth, nullptr);
  EXPECT_EQ(depth->entries, 2);
}

}  // namespace
}  // namespace sluice::scheduler
