#include "ingest/handoff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace sluice::ingest {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Pushed = HandoffQueue::Pushed;

CommittedBatch Batch(int64_t seq, size_t messages = 1, size_t content_bytes = 10, int shard = 0) {
  CommittedBatch batch{
      .shard = shard, .writer = 1, .seq = seq, .content_partition = 1, .messages = {}};
  for (size_t i = 0; i < messages; ++i) {
    storage::AcceptedMessage message;
    message.content = std::string(content_bytes, 'x');
    batch.messages.push_back({static_cast<int64_t>(i), std::move(message)});
  }
  return batch;
}

std::vector<int64_t> Seqs(const std::vector<CommittedBatch>& batches) {
  std::vector<int64_t> seqs;
  for (const CommittedBatch& batch : batches) seqs.push_back(batch.seq);
  return seqs;
}

TEST(HandoffQueueTest, KeepsTheOrder) {
  HandoffQueue queue({});
  for (int seq = 1; seq <= 3; ++seq) EXPECT_EQ(queue.Push(Batch(seq)), Pushed::kWhole);
  EXPECT_THAT(Seqs(queue.Pop(20, milliseconds(0))), ElementsAre(1, 2));
  EXPECT_THAT(Seqs(queue.Pop(1, milliseconds(0))), ElementsAre(3)) << "at least one";
  EXPECT_THAT(queue.Pop(1, milliseconds(0)), IsEmpty());
}

TEST(HandoffQueueTest, BeyondItsBytesContentIsLeftOut) {
  HandoffQueue queue({.content_bytes = 25, .messages = 100});
  EXPECT_EQ(queue.Push(Batch(1)), Pushed::kWhole);
  EXPECT_EQ(queue.Push(Batch(2)), Pushed::kWhole);
  EXPECT_EQ(queue.Push(Batch(3)), Pushed::kWithoutContent);
  const auto batches = queue.Pop(1000, milliseconds(0));
  EXPECT_THAT(Seqs(batches), ElementsAre(1, 2, 3));
  EXPECT_EQ(ContentBytes(batches[1]), 10U);
  EXPECT_EQ(ContentBytes(batches[2]), 0U);
  EXPECT_EQ(queue.Push(Batch(4)), Pushed::kWhole) << "there is room again";
}

TEST(HandoffQueueTest, BeyondItsMessagesBatchesAreDropped) {
  HandoffQueue queue({.content_bytes = 1000, .messages = 5});
  EXPECT_EQ(queue.Push(Batch(1, 3)), Pushed::kWhole);
  EXPECT_EQ(queue.Push(Batch(2, 3)), Pushed::kDropped);
  EXPECT_EQ(queue.Push(Batch(3, 2)), Pushed::kWhole);
  EXPECT_EQ(queue.Clear(), 2U);
  EXPECT_EQ(queue.Push(Batch(4, 5)), Pushed::kWhole);
}

TEST(HandoffQueueTest, AfterCloseNothingComesInAndAllComesOut) {
  HandoffQueue queue({});
  queue.Push(Batch(1));
  queue.Close();
  EXPECT_EQ(queue.Push(Batch(2)), Pushed::kDropped);
  EXPECT_THAT(Seqs(queue.Pop(1, std::chrono::hours(1))), ElementsAre(1));
  EXPECT_THAT(queue.Pop(1, std::chrono::hours(1)), IsEmpty());
}

TEST(ContentWindowTest, CountsWhatIsOnTheWay) {
  ContentWindow window(100);
  EXPECT_TRUE(window.Fits(100));
  window.OnSent(60);
  EXPECT_FALSE(window.Fits(41));
  EXPECT_TRUE(window.Fits(40));
  window.OnSent(40);

  window.OnAnswer(1, 50);
  EXPECT_EQ(window.unhandled(), 1U);
  EXPECT_TRUE(window.Fits(10));
  EXPECT_FALSE(window.Fits(11));

  window.OnAnswer(2, 0);
  EXPECT_EQ(window.unhandled(), 0U);
  EXPECT_TRUE(window.Fits(0));
  EXPECT_FALSE(window.Fits(1));
  window.OnAnswer(99, 10);
  EXPECT_TRUE(window.Fits(10));
}

// ---- who gets what ----

class FakeLink final : public HandoffLink {
 public:
  FakeLink(std::string endpoint, std::set<std::string>& open,
           std::map<std::string, FakeLink*>& links)
      : endpoint_(std::move(endpoint)), open_(open), links_(links) {
    open_.insert(endpoint_);
    links_[endpoint_] = this;
  }
  ~FakeLink() override { open_.erase(endpoint_); }
  HandoffQueue& queue() override { return queue_; }

 private:
  const std::string endpoint_;
  std::set<std::string>& open_;
  std::map<std::string, FakeLink*>& links_;
  HandoffQueue queue_{{.content_bytes = 15, .messages = 100}};
};

class HandoffTest : public ::testing::Test {
 protected:
  std::vector<int64_t> Got(const std::string& endpoint) {
    return Seqs(links_.at(endpoint)->queue().Pop(1000, milliseconds(0)));
  }

  FakeClock clock_;
  CapturingSink sink_;
  Logger log_{sink_, clock_, "ingest"};
  std::set<std::string> open_;
  std::map<std::string, FakeLink*> links_;
  Handoff handoff_{[this](const std::string& endpoint) {
                     return std::make_unique<FakeLink>(endpoint, open_, links_);
                   },
                   log_};
};

TEST_F(HandoffTest, ABatchGoesToTheOwnerOfItsShard) {
  handoff_.SetOwners({{0, "a:1"}, {1, "b:1"}, {2, "a:1"}});
  EXPECT_THAT(open_, ElementsAre("a:1", "b:1"));
  handoff_.Offer(Batch(1, 1, 1, 0));
  handoff_.Offer(Batch(2, 1, 1, 1));
  handoff_.Offer(Batch(3, 1, 1, 2));
  EXPECT_THAT(Got("a:1"), ElementsAre(1, 3));
  EXPECT_THAT(Got("b:1"), ElementsAre(2));
  EXPECT_EQ(handoff_.counts().handed_batches, 3);
}

TEST_F(HandoffTest, WithoutOwnerABatchIsLeftToPostgres) {
  handoff_.Offer(Batch(1));
  handoff_.SetOwners({{7, "a:1"}});
  handoff_.Offer(Batch(2));
  EXPECT_EQ(handoff_.counts().dropped_batches, 2);
  EXPECT_EQ(handoff_.counts().handed_batches, 0);
}

TEST_F(HandoffTest, LinksFollowTheOwners) {
  handoff_.SetOwners({{0, "a:1"}, {1, "b:1"}});
  FakeLink* const kept = links_.at("a:1");
  handoff_.SetOwners({{0, "a:1"}, {1, "a:1"}});
  EXPECT_THAT(open_, ElementsAre("a:1"));
  EXPECT_EQ(links_.at("a:1"), kept) << "the stream that is up stays up";
  handoff_.SetOwners({});
  EXPECT_THAT(open_, IsEmpty());
}

TEST_F(HandoffTest, CountsWhatWasLeftOut) {
  handoff_.SetOwners({{0, "a:1"}});
  handoff_.Offer(Batch(1));
  handoff_.Offer(Batch(2));
  EXPECT_EQ(handoff_.counts().stripped_batches, 1);
  EXPECT_EQ(handoff_.counts().handed_batches, 2);
}

}  // namespace
}  // namespace sluice::ingest
