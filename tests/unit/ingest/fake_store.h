// A store in memory with the contract of storage/queue_store.h, and failures on demand.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mail/ids.h"
#include "storage/queue_store.h"

namespace sluice::ingest {

// A recipient that makes the store refuse its row.
inline constexpr std::string_view kBadRow = "bad-row@example.com";

// Shared by its writers. Thread-safe.
class FakeStore {
 public:
  struct Batch {
    int shard = 0;
    int64_t writer = 0;
    int64_t seq = 0;
    std::vector<storage::AcceptedMessage> messages;
  };

  absl::StatusOr<std::unique_ptr<storage::AcceptWriter>> Open();

  // The next transactions fail so, in this order.
  void FailNext(absl::Status status);
  // Opening fails until it is given OK.
  void FailOpen(absl::Status status);
  // Transactions wait until Release; WaitForBlocked returns when one does.
  void Block();
  void WaitForBlocked(int count);
  void Release();

  std::vector<Batch> batches() const;
  int opened() const;
  // Transactions tried, failed ones included.
  int tries() const;

 private:
  friend class FakeAcceptWriter;
  absl::StatusOr<storage::AcceptResult> Accept(int64_t writer, int shard,
                                               const std::vector<storage::AcceptedMessage>& batch);
  storage::AcceptOutcome AcceptOne(int shard, int64_t writer,
                                   const storage::AcceptedMessage& message, Batch& stored);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool blocking_ = false;
  int blocked_ = 0;
  std::deque<absl::Status> failures_;
  absl::Status open_failure_;
  int opened_ = 0;
  int tries_ = 0;
  std::map<std::pair<int, int64_t>, int64_t> seqs_;
  std::map<int64_t, uint32_t> counters_;
  struct Key {
    storage::Hash128 digest;
    int64_t message_id = 0;
    std::string verdicts;
  };
  std::map<storage::Hash128, Key> keys_;
  std::vector<Batch> batches_;
};

}  // namespace sluice::ingest
