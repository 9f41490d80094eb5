// Reading what happened. Events are written by the Settler alone (queue_store.h), numbered gapless
// per shard, so "everything after number n" is complete whenever it is read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

// A row of `event`; names as there. Text fields are empty where they do not apply.
struct StoredEvent {
  int shard = 0;
  int64_t seq = 0;
  Instant occurred_at{};
  int64_t message_id = 0, queue_entry_id = 0, attempt_id = 0;
  std::string kind{};
  int16_t attempt = 0, reply_code = 0;
  int64_t duration_micros = 0;
  bool possible_duplicate = false;
  std::string stage{}, tenant{}, stream{}, campaign{}, recipient{}, pool{}, provider{}, site{},
      source{}, mx_host{}, mx_address{}, enhanced_status{}, reply{}, reply_class{}, tls{}, egress{},
      detail{}, times{};
  std::optional<Instant> due_at{};
  std::string metadata_json{};
};

struct EventPage {
  std::vector<StoredEvent> events{};  // In order of number.
  // Every event of the shard up to this number has been looked at; pass it as the next `after_seq`.
  int64_t scanned_to = 0;
};

// (shard, number).
using ShardSeq = std::pair<int, int64_t>;

// Thread-safe.
class EventStore {
 public:
  virtual ~EventStore() = default;
  // Looks at up to `limit` events after `after_seq`, answers those of `tenant` (empty = all).
  // OutOfRange: events after `after_seq` have been dropped with their partition.
  virtual absl::StatusOr<EventPage> Read(int shard, int64_t after_seq, int limit,
                                         const std::string& tenant) = 0;
  // Of one message in order of number.
  virtual absl::StatusOr<std::vector<StoredEvent>> ByMessage(int64_t message_id, int limit) = 0;
  // Per shard that has a lease row: the highest number given so far (0 = none).
  virtual absl::StatusOr<std::vector<ShardSeq>> LastSeqs() = 0;
  // Per shard that has a lease row: the lowest number that can still be read, last + 1 when none
  // can.
  virtual absl::StatusOr<std::vector<ShardSeq>> OldestSeqs() = 0;
};
std::unique_ptr<EventStore> MakeEventStore(ConnectionPool& pool);

}  // namespace sluice::storage
