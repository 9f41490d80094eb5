// PostgreSQL is killed in mid-run: nothing that was acknowledged is missing, and what is sent again
// does not come twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "storage/owner.h"

namespace sluice::storage {
namespace {

bool IsLost(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsUnknown(status);
}

// One ingest connection: accepts until the server is gone.
struct Sender {
  std::vector<int64_t> acknowledged;
  std::vector<AcceptedMessage> unanswered;

  void Run(AcceptWriter& writer, uint64_t first_key, std::atomic<int>& batches) {
    for (uint64_t key = first_key;; key += 5) {
      std::vector<AcceptedMessage> batch;
      for (uint64_t i = 0; i < 5; ++i) batch.push_back(MakeMessage(2, key + i));
      const auto result = writer.Accept(1, batch);
      if (!result.ok()) {
        EXPECT_TRUE(IsLost(result.status())) << result.status();
        unanswered = batch;
        return;
      }
      for (const AcceptOutcome& outcome : result->outcomes) {
        acknowledged.push_back(outcome.message_id);
      }
      ++batches;
    }
  }
};

class CrashTest : public OwnerTest {};

TEST_F(CrashTest, KillingPostgresLosesNothingThatWasAcknowledged) {
  constexpr int kBatches = 200;
  std::atomic<int> batches = 0;
  std::vector<Sender> senders(2);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < senders.size(); ++i) {
    threads.emplace_back([&, i] {
      auto writer = Open(OpenAcceptWriter(options(), kNow));
      senders[i].Run(*writer, 1'000'000 * (i + 1), batches);
    });
  }
  // Meanwhile an owner settles; the last call may be in doubt.
  const std::vector<int64_t> ours = Accept(2, 2000);
  const ShardEpoch shard = Take(2);
  size_t settled = 0;
  std::thread settling([&] {
    for (int64_t last_seq = 0; settled < ours.size(); ++settled) {
      const auto result = settler_->Settle(
          {{.shard = 2, .epoch = shard.epoch, .last_seq = last_seq}}, {End(ours[settled], 7)});
      if (!result.ok()) {
        EXPECT_TRUE(IsLost(result.status())) << result.status();
        return;
      }
      last_seq = result->shards[0].last_seq;
    }
  });
  while (batches < kBatches) std::this_thread::yield();
  Cluster::Get()->Kill();
  for (std::thread& thread : threads) thread.join();
  settling.join();
  ASSERT_LT(settled, ours.size()) << "the kill came too late to hit the settler";
  Cluster::Get()->Start();

  for (const Sender& sender : senders) {
    for (int64_t id : sender.acknowledged) {
      ASSERT_EQ(Count(Cat("queue_entry q join message m on (m.part, m.id) = (q.part, q.message_id)"
                          " where q.message_id = ",
                          id)),
                2);
    }
  }
  EXPECT_EQ(Count(Cat("queue_entry where id between ", ours[0], " and ",
                      ours[0] + static_cast<int64_t>(settled) - 1)),
            0);
  EXPECT_GE(Count("event"), static_cast<int64_t>(settled));

  // Sent again with their keys, and settled again: each message is there once, each entry ends
  // once.
  auto writer = Open(OpenAcceptWriter(options(), kNow));
  int64_t messages = 0;
  for (const Sender& sender : senders) {
    ASSERT_TRUE(writer->Accept(3, sender.unanswered).ok());
    messages += static_cast<int64_t>(sender.acknowledged.size() + sender.unanswered.size());
  }
  EXPECT_EQ(Count("queue_entry where id >> 56 <> 2"), 2 * messages);
  auto settler = Open(OpenSettler(options()));
  const auto again =
      settler->Settle({{.shard = 2, .epoch = shard.epoch, .last_seq = *settler->LastSeq(2)}},
                      {End(ours[settled], 7)});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Count("event"), static_cast<int64_t>(settled) + 1);
  EXPECT_EQ(Query("select max(seq) from event"), Cat(settled + 1));
}

TEST_F(CrashTest, AServerThatIsDownIsUnavailable) {
  Cluster::Get()->Kill();
  EXPECT_TRUE(absl::IsUnavailable(OpenAcceptWriter(options(), kNow).status()));
  EXPECT_TRUE(absl::IsUnavailable(settler_->LastSeq(1).status()));
  EXPECT_TRUE(absl::IsUnavailable(reader_->Tail({1}, {}, 1).status()));
  Cluster::Get()->Start();
  EXPECT_TRUE(absl::IsUnavailable(settler_->LastSeq(1).status())) << "a session never comes back";
  EXPECT_EQ(*Open(OpenSettler(options()))->LastSeq(1), 0);
}

}  // namespace
}  // namespace sluice::storage
