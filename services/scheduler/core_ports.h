// What the core asks of the world around it. Every call returns at once; the answer comes back as a call to the core on its
// thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scheduler/types.h"
#include "scheduler/watermarks.h"
#include "storage/pending_store.h"
#include "storage/queue_store.h"
#include "storage/warmup_ledger.h"

namespace sluice::scheduler {

struct FetchRequest {
  int64_t entry_id = 0, message_id = 0, attempt_id = 0;
  int32_t part = 0;
  bool need_content = true;
};
struct Fetched {
  FetchRequest request;
  bool entry_found = false;
  EntryPayload payload;
  std::shared_ptr<const Content> content;  // Null = not asked for, or missing.
};

class CorePorts {
 public:
  virtual ~CorePorts() = default;
  // → Core::OnResolved
  virtual void Resolve(uint32_t domain, const std::string& name) = 0;
  // → Core::OnFetched
  virtual void Fetch(std::vector<FetchRequest> requests) = 0;
  // → Core::OnShardMarks, OnLoaded …, OnShardLoaded
  virtual void LoadShard(int shard, int64_t epoch) = 0;
  // → Core::OnTailed
  virtual void Tail(std::vector<int> shards, std::vector<Mark> marks) = 0;
  // → Core::OnLoaded
  virtual void LoadRange(int shard, int64_t epoch, int64_t first, int64_t last) = 0;
  // → Core::OnWritersChecked
  virtual void CheckWriters(std::vector<int64_t> writers) = 0;
  // Best effort: accept_batch rows that are passed and old; all of the writers that are gone.
  virtual void TrimBatches(std::vector<Mark> marks, std::vector<int64_t> gone, Instant before) = 0;
  // → Core::OnSettled; at most one under way.
  virtual void Settle(std::vector<storage::ShardEpoch> shards, std::vector<storage::Settlement> settlements) = 0;
  // Notes of the event inbox become events. → Core::OnInboxTaken; never beside a Settle.
  virtual void TakeInbox(std::vector<storage::ShardEpoch> shards, int most, Instant now) = 0;
  // Asked on the core's thread, in its time: an answer from memory.
  virtual bool IsSuppressed(std::string_view tenant, std::string_view recipient) const = 0;
  // → Core::OnDrawn; at most one under way.
  virtual void Draw(std::vector<storage::GrantRequest> requests) = 0;
  // Best effort; what was surely not recorded comes back → Core::OnRecordFailed.
  virtual void Record(std::vector<storage::LedgerCounts> counts) = 0;
  // Best effort: domain_route rows.
  virtual void StoreRoute(std::string domain, std::string site, std::string provider, Instant now) = 0;
};

}  // namespace sluice::scheduler
