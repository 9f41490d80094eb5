// Feedback and what events add up to, on a real PostgreSQL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "storage/connection_pool.h"
#include "storage/event_tally.h"
#include "storage/feedback_intake.h"
#include "storage/owner.h"
#include "storage/suppression_store.h"

namespace sluice::storage {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class FeedbackTest : public OwnerTest {
 protected:
  void SetUp() override {
    OwnerTest::SetUp();
    if (IsSkipped()) return;
    pool_ = std::make_unique<ConnectionPool>(options(), 2);
    store_ = MakeFeedbackStore(*pool_);
    tally_ = MakeEventTally(*pool_);
    suppressions_ = MakeSuppressionStore(*pool_);
    entries_ = Accept(0, 1, 3);
    epoch_ = Take(0);
  }
  void TearDown() override {
    store_.reset();
    tally_.reset();
    suppressions_.reset();
    pool_.reset();
    OwnerTest::TearDown();
  }

  void Settle(int64_t entry, const std::string& kind, const std::string& reply_class) {
    Settlement one = End(entry, entry);
    one.message_id = entries_[0];
    one.kind = kind;
    one.stage = "rcpt";
    one.source = "ip-1";
    one.provider = "google";
    one.reply_class = reply_class;
    one.reply_code = 550;
    one.reply = "no such user";
    one.occurred_at = kNow;
    const auto settled = settler_->Settle({epoch_}, {one});
    ASSERT_TRUE(settled.ok()) << settled.status();
    epoch_.last_seq = settled->shards.at(0).last_seq;
  }
  FeedbackIntake Intake() {
    return FeedbackIntake(*store_, *TokenKeys::Parse("0123456789abcdef0123456789abcdef"),
                          [](const std::string&) { return SuppressionLives(); });
  }
  FeedbackReport Report(FeedbackKind kind, int64_t entry) {
    return {.kind = kind, .message_id = entries_[0], .queue_entry_id = entry, .occurred_at = kNow};
  }

  std::unique_ptr<ConnectionPool> pool_;
  std::unique_ptr<FeedbackStore> store_;
  std::unique_ptr<EventTally> tally_;
  std::unique_ptr<SuppressionStore> suppressions_;
  std::vector<int64_t> entries_;
  ShardEpoch epoch_;
};

TEST_F(FeedbackTest, IsMatchedToTheDeliveryToldOnceAndSuppresses) {
  Settle(entries_[0], "delivered", "");
  const std::string recipient = Query("select recipient from event limit 1");
  const auto first = Intake().TakeReports({Report(FeedbackKind::kComplaint, entries_[0])}, kNow);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->at(0).fate, FeedbackFate::kRecorded);
  EXPECT_EQ(Intake().TakeReports({Report(FeedbackKind::kComplaint, entries_[0])}, kNow)->at(0).fate,
            FeedbackFate::kRepeated);
  FeedbackReport by_recipient = Report(FeedbackKind::kComplaint, 0);
  by_recipient.recipient = recipient;
  EXPECT_EQ(Intake().TakeReports({by_recipient}, kNow)->at(0).fate, FeedbackFate::kRepeated);
  EXPECT_EQ(Count("event_inbox where kind = 'complained' and source = 'ip-1' and provider = 'google'"), 1);
  const auto found = suppressions_->Find(*SuppressedAddress(recipient));
  ASSERT_THAT(*found, SizeIs(1));
  EXPECT_EQ(found->at(0).suppression.reason, SuppressionReason::kComplaint);
}

