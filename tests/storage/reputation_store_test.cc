// States of health and what others say, as rows: whole, replaced, forgotten, with the events that tell of them in the same transaction.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/cluster.h"
#include "storage/connection_pool.h"
#include "storage/health_store.h"
#include "storage/signal_store.h"
#include "storage/token_store.h"

namespace sluice::storage {
namespace {

using std::chrono::hours;
using ::testing::SizeIs;

class ReputationStoreTest : public StorageTest {
 protected:
  void SetUp() override {
    StorageTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    pool_ = std::make_unique<ConnectionPool>(options(), 1);
    signals_ = MakeSignalStore(*pool_);
    health_ = MakeHealthStore(*pool_);
  }
  void TearDown() override {
    signals_.reset();
    health_.reset();
    pool_.reset();
    StorageTest::TearDown();
  }

  std::unique_ptr<ConnectionPool> pool_;
  std::unique_ptr<SignalStore> signals_;
  std::unique_ptr<HealthStore> health_;
};

StoredSignal Signal(std::string source, std::string domain, std::string name) {
  return {.source = std::move(source), .sender_domain = std::move(domain), .provider = "google", .name = std::move(name), .verdict = "warning",
          .word = "google_spam_rate", .value = "0.20 %", .detail = "of 2026-11-01", .raw = "{\"a\":\n1}", .amount = 0.002,
          .checked_at = kNow, .changed_at = kNow - hours(1), .failed_at = kNow - hours(2), .failure = "timeout", .positives = 2,
          .negatives = 3, .first_positive_at = kNow - hours(3)};
}

TEST_F(ReputationStoreTest, ASignalComesBackAsItWasSaved) {
  const StoredSignal wanted = Signal("", "shop.example", "postmaster spam_rate");
  ASSERT_TRUE(signals_->Save({wanted}, {}).ok());
  const auto all = signals_->List(/*with_raw=*/true);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_THAT(*all, SizeIs(1));
  const StoredSignal& one = all->at(0);
  EXPECT_EQ(std::tie(one.source, one.sender_domain, one.provider, one.name, one.verdict, one.word, one.value, one.detail, one.raw, one.failure),
            std::tie(wanted.source, wanted.sender_domain, wanted.provider, wanted.name, wanted.verdict, wanted.word, wanted.value, wanted.detail,
                     wanted.raw, wanted.failure));
  EXPECT_EQ(std::tie(one.amount, one.checked_at, one.changed_at, one.failed_at, one.positives, one.negatives, one.first_positive_at),
            std::tie(wanted.amount, wanted.checked_at, wanted.changed_at, wanted.failed_at, wanted.positives, wanted.negatives,
                     wanted.first_positive_at));
  EXPECT_EQ(signals_->List(/*with_raw=*/false)->at(0).raw, "") << "what people do not ask for is not read";
}

TEST_F(ReputationStoreTest, ASignalIsReplacedByItsKeyAndForgottenAlone) {
  ASSERT_TRUE(signals_->Save({Signal("ip-11", "", "snds"), Signal("ip-12", "", "snds"), Signal("ip-11", "", "snds traps")}, {}).ok());
  StoredSignal again = Signal("ip-11", "", "snds");
  again.value = "GREEN";
  again.amount = 0;
  again.failed_at = again.first_positive_at = {};
  ASSERT_TRUE(signals_->Save({again}, {}).ok());
  ASSERT_TRUE(signals_->Forget({Signal("ip-12", "", "snds")}).ok());
  const auto all = signals_->List(true);
  ASSERT_THAT(*all, SizeIs(2));
  EXPECT_EQ(all->at(0).value, "GREEN");
  EXPECT_EQ(all->at(0).amount, 0);
  EXPECT_FALSE(all->at(0).failed_at || all->at(0).first_positive_at);
  EXPECT_EQ(all->at(1).name, "snds traps");
}

TEST_F(ReputationStoreTest, SignalsAndTheEventsThatTellOfThemAreSavedTogetherOrNotAtAll) {
  InboxNote note;
  note.kind = "listed";
  note.source = "ip-11";
  ASSERT_TRUE(signals_->Save({Signal("ip-11", "", "zen.spamhaus.org")}, {note}).ok());
  EXPECT_EQ(Count("event_inbox where kind = 'listed' and source = 'ip-11'"), 1);
  StoredSignal bad = Signal("ip-11", "", "zen.spamhaus.org");
  bad.verdict = "no verdict";
  EXPECT_FALSE(signals_->Save({Signal("ip-12", "", "x"), bad}, {note}).ok());
  EXPECT_EQ(Count("event_inbox"), 1);
  EXPECT_THAT(*signals_->List(true), SizeIs(1));
}

TEST_F(ReputationStoreTest, ARotatedTokenReplacesTheOneBefore) {
  const auto tokens = MakeTokenStore(*pool_);
  EXPECT_EQ(*tokens->Find("snds"), std::nullopt);
  ASSERT_TRUE(tokens->Put("snds", {"5eed", "one", kNow}).ok());
  ASSERT_TRUE(tokens->Put("snds", {"5eed", "two", kNow + hours(1)}).ok());
  ASSERT_TRUE(tokens->Put("postmaster", {"0ther", "three", kNow}).ok());
  const auto found = tokens->Find("snds");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->refresh_token, "two");
  EXPECT_EQ((*found)->seed, "5eed");
  EXPECT_EQ((*found)->rotated_at, kNow + hours(1));
}

TEST_F(ReputationStoreTest, HealthComesBackAsItWasSaved) {
  StoredHealth wanted;
  wanted.subject = {.source = "ip-11", .provider = "google"};
  wanted.status = {.state = HealthState::kSuspended, .rule = "blocked", .evidence = "5 of 9", .worst = "now", .score = 25, .since = kNow,
                   .until = kNow + hours(1), .rested_at = kNow, .counted_from = kNow - hours(1), .probing_since = kNow + hours(2), .strikes = 2,
                   .usual = 1.5};
  wanted.override = HealthOverride{HealthState::kHealthy, kNow + hours(5), "a mistake", "anna"};
  ASSERT_TRUE(health_->Save({wanted}, {}).ok());
  auto all = health_->List();
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_THAT(*all, SizeIs(1));
  EXPECT_EQ(all->at(0).subject, wanted.subject);
  EXPECT_EQ(all->at(0).status, wanted.status);
  EXPECT_EQ(all->at(0).override, wanted.override);
  wanted.override->until.reset();
  ASSERT_TRUE(health_->Save({wanted}, {}).ok());
  EXPECT_EQ(health_->List()->at(0).override, wanted.override) << "without an end";
  wanted.override.reset();
  ASSERT_TRUE(health_->Save({wanted}, {}).ok());
  EXPECT_EQ(health_->List()->at(0).override, std::nullopt);
  ASSERT_TRUE(health_->Forget({wanted.subject}).ok());
  EXPECT_THAT(*health_->List(), SizeIs(0));
}

}  // namespace
}  // namespace sluice::storage
