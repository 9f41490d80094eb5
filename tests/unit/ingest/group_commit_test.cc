#include "ingest/group_commit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <set>

#include "unit/ingest/fake_store.h"

namespace sluice::ingest {
namespace {

using storage::AcceptOutcome;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

storage::AcceptedMessage Message(std::string_view address, uint64_t key = 0, uint64_t digest = 0) {
  storage::AcceptedMessage message;
  if (key != 0) message.key_hash = storage::Hash128{key, key};
  message.digest = {digest, digest};
  message.content = "content";
  message.recipients.push_back({});
  message.recipients[0].address = address;
  return message;
}

// ---- one batch ----

class CommitBatchTest : public ::testing::Test {
 protected:
  CommitResult Commit(std::vector<storage::AcceptedMessage> batch) {
    batch_ = std::move(batch);
    return CommitBatch(*writer_, 5, batch_);
  }

  FakeStore store_;
  std::unique_ptr<storage::AcceptWriter> writer_ = store_.Open().value();
  std::vector<storage::AcceptedMessage> batch_;
};

TEST_F(CommitBatchTest, OneTransactionWhenAllIsWell) {
  const CommitResult result = Commit({Message("a@x"), Message("b@x")});
  EXPECT_EQ(store_.tries(), 1);
  ASSERT_THAT(result.committed, SizeIs(1));
  EXPECT_EQ(result.committed[0].shard, 5);
  EXPECT_EQ(result.committed[0].writer, 1);
  EXPECT_EQ(result.committed[0].seq, 1);
  ASSERT_THAT(result.committed[0].messages, SizeIs(2));
  EXPECT_EQ(result.committed[0].messages[1].message.recipients[0].address, "b@x");
  EXPECT_EQ(result.committed[0].messages[1].id, result.outcomes[1]->message_id);
}

TEST_F(CommitBatchTest, ABadRowFailsAlone) {
  for (size_t bad = 0; bad < 9; ++bad) {
    std::vector<storage::AcceptedMessage> batch;
    for (size_t i = 0; i < 9; ++i)
      batch.push_back(Message(i == bad ? std::string(kBadRow) : Cat(i, "@x")));
    const CommitResult result = Commit(std::move(batch));

    for (size_t i = 0; i < 9; ++i) {
      EXPECT_EQ(result.outcomes[i].ok(), i != bad) << i << " of " << bad;
    }
    EXPECT_EQ(result.outcomes[bad].status().code(), absl::StatusCode::kInvalidArgument);
    size_t committed = 0;
    for (const CommittedBatch& one : result.committed) {
      for (const CommittedBatch::Message& message : one.messages) {
        EXPECT_NE(message.message.recipients[0].address, kBadRow);
        ++committed;
      }
    }
    EXPECT_EQ(committed, 8U);
  }
}

TEST_F(CommitBatchTest, BisectingABadRowTakesFewTransactions) {
  std::vector<storage::AcceptedMessage> batch;
  for (int i = 0; i < 1000; ++i)
    batch.push_back(Message(i == 777 ? std::string(kBadRow) : Cat(i, "@x")));
  Commit(std::move(batch));
  EXPECT_LE(store_.tries(), 21);
}

TEST_F(CommitBatchTest, WhatIsRepeatedIsAnsweredButNotHandedOn) {
  Commit({Message("a@x", 1, 10), Message("b@x", 2, 20)});
  const CommitResult result =
      Commit({Message("a@x", 1, 10), Message("b@x", 2, 21), Message("c@x")});
  EXPECT_EQ(result.outcomes[0]->kind, AcceptOutcome::Kind::kRepeated);
  EXPECT_EQ(result.outcomes[1]->kind, AcceptOutcome::Kind::kConflict);
  EXPECT_EQ(result.outcomes[2]->kind, AcceptOutcome::Kind::kAccepted);
  ASSERT_THAT(result.committed, SizeIs(1));
  EXPECT_THAT(result.committed[0].messages, SizeIs(1));

  EXPECT_THAT(Commit({Message("a@x", 1, 10)}).committed, SizeIs(0));
}

TEST_F(CommitBatchTest, AFullDiskFailsAllAtOnce) {
  store_.FailNext(absl::ResourceExhaustedError("disk full"));
  const CommitResult result = Commit({Message("a@x"), Message("b@x")});
  EXPECT_EQ(store_.tries(), 1);
  EXPECT_EQ(result.outcomes[1].status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(result.writer_is_dead);
}

TEST_F(CommitBatchTest, WhatWasSentInACommitInDoubtIsInDoubtAndNothingElse) {
  store_.FailNext(absl::InvalidArgumentError("some row"));
  store_.FailNext(absl::UnknownError("connection lost in COMMIT"));
  const CommitResult result = Commit({Message("a@x"), Message("b@x")});
  EXPECT_EQ(store_.tries(), 2);
  EXPECT_TRUE(result.writer_is_dead);
  EXPECT_FALSE(result.may_try_again);
  EXPECT_EQ(result.outcomes[0].status().code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(result.outcomes[1].status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(CommitBatchTest, AnUnreachedStoreLeavesTheBatchAsItWas) {
  store_.FailNext(absl::UnavailableError("gone"));
  const CommitResult result = Commit({Message("a@x"), Message("b@x")});
  EXPECT_TRUE(result.may_try_again);
  ASSERT_THAT(batch_, SizeIs(2));
  EXPECT_EQ(batch_[1].recipients[0].address, "b@x");
}

// ---- many requests ----

class Waiter final : public CommitWaiter {
 public:
  explicit Waiter(size_t count) : outcomes_(count), left_(count) {}
  void OnCommitted(size_t index, absl::StatusOr<AcceptOutcome> outcome) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(outcomes_[index].has_value()) << "answered twice";
    outcomes_[index] = std::move(outcome);
    if (--left_ == 0) done_.set_value();
  }
  // Of every message, in order; waits for all.
  std::vector<absl::StatusOr<AcceptOutcome>> Wait() {
    done_.get_future().wait();
    std::vector<absl::StatusOr<AcceptOutcome>> outcomes;
    for (auto& outcome : outcomes_) outcomes.push_back(*std::move(outcome));
    return outcomes;
  }
  bool answered() {
    const std::lock_guard lock(mutex_);
    return left_ == 0;
  }

 private:
  std::mutex mutex_;
  std::vector<std::optional<absl::StatusOr<AcceptOutcome>>> outcomes_;
  size_t left_;
  std::promise<void> done_;
};

class GroupCommitTest : public ::testing::Test {
 protected:
  void Start(GroupCommit::Options options) {
    commit_.emplace(
        std::move(options), [this] { return store_.Open(); },
        [this](CommittedBatch batch) {
          const std::lock_guard lock(mutex_);
          handed_on_.push_back(std::move(batch));
        },
        clock_, log_);
    commit_->SetShards({0, 1, 2, 3});
  }
  std::shared_ptr<Waiter> Add(std::vector<storage::AcceptedMessage> messages) {
    auto waiter = std::make_shared<Waiter>(messages.size());
    std::vector<Accepting> accepting;
    for (size_t i = 0; i < messages.size(); ++i)
      accepting.push_back({std::move(messages[i]), waiter, i});
    commit_->Add(std::move(accepting));
    return waiter;
  }
  std::vector<size_t> BatchSizes() {
    std::vector<size_t> sizes;
    for (const FakeStore::Batch& batch : store_.batches()) sizes.push_back(batch.messages.size());
    return sizes;
  }

  FakeStore store_;
  FakeClock clock_;
  CapturingSink sink_;
  Logger log_{sink_, clock_, "ingest"};
  std::mutex mutex_;
  std::vector<CommittedBatch> handed_on_;
  std::optional<GroupCommit> commit_;
};

// Long enough that a test waiting for it would time out.
constexpr Duration kForever = std::chrono::hours(1);

TEST_F(GroupCommitTest, CommitsAtOnceWhenNothingIsInFlight) {
  Start({.gather = kForever});
  const auto outcomes = Add({Message("a@x")})->Wait();
  ASSERT_TRUE(outcomes[0].ok());
  EXPECT_EQ(outcomes[0]->kind, AcceptOutcome::Kind::kAccepted);
  EXPECT_EQ(handed_on_.size(), 1U);
}

TEST_F(GroupCommitTest, GathersWhileACommitIsInFlight) {
  Start({.writers = 2, .gather = kForever});
  store_.Block();
  const auto first = Add({Message("0@x")});
  store_.WaitForBlocked(1);
  std::vector<std::shared_ptr<Waiter>> others;
  for (int i = 1; i <= 20; ++i) others.push_back(Add({Message(Cat(i, "@x"))}));
  store_.Release();

  first->Wait();
  for (const auto& waiter : others) EXPECT_TRUE(waiter->Wait()[0].ok());
  EXPECT_THAT(BatchSizes(), ElementsAre(1, 20));
}

TEST_F(GroupCommitTest, GathersNoLongerThanTheGatherTime) {
  Start({.writers = 2, .gather = std::chrono::milliseconds(1)});
  store_.Block();
  const auto first = Add({Message("0@x")});
  store_.WaitForBlocked(1);
  const auto second = Add({Message("1@x")});
  store_.WaitForBlocked(2);
  store_.Release();
  first->Wait();
  EXPECT_TRUE(second->Wait()[0].ok());
}

TEST_F(GroupCommitTest, AFullBatchDoesNotWait) {
  Start({.writers = 2, .gather = kForever, .batch_recipients = 3});
  store_.Block();
  const auto first = Add({Message("0@x")});
  store_.WaitForBlocked(1);
  const auto others = Add({Message("1@x"), Message("2@x"), Message("3@x")});
  store_.WaitForBlocked(2);
  store_.Release();
  first->Wait();
  others->Wait();
}

TEST_F(GroupCommitTest, BatchesAreBoundedInRecipientsAndBytes) {
  Start({.writers = 1, .gather = kForever, .batch_recipients = 3});
  std::vector<storage::AcceptedMessage> messages;
  for (int i = 0; i < 10; ++i) messages.push_back(Message(Cat(i, "@x")));
  Add(std::move(messages))->Wait();
  EXPECT_THAT(BatchSizes(), ElementsAre(3, 3, 3, 1));

  commit_.reset();
  FakeStore fresh;
  Start({.writers = 1, .gather = kForever, .batch_bytes = 10});
  const size_t before = store_.batches().size();
  Add({Message("a@x"), Message("b@x")})->Wait();
  EXPECT_EQ(store_.batches().size(), before + 2) << "7 bytes each";
}

TEST_F(GroupCommitTest, AMessageLargerThanABatchGoesAlone) {
  Start({.writers = 1, .gather = kForever, .batch_bytes = 3});
  EXPECT_TRUE(Add({Message("a@x")})->Wait()[0].ok());
}

TEST_F(GroupCommitTest, TheSameKeyTwiceIsAcceptedOnce) {
  Start({.writers = 1, .gather = kForever});
  const auto outcomes =
      Add({Message("a@x", 1, 10), Message("b@x"), Message("a@x", 1, 10), Message("a@x", 1, 11)})
          ->Wait();
  EXPECT_EQ(outcomes[0]->kind, AcceptOutcome::Kind::kAccepted);
  EXPECT_EQ(outcomes[1]->kind, AcceptOutcome::Kind::kAccepted);
  EXPECT_EQ(outcomes[2]->kind, AcceptOutcome::Kind::kRepeated);
  EXPECT_EQ(outcomes[2]->message_id, outcomes[0]->message_id);
  EXPECT_EQ(outcomes[3]->kind, AcceptOutcome::Kind::kConflict);
  EXPECT_EQ(commit_->counts().messages, 2U);
  EXPECT_EQ(commit_->counts().repeated_messages, 2U);
}

TEST_F(GroupCommitTest, ShardsAreTakenInRotation) {
  Start({.writers = 1, .gather = kForever});
  commit_->SetShards({7, 9});
  for (int i = 0; i < 4; ++i) Add({Message(Cat(i, "@x"))})->Wait();
  std::vector<int> shards;
  for (const FakeStore::Batch& batch : store_.batches()) shards.push_back(batch.shard);
  EXPECT_THAT(shards, ElementsAre(7, 9, 7, 9));
}

TEST_F(GroupCommitTest, WithoutShardsNothingIsCommitted) {
  Start({.writers = 1, .gather = kForever});
  commit_->SetShards({});
  EXPECT_EQ(Add({Message("a@x")})->Wait()[0].status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(store_.tries(), 0);
}

TEST_F(GroupCommitTest, ABadMessageFailsAlone) {
  Start({.writers = 1, .gather = kForever});
  const auto outcomes = Add({Message("a@x"), Message(kBadRow), Message("c@x")})->Wait();
  EXPECT_TRUE(outcomes[0].ok());
  EXPECT_EQ(outcomes[1].status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(outcomes[2].ok());
}

TEST_F(GroupCommitTest, ADeadConnectionIsReplacedWithoutTheClientNoticing) {
  Start({.writers = 1, .gather = kForever});
  Add({Message("a@x")})->Wait();
  store_.FailNext(absl::UnavailableError("server restarted"));
  EXPECT_TRUE(Add({Message("b@x")})->Wait()[0].ok());
  EXPECT_EQ(store_.opened(), 2);
  EXPECT_THAT(BatchSizes(), ElementsAre(1, 1));
}

TEST_F(GroupCommitTest, ACommitInDoubtIsNotTriedAgain) {
  Start({.writers = 1, .gather = kForever});
  Add({Message("a@x")})->Wait();
  store_.FailNext(absl::UnknownError("lost in COMMIT"));
  EXPECT_EQ(Add({Message("b@x")})->Wait()[0].status().code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(store_.tries(), 2);
  EXPECT_TRUE(Add({Message("c@x")})->Wait()[0].ok()) << "with a new connection";
  EXPECT_EQ(store_.opened(), 2);
}

TEST_F(GroupCommitTest, AnUnreachableStoreFailsAtOnceAndIsTriedAgainLater) {
  Start({.writers = 1, .gather = kForever, .reconnect_delay = std::chrono::seconds(1)});
  store_.FailOpen(absl::UnavailableError("connection refused"));
  const auto outcomes = Add({Message("a@x"), Message("b@x")})->Wait();
  EXPECT_EQ(outcomes[1].status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(outcomes[1].status().message()), HasSubstr("connection refused"));
  EXPECT_FALSE(commit_->healthy());

  store_.FailOpen(absl::OkStatus());
  EXPECT_FALSE(Add({Message("c@x")})->Wait()[0].ok()) << "not yet tried again";
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(Add({Message("d@x")})->Wait()[0].ok());
  EXPECT_TRUE(commit_->healthy());
}

TEST_F(GroupCommitTest, StopCommitsWhatWasAddedAndRefusesTheRest) {
  Start({.writers = 1, .gather = kForever});
  store_.Block();
  const auto first = Add({Message("a@x")});
  store_.WaitForBlocked(1);
  const auto second = Add({Message("b@x")});
  std::thread stopper([this] { commit_->Stop(); });
  store_.Release();
  stopper.join();
  EXPECT_TRUE(first->answered());
  EXPECT_TRUE(second->Wait()[0].ok());

  EXPECT_EQ(Add({Message("c@x")})->Wait()[0].status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(GroupCommitTest, ManyThreadsGetEachTheirOwnAnswer) {
  Start({.writers = 3, .gather = std::chrono::milliseconds(1), .batch_recipients = 50});
  constexpr int kThreads = 8;
  constexpr int kRounds = 50;
  std::mutex mutex;
  std::set<int64_t> ids;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        const auto outcomes = Add({Message(Cat(t, ".", i, "@x")), Message(kBadRow)})->Wait();
        ASSERT_TRUE(outcomes[0].ok());
        ASSERT_FALSE(outcomes[1].ok());
        const std::lock_guard lock(mutex);
        ids.insert(outcomes[0]->message_id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ids.size(), size_t{kThreads * kRounds});

  commit_->Stop();
  std::map<std::pair<int, int64_t>, int64_t> last;
  std::map<std::pair<int, int64_t>, std::set<int64_t>> numbers;
  for (const CommittedBatch& batch : handed_on_) {
    const bool is_new = numbers[{batch.shard, batch.writer}].insert(batch.seq).second;
    EXPECT_TRUE(is_new);
    last[{batch.shard, batch.writer}] = std::max(last[{batch.shard, batch.writer}], batch.seq);
  }
  for (const auto& [who, seen] : numbers) EXPECT_EQ(static_cast<int64_t>(seen.size()), last[who]);
}

}  // namespace
}  // namespace sluice::ingest
