// Gathers what many requests accepted into few transactions. Each writer thread has a connection of
// its own:
//
//   Add ─▶ queue ─▶ writer thread: take a batch ─▶ CommitBatch ─▶ hand-off, then the answers
//
// A batch is taken at once when no commit is in flight; otherwise it gathers until the commit in
// flight ends, the gather time is over or the batch is full. A batch goes to one shard, shards in
// rotation.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "ingest/commit_batch.h"
#include "storage/queue_store.h"

namespace sluice::ingest {

// Whoever waits for commits: one frame or one call.
class CommitWaiter {
 public:
  virtual ~CommitWaiter() = default;
  // Once per message added, on a writer thread; must be quick and not block. `index` is the one
  // given to Add. Unavailable = not stored; Unknown = in doubt.
  virtual void OnCommitted(size_t index, absl::StatusOr<storage::AcceptOutcome> outcome) = 0;
};

struct Accepting {
  storage::AcceptedMessage message;
  std::shared_ptr<CommitWaiter> waiter;
  size_t index = 0;
};

class GroupCommit {
 public:
  struct Options {
    int writers = 2;
    Duration gather = std::chrono::milliseconds(3);
    size_t batch_recipients = 1'000;
    size_t batch_bytes = size_t{4} << 20;
    // After a failed connect nothing is tried for so long; what is added meanwhile fails at once.
    Duration reconnect_delay = std::chrono::milliseconds(500);
    // Each commit's length and how many messages it had; on writer threads.
    std::function<void(Duration took, size_t messages)> on_commit = {};
  };
  struct Counts {
    uint64_t batches = 0;
    uint64_t messages = 0;
    uint64_t failed_messages = 0;
    uint64_t repeated_messages = 0;
  };
  using OpenWriter = std::function<absl::StatusOr<std::unique_ptr<storage::AcceptWriter>>()>;
  // Called on writer threads, before the waiters are answered; must not block.
  using OnBatch = std::function<void(CommittedBatch)>;

  // Nothing connects before the first message. References must outlive this object.
  GroupCommit(Options options, OpenWriter open_writer, OnBatch on_batch, const Clock& clock,
              const Logger& log);
  // Stops as Stop does.
  ~GroupCommit();
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // Thread-safe, never blocks; how much is queued is the caller's to bound (ingest/admission.h).
  // After Stop every message fails with Unavailable.
  void Add(std::vector<Accepting> accepting);
  // Where batches go, in rotation. Until it is told, nothing is committed and all fails with
  // Unavailable.
  void SetShards(std::vector<int> shards);
  // Commits and answers what was added, then ends the threads. Idempotent.
  void Stop();

  Counts counts() const;
  // The last attempt to reach the store worked, or none was made yet.
  bool healthy() const;

 private:
  struct Writer {
    std::unique_ptr<storage::AcceptWriter> connection;
    SteadyInstant retry_at{};
    absl::Status failure;
  };

  void Run();
  // Waits for something to commit; empty = stopping and nothing is left.
  std::vector<Accepting> NextBatch();
  bool IsFull() const;
  std::vector<Accepting> TakeBatch();
  // Nothing before the first SetShards.
  std::optional<int> NextShard();
  void Commit(Writer& writer, std::vector<Accepting> batch);
  // With one more try on a new connection when the store says that nothing was stored.
  CommitResult CommitOrExplain(Writer& writer, std::vector<storage::AcceptedMessage>& messages);
  absl::Status Connect(Writer& writer);
  void Count(const CommitResult& result);

  const Options options_;
  const OpenWriter open_writer_;
  const OnBatch on_batch_;
  const Clock& clock_;
  const Logger& log_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Accepting> queue_;
  size_t queued_recipients_ = 0;
  size_t queued_bytes_ = 0;
  // When the queue's first message came; meaningless when it is empty.
  std::chrono::steady_clock::time_point oldest_at_;
  int in_flight_ = 0;
  std::vector<int> shards_;
  size_t next_shard_ = 0;
  bool stopping_ = false;
  bool healthy_ = true;
  Counts counts_;
  std::vector<std::thread> threads_;
};

}  // namespace sluice::ingest