TEST_F(FeedbackTest, WhatIsStillQueuedIsMatchedAndOthersAreNot) {
  EXPECT_EQ(Intake().TakeReports({Report(FeedbackKind::kUnsubscribe, entries_[1])}, kNow)->at(0).fate,
            FeedbackFate::kRecorded);
  FeedbackReport unknown = Report(FeedbackKind::kComplaint, entries_[0] + 500'000);
  unknown.message_id = entries_[0] + 500'000;
  EXPECT_EQ(Intake().TakeReports({unknown}, kNow)->at(0).fate, FeedbackFate::kUnmatched);
  FeedbackReport others = Report(FeedbackKind::kComplaint, entries_[1]);
  others.tenant = "somebody-else";
  EXPECT_EQ(Intake().TakeReports({others}, kNow)->at(0).fate, FeedbackFate::kUnmatched);
}

TEST_F(FeedbackTest, ABounceSuppressesOnlyWhenThereIsNoSuchRecipient) {
  FeedbackReport full = Report(FeedbackKind::kBounce, entries_[0]);
  full.reply = {.code = 552, .enhanced = EnhancedStatus{5, 2, 2}, .text = "mailbox full"};
  FeedbackReport bad = Report(FeedbackKind::kBounce, entries_[1]);
  bad.reply = {.code = 550, .enhanced = EnhancedStatus{5, 1, 1}, .text = "user unknown"};
  ASSERT_TRUE(Intake().TakeReports({full, bad}, kNow).ok());
  EXPECT_EQ(Count("event_inbox where kind = 'bounced_later'"), 2);
  EXPECT_EQ(Query("select string_agg(reason, ',') from suppression"), "bounce");
}

TEST_F(FeedbackTest, EventsAddUpOnceAndHardBouncesSuppress) {
  Settle(entries_[0], "delivered", "");
  Settle(entries_[1], "bounced", "rcpt_bad");
  const std::string tenant = Query("select tenant from event limit 1");
  const auto tally = tally_->Take({{tenant, {}}}, 1'000);
  ASSERT_TRUE(tally.ok()) << tally.status();
  EXPECT_TRUE(tally->is_all);
  EXPECT_EQ(tally->suppressed, 1);
  ASSERT_THAT(tally->counts, SizeIs(2));
  EXPECT_THAT(tally_->Take({{tenant, {}}}, 1'000)->counts, SizeIs(0)) << "nothing twice";
  Settle(entries_[2], "delivered", "");
  EXPECT_THAT(tally_->Take({}, 1'000)->counts, SizeIs(1));
  int64_t delivered = 0;
  const auto sums = tally_->Read(kNow - std::chrono::hours(1), "ip-1", "google");
  for (const TallyCount& one : *sums) {
    if (one.kind == "delivered") delivered = one.count;
  }
  EXPECT_EQ(delivered, 2);
  EXPECT_EQ(Count("suppression where reason = 'bounce'"), 1);
}

TEST_F(FeedbackTest, ATenantMayWantNoSuppressionOfBounces) {
  Settle(entries_[1], "bounced", "rcpt_bad");
  const std::string tenant = Query("select tenant from event limit 1");
  EXPECT_EQ(tally_->Take({{tenant, {.is_on = false}}}, 1'000)->suppressed, 0);
}

TEST_F(FeedbackTest, ALongBacklogIsTakenInParts) {
  for (const int64_t entry : entries_) Settle(entry, "delivered", "");
  EXPECT_FALSE(tally_->Take({}, 2)->is_all);
  EXPECT_TRUE(tally_->Take({}, 2)->is_all);
  EXPECT_EQ(Query("select sum(count) from reputation_count"), "3");
}

TEST_F(FeedbackTest, ShardsAddUpTogether) {
  Settle(entries_[0], "delivered", "");
  entries_ = Accept(1, 1, 3);
  epoch_ = Take(1);
  Settle(entries_[0], "delivered", "");
  Settle(entries_[1], "delivered", "");
  const auto first = tally_->Take({}, 1);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->is_all) << "one shard is enough for the limit";
  const auto second = tally_->Take({}, 1'000);
  ASSERT_THAT(second->counts, SizeIs(1));
  EXPECT_TRUE(second->is_all);
  EXPECT_EQ(first->counts.at(0).count + second->counts[0].count, 3);
  Settle(entries_[2], "bounced", "rcpt_bad");
  EXPECT_EQ(tally_->Take({{Query("select tenant from event limit 1"), {}}}, 1'000)->suppressed, 1);
  EXPECT_EQ(Query("select sum(count) from reputation_count"), "4");
}

}  // namespace
}  // namespace sluice::storage
