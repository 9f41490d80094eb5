// Committed batches on their way to one scheduler. Bounded: nothing here is needed for durability,
// so what does not fit loses first its content, then its place; the scheduler finds it in
// PostgreSQL.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "ingest/commit_batch.h"

namespace sluice::ingest {

// Bytes that a batch's contents have.
size_t ContentBytes(const CommittedBatch& batch);
void DropContent(CommittedBatch& batch);

// Thread-safe.
class HandoffQueue {
 public:
  struct Options {
    // Content queued beyond this is left out of further batches.
    size_t content_bytes = size_t{32} << 20;
    // Messages queued beyond this are dropped.
    size_t messages = 20'000;
  };
  explicit HandoffQueue(const Options& options) : options_(options) {}

  enum class Pushed { kWhole, kWithoutContent, kDropped };
  // Never blocks.
  Pushed Push(CommittedBatch batch);
  // Waits for batches and takes them in order, at most about `bytes` of content (one batch at
  // least); empty when nothing came within `timeout`, or nothing is left after Close.
  std::vector<CommittedBatch> Pop(size_t bytes, Duration timeout);
  // Forgets what is queued; answers how many batches.
  size_t Clear();
  // Ends waits; everything pushed later is dropped, what is queued can still be popped.
  void Close();
  bool closed() const;

 private:
  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable pushed_;
  std::deque<CommittedBatch> queue_;
  size_t content_bytes_ = 0;
  size_t messages_ = 0;
  bool closed_ = false;
};

// How much content the scheduler still takes: its last answer, less what was sent since it counted.
// One thread.
class ContentWindow {
 public:
  // Before its first answer the scheduler takes so much.
  explicit ContentWindow(int64_t first_budget) : budget_(first_budget) {}

  bool Fits(size_t bytes) const {
    return static_cast<int64_t>(bytes) <= budget_ - unhandled_bytes_;
  }
  // A batch was sent with so much content.
  void OnSent(size_t bytes);
  // The scheduler has handled `handled_count` batches of the stream so far and takes `budget_bytes`
  // more.
  void OnAnswer(int64_t handled_count, int64_t budget_bytes);
  // Batches sent and not yet handled.
  size_t unhandled() const { return unhandled_.size(); }

 private:
  int64_t budget_;
  int64_t handled_ = 0;
  int64_t unhandled_bytes_ = 0;
  std::deque<size_t> unhandled_;
};

}  // namespace sluice::ingest
