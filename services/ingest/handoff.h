// Passes committed batches to the schedulers that own their shards, so that mail leaves at once
// instead of being found by the next tail read. Bounded and never in anybody's way: a batch without
// owner, or with a slow one, is dropped.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/log.h"
#include "ingest/commit_batch.h"
#include "ingest/handoff_queue.h"

namespace sluice::ingest {

// One stream to one scheduler, kept up as long as it lives. Its destructor ends it at once.
class HandoffLink {
 public:
  virtual ~HandoffLink() = default;
  virtual HandoffQueue& queue() = 0;
};

// Thread-safe.
class Handoff {
 public:
  struct Counts {
    std::atomic<int64_t> handed_batches{0};
    std::atomic<int64_t> stripped_batches{0};  // Without their content.
    std::atomic<int64_t> dropped_batches{0};
  };
  // Opens a link to a scheduler's Intake at `endpoint`; must not block.
  using OpenLink = std::function<std::unique_ptr<HandoffLink>(const std::string& endpoint)>;

  Handoff(OpenLink open_link, const Logger& log) : open_link_(std::move(open_link)), log_(log) {}

  // Never blocks.
  void Offer(CommittedBatch batch);
  // Shard → where its owner's Intake is; shards without owner are absent. Links that nobody needs
  // any more are closed.
  void SetOwners(const std::map<int, std::string>& owners);
  const Counts& counts() const { return counts_; }

 private:
  const OpenLink open_link_;
  const Logger& log_;
  std::mutex mutex_;
  std::map<int, std::string> owners_;
  std::map<std::string, std::unique_ptr<HandoffLink>> links_;
  Counts counts_;
};

}  // namespace sluice::ingest
