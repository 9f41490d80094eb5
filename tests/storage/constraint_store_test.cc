// The rows of what holds mail back, and their generation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/connection_pool.h"
#include "storage/constraint_store.h"
#include "storage/owner.h"

namespace sluice::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class ConstraintStoreTest : public OwnerTest {
 protected:
  void SetUp() override {
    OwnerTest::SetUp();
    if (IsSkipped()) return;
    pool_ = std::make_unique<ConnectionPool>(options(), 2);
    store_ = MakeConstraintStore(*pool_);
  }
  void TearDown() override {
    store_.reset();
    pool_.reset();
    OwnerTest::TearDown();
  }
  static Constraint Make(Scope scope, std::string_view value, std::optional<Instant> until = {}) {
    return {.id = 0,
            .scope = std::move(scope),
            .cause = ConstraintCause::kOperator,
            .rule = {},
            .value = *ParseConstraintValue(value),
            .evidence = "because",
            .since = kNow,
            .until = until,
            .author = "eva"};
  }

  std::unique_ptr<ConnectionPool> pool_;
  std::unique_ptr<ConstraintStore> store_;
};

TEST_F(ConstraintStoreTest, WhatIsPutIsListedAsItWas) {
  const int64_t before = *store_->Generation();
  Constraint given = Make({.source = "ip-1", .provider = "google"}, "connections=3 rate=10/s", kNow + std::chrono::hours(1));
  given.rule = "automation[3]";
  const auto change = store_->Put(ConstraintCause::kAutomation, {given});
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_GT(change->generation, before);
  given.id = change->ids[0];
  given.cause = ConstraintCause::kAutomation;
  const auto listed = store_->List(kNow);
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_EQ(listed->generation, change->generation);
  EXPECT_THAT(listed->constraints, ElementsAre(given));
  EXPECT_THAT(store_->List(kNow + std::chrono::hours(1))->constraints, IsEmpty()) << "it ends by itself";
}

TEST_F(ConstraintStoreTest, TheSameScopeAgainEditsTheRowAndTheSameRowChangesNothing) {
  const auto first = store_->Put(ConstraintCause::kAimd, {Make({.source = "a"}, "connections=3"), Make({.source = "b"}, "connections=3")});
  ASSERT_TRUE(first.ok()) << first.status();
  const auto again = store_->Put(ConstraintCause::kAimd, {Make({.source = "a"}, "connections=3")});
  EXPECT_EQ(again->generation, first->generation);
  EXPECT_THAT(again->ids, ElementsAre(first->ids[0]));
  const auto edited = store_->Put(ConstraintCause::kAimd, {Make({.source = "b"}, "connections=2")});
  EXPECT_EQ(edited->generation, first->generation + 1);
  EXPECT_THAT(edited->ids, ElementsAre(first->ids[1]));
  EXPECT_THAT(store_->List(kNow)->constraints, SizeIs(2));
}

TEST_F(ConstraintStoreTest, EachCauseEndsItsOwnOnly) {
  const Scope scope{.stream = "marketing"};
  const auto by_hand = store_->Put(ConstraintCause::kOperator, {Make(scope, "suspend")});
  const auto by_health = store_->Put(ConstraintCause::kHealth, {Make(scope, "suspend")});
  ASSERT_TRUE(by_health.ok()) << by_health.status();
  const auto foreign = store_->End(ConstraintCause::kHealth, by_hand->ids);
  EXPECT_THAT(foreign->ids, IsEmpty());
  EXPECT_EQ(foreign->generation, by_health->generation);
  const auto ended = store_->EndScope(ConstraintCause::kOperator, scope);
  EXPECT_EQ(ended->ids, by_hand->ids);
  EXPECT_GT(ended->generation, by_health->generation);
  EXPECT_THAT(store_->List(kNow)->constraints, SizeIs(1));
}

TEST_F(ConstraintStoreTest, AScopeThatNamesNothingIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(store_->Put(ConstraintCause::kOperator, {Make({}, "suspend")}).status()));
}

TEST_F(ConstraintStoreTest, SweepForgetsWhatEndedLongAgoAndChangesNothing) {
  const auto change = store_->Put(ConstraintCause::kOperator, {Make({.source = "a"}, "suspend", kNow), Make({.source = "b"}, "suspend")});
  ASSERT_TRUE(change.ok()) << change.status();
  ASSERT_TRUE(store_->Sweep(kNow + std::chrono::hours(1)).ok());
  EXPECT_EQ(*store_->Generation(), change->generation);
  EXPECT_THAT(store_->List(kNow - std::chrono::hours(1))->constraints, SizeIs(1));
}

}  // namespace
}  // namespace sluice::storage
