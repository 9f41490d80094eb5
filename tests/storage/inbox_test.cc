// Notes of those who own no shard become events once, numbered by the owner.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "storage/connection_pool.h"
#include "storage/event_inbox.h"
#include "storage/owner.h"

namespace sluice::storage {
namespace {

class InboxTest : public OwnerTest {
 protected:
  void SetUp() override {
    OwnerTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    pool_ = std::make_unique<ConnectionPool>(options(), 1);
    inbox_ = MakeEventInbox(*pool_);
  }
  void TearDown() override {
    inbox_.reset();
    pool_.reset();
    OwnerTest::TearDown();
  }
  SettleResult TakeInbox(const ShardEpoch& shard, int most = 100) {
    auto result = settler_->TakeInbox({shard}, most, kNow);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *std::move(result) : SettleResult{};
  }
  InboxNote Complaint(int64_t message) {
    return {.message_id = message, .queue_entry_id = message, .kind = "complained", .tenant = "shop", .recipient = "u@x.example"};
  }

  std::unique_ptr<ConnectionPool> pool_;
  std::unique_ptr<EventInbox> inbox_;
};

TEST_F(InboxTest, ANoteBecomesAnEventOnce) {
  const int64_t id = Accept(2, 1)[0];
  ShardEpoch owner = Take(2);
  ASSERT_TRUE(settler_->Settle({owner}, {End(id)}).ok());
  ASSERT_TRUE(inbox_->Post({Complaint(id), Complaint(id)}).ok());
  owner.last_seq = 1;

  SettleResult result = TakeInbox(owner);
  EXPECT_TRUE(result.shards.at(0).held);
  EXPECT_EQ(result.shards.at(0).last_seq, 3);
  owner.last_seq = 3;
  result = TakeInbox(owner);
  EXPECT_EQ(result.shards.at(0).last_seq, 3);
  EXPECT_EQ(Query("select string_agg(concat(seq, ' ', kind, ' ', tenant, ' ', recipient), ', ' order by seq) from event"),
            "1 delivered shop user0@example.net, 2 complained shop u@x.example, 3 complained shop u@x.example");
  EXPECT_EQ(Count("event_inbox"), 0);
}

TEST_F(InboxTest, NotesOfAShardThatIsNotOursStay) {
  const int64_t id = Accept(2, 1)[0];
  const ShardEpoch old = Take(2);
  Exec("update shard_lease set expires_at = 'epoch' where shard = 2");
  Take(2, "another");
  ASSERT_TRUE(inbox_->Post({Complaint(id)}).ok());
  const SettleResult result = TakeInbox(old);
  EXPECT_FALSE(result.shards.at(0).held);
  EXPECT_EQ(Count("event"), 0);
  EXPECT_EQ(Count("event_inbox"), 1);
}

TEST_F(InboxTest, TakesNoMoreThanAskedAndTheOldestFirst) {
  const std::vector<int64_t> ids = Accept(2, 3);
  for (const int64_t id : ids) ASSERT_TRUE(inbox_->Post({Complaint(id)}).ok());
  EXPECT_EQ(TakeInbox(Take(2), 2).shards.at(0).last_seq, 2);
  EXPECT_EQ(Query("select message_id from event_inbox"), Cat(ids[2]));
}

TEST_F(InboxTest, ANoteOnADayWithoutPartitionMakesOne) {
  const int64_t id = Accept(2, 1)[0];
  ASSERT_TRUE(inbox_->Post({Complaint(id)}).ok());
  const auto result = settler_->TakeInbox({Take(2)}, 100, kNow + std::chrono::hours(24 * 40));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Count("event"), 1);
}

TEST_F(InboxTest, SuppressedRecipientsOfANewMessageAreNotedOnce) {
  AcceptedMessage message = MakeMessage(1, 5);
  message.suppressed = {{.address = "no@x.example", .domain = "x.example", .metadata_json = R"({"order":"18"})"}};
  AcceptedMessage nobody_left = MakeMessage(0, 6);
  nobody_left.suppressed = {{.address = "never@x.example"}};
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(writer_->Accept(2, {message, nobody_left}).ok());
  EXPECT_EQ(TakeInbox(Take(2)).shards.at(0).last_seq, 2);
  EXPECT_EQ(Query("select string_agg(concat(kind, ' ', recipient, ' ', convert_from(metadata, 'UTF8')), ', ' order by seq) from event"),
            R"(suppressed no@x.example {"order":"18"}, suppressed never@x.example )");
  EXPECT_EQ(Count("queue_entry"), 1);
}

}  // namespace
}  // namespace sluice::storage
