#include "storage/suppression_set.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "unit/storage/fake_suppression_store.h"

namespace sluice::storage {
namespace {

const SteadyInstant kStart{std::chrono::hours(1)};

struct SuppressionSetTest : ::testing::Test {
  void Add(const std::string& tenant, const std::string& address) {
    ASSERT_TRUE(store.Add({{.tenant = tenant, .address = address}}).ok());
  }
  void Remove(const std::string& tenant, const std::string& address) {
    ASSERT_TRUE(store.Remove({{tenant, address}}, Instant{}).ok());
  }
  void Follow(Duration at = {}) { ASSERT_TRUE(set.Follow(store, kStart + at).ok()); }

  testing::FakeSuppressionStore store;
  SuppressionSet set;
};

TEST_F(SuppressionSetTest, ATenantsSuppressionIsItsOwnAndAGlobalOneIsEverybodys) {
  Add("shop", "a@example.com");
  Add("", "b@example.com");
  Follow();
  EXPECT_TRUE(set.Contains("shop", "a@example.com"));
  EXPECT_FALSE(set.Contains("news", "a@example.com"));
  EXPECT_TRUE(set.Contains("shop", "b@example.com"));
  EXPECT_TRUE(set.Contains("news", "b@example.com"));
  EXPECT_FALSE(set.Contains("shop", "c@example.com"));
}

TEST_F(SuppressionSetTest, LetterCaseDoesNotMatter) {
  Add("shop", "anna.b@example.com");
  Follow();
  EXPECT_TRUE(set.Contains("shop", "Anna.B@example.com"));
}

TEST_F(SuppressionSetTest, FollowsRemovalsAndReturns) {
  Add("shop", "a@example.com");
  Follow();
  Remove("shop", "a@example.com");
  Follow();
  EXPECT_FALSE(set.Contains("shop", "a@example.com"));
  EXPECT_EQ(set.size(), 0);
  Add("shop", "a@example.com");
  Follow();
  EXPECT_TRUE(set.Contains("shop", "a@example.com"));
}

TEST_F(SuppressionSetTest, ReadsManyInPages) {
  std::vector<Suppression> many;
  for (int i = 0; i < 45'000; ++i) many.push_back({.address = Cat("u", i, "@example.com")});
  ASSERT_TRUE(store.Add(many).ok());
  Follow();
  EXPECT_EQ(set.size(), 45'000);
  EXPECT_TRUE(set.Contains("shop", "u44999@example.com"));
}

TEST_F(SuppressionSetTest, WhatIsKnownStaysInForceWhenTheStoreFails) {
  EXPECT_FALSE(set.is_loaded());
  Add("", "a@example.com");
  Follow();
  store.failure = absl::UnavailableError("gone");
  EXPECT_FALSE(set.Follow(store, kStart).ok());
  EXPECT_TRUE(set.is_loaded());
  EXPECT_TRUE(set.Contains("shop", "a@example.com"));
}

// Tombstones are kept for a day: after a longer silence a removal may have left no trace.
TEST_F(SuppressionSetTest, ReadsEverythingAgainAfterALongSilence) {
  Add("", "gone@example.com");
  Add("", "stays@example.com");
  Follow();
  testing::FakeSuppressionStore later;
  ASSERT_TRUE(later.Add({{.address = "stays@example.com"}}).ok());
  ASSERT_TRUE(set.Follow(later, kStart + std::chrono::hours(13)).ok());
  EXPECT_FALSE(set.Contains("shop", "gone@example.com"));
  EXPECT_TRUE(set.Contains("shop", "stays@example.com"));
  EXPECT_EQ(set.size(), 1);
}

}  // namespace
}  // namespace sluice::storage
