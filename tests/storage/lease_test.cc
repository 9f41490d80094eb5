#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/owner.h"

namespace sluice::storage {
namespace {

class LeaseTest : public OwnerTest {
 protected:
  std::vector<int> ShardsOf(const std::vector<Lease>& leases) {
    std::vector<int> shards;
    for (const Lease& lease : leases) shards.push_back(lease.shard);
    return shards;
  }
};

TEST_F(LeaseTest, GivesFreeShardsAndRefusesThoseOfAnother) {
  const auto mine = leases_->Take({-1, 0, 1}, "a", "host-a:7", kLease, 5, 10);
  ASSERT_TRUE(mine.ok()) << mine.status();
  EXPECT_THAT(ShardsOf(*mine), testing::ElementsAre(-1, 0, 1));
  EXPECT_EQ(mine->at(0).epoch, (1 << 20) | 5);
  EXPECT_EQ(mine->at(0).endpoint, "host-a:7");
  EXPECT_FALSE(mine->at(0).expired);
  EXPECT_TRUE(leases_->Take({0, 1}, "b", "", kLease, 6, 10)->empty());
  EXPECT_THAT(ShardsOf(*leases_->Take({0, 1, 2}, "b", "", kLease, 6, 10)), testing::ElementsAre(2));
}

TEST_F(LeaseTest, TakesAtMostAsManyAsAsked) {
  EXPECT_EQ(leases_->Take({0, 1, 2, 3}, "a", "", kLease, 5, 2)->size(), 2u);
}

TEST_F(LeaseTest, RaisesTheEpochWithEveryTakeAlsoOfTheSameOwner) {
  const int64_t first = Take(4).epoch;
  EXPECT_EQ(Take(4).epoch, first + (1 << 20));
}

TEST_F(LeaseTest, TakesWhatHasExpiredByTheDatabasesClock) {
  ASSERT_EQ(leases_->Take({0}, "a", "", Duration(1), 5, 1)->size(), 1u);
  while (!leases_->List()->at(1).expired) {
  }
  EXPECT_EQ(leases_->Take({0}, "b", "", kLease, 6, 1)->size(), 1u);
  EXPECT_EQ(leases_->List()->at(1).owner, "b");
}

TEST_F(LeaseTest, RenewsOnlyWhatIsStillOurs) {
  const int64_t one = Take(1, "a").epoch, two = Take(2, "a").epoch;
  Exec("update shard_lease set expires_at = 'epoch' where shard = 2");
  Take(2, "b");
  const auto renewed = leases_->Renew({{1, one}, {2, two}, {3, one}}, "a", kLease * 2);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_THAT(*renewed, testing::ElementsAre(1));
  EXPECT_EQ(
      Count("shard_lease where shard = 1 and expires_at > clock_timestamp() + interval '15 min'"),
      1);
}

TEST_F(LeaseTest, ReleaseFreesAtOnceButOnlyOurEpoch) {
  const int64_t old = Take(1, "a").epoch, now = Take(1, "a").epoch;
  ASSERT_TRUE(leases_->Release({{1, old}}, "a").ok());
  EXPECT_TRUE(leases_->Take({1}, "b", "", kLease, 6, 1)->empty());
  ASSERT_TRUE(leases_->Release({{1, now}}, "a").ok());
  EXPECT_EQ(leases_->Take({1}, "b", "", kLease, 6, 1)->at(0).epoch >> 20, 3);
}

TEST_F(LeaseTest, OfManyWhoAskAtOnceOneGetsTheShard) {
  std::atomic<int> winners = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      auto leases = Open(OpenShardLeases(options()));
      const auto taken = leases->Take({0}, Cat("owner-", i), "", kLease, 5, 1);
      ASSERT_TRUE(taken.ok()) << taken.status();
      winners += static_cast<int>(taken->size());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(winners, 1);
}

TEST_F(LeaseTest, TellsTheSkewOfTheClocks) {
  const Instant database = FromMicros(std::stoll(Query("select micros(clock_timestamp())")));
  const Duration skew = *leases_->Skew(database + std::chrono::hours(1));
  EXPECT_LT(skew, -std::chrono::minutes(59));
  EXPECT_GT(skew, -std::chrono::minutes(61));
}

}  // namespace
}  // namespace sluice::storage
