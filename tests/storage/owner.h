// A shard's owner in the tests: accepts, leases and settles on one database.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <pqxx/transaction>
#include <string>
#include <utility>
#include <vector>

#include "storage/cluster.h"
#include "storage/mail.h"
#include "storage/queue_store.h"
#include "storage/shard_lease.h"

namespace sluice::storage {

inline constexpr Duration kLease = std::chrono::minutes(10);

class OwnerTest : public StorageTest {
 protected:
  void SetUp() override {
    StorageTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    writer_ = Open(OpenAcceptWriter(options(), kNow));
    settler_ = Open(OpenSettler(options()));
    reader_ = Open(OpenQueueReader(options()));
    leases_ = Open(OpenShardLeases(options()));
  }

  template <class T>
  static T Open(absl::StatusOr<T> opened) {
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }

  // Ids of the entries of `messages` messages with `recipients` each.
  std::vector<int64_t> Accept(int shard, int messages, int recipients = 1) {
    const std::vector<AcceptedMessage> batch(static_cast<size_t>(messages),
                                             MakeMessage(recipients));
    const auto result = writer_->Accept(shard, batch);
    EXPECT_TRUE(result.ok()) << result.status();
    std::vector<int64_t> ids;
    for (const AcceptOutcome& outcome : result->outcomes) {
      for (int i = 0; i < recipients; ++i) ids.push_back(outcome.message_id + i);
    }
    return ids;
  }

  // With last_seq 0: right for a shard without events.
  ShardEpoch Take(int shard, const std::string& owner = "owner") {
    const auto taken = leases_->Take({shard}, owner, "localhost:1", kLease, 77, 1);
    EXPECT_TRUE(taken.ok() && taken->size() == 1) << taken.status();
    return {.shard = shard, .epoch = taken->at(0).epoch, .last_seq = 0};
  }

  static Settlement End(int64_t entry, int64_t attempt = 1) {
    return {.change = Settlement::Change::kEnd,
            .entry_id = entry,
            .message_id = entry,
            .attempt_id = attempt,
            .kind = "delivered",
            .occurred_at = kNow,
            .attempts = 1,
            .source = "ip-11"};
  }
  static Settlement Defer(int64_t entry, int16_t attempts = 1) {
    Settlement settlement = End(entry, attempts);
    settlement.change = Settlement::Change::kDefer;
    settlement.kind = "deferred";
    settlement.due_at = kNow + std::chrono::minutes(5 * attempts);
    settlement.attempts = attempts;
    return settlement;
  }
  static Settlement Note(int64_t entry, int64_t attempt, const std::string& kind = "superseded") {
    Settlement settlement = End(entry, attempt);
    settlement.change = Settlement::Change::kNone;
    settlement.kind = kind;
    return settlement;
  }

  std::unique_ptr<AcceptWriter> writer_;
  std::unique_ptr<Settler> settler_;
  std::unique_ptr<QueueReader> reader_;
  std::unique_ptr<ShardLeases> leases_;
};

}  // namespace sluice::storage
