// One batch of messages into the store, whatever is wrong with single ones: a batch that the store
// refuses for a row is cut in halves until the bad row stands alone.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "storage/queue_store.h"

namespace sluice::ingest {

// What was written by one transaction: a batch as its shard's owner will see it.
struct CommittedBatch {
  int shard = 0;
  int64_t writer = 0;
  int64_t seq = 0;
  int32_t content_partition = 0;
  // The messages newly accepted, with their ids. Repeated and refused ones are not here.
  struct Message {
    int64_t id = 0;
    storage::AcceptedMessage message;
  };
  std::vector<Message> messages;
};

struct CommitResult {
  // One per message, in the batch's order. Errors: InvalidArgument or OutOfRange = this row is bad;
  // anything else as the store gave it (Unknown = in doubt).
  std::vector<absl::StatusOr<storage::AcceptOutcome>> outcomes;
  std::vector<CommittedBatch> committed;
  // The writer must be replaced: after Unavailable and Unknown.
  bool writer_is_dead = false;
  // Nothing was stored, for certain, and the batch is as it was: another writer may try it.
  bool may_try_again = false;
};

// At most 2·log2(n) + 1 transactions for each bad row. Messages are moved out of `batch`, unless
// may_try_again.
CommitResult CommitBatch(storage::AcceptWriter& writer, int shard,
                         std::vector<storage::AcceptedMessage>& batch);

}  // namespace sluice::ingest
