// Orders on many entries, and how far the owners of the shards have come with them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

struct OperationRow {
  int64_t id = 0;
  std::string kind{};         // cancel, bounce, move, retry_now, release_held.
  std::string filter_json{};  // Proto JSON of sluice.v1.Match.
  int64_t message_id = 0;     // 0 = any.
  std::string target_pool{}, reason{}, author{};
  Instant started_at{};  // What was accepted later is not meant.
  std::optional<Instant> ended_at{};
  bool stopped = false;
  int64_t done = 0, too_late = 0;
};

struct OperationShard {
  int shard = 0;
  int64_t done = 0, too_late = 0;
  bool ended = false;
};

// Thread-safe.
class OperationStore {
 public:
  virtual ~OperationStore() = default;
  // Answers its id; `started_at` becomes the database's time.
  virtual absl::StatusOr<OperationRow> Insert(const OperationRow& operation) = 0;
  // NOT_FOUND.
  virtual absl::StatusOr<OperationRow> Get(int64_t id) = 0;
  // Newest first, below `before` (0 = from the newest).
  virtual absl::StatusOr<std::vector<OperationRow>> List(int64_t before, int limit) = 0;
  // Neither ended nor stopped, oldest first.
  virtual absl::StatusOr<std::vector<OperationRow>> Open(int limit) = 0;
  // What was done stays done. Nothing when it has ended.
  virtual absl::Status Stop(int64_t id) = 0;
  virtual absl::StatusOr<std::vector<OperationShard>> Shards(int64_t id) = 0;
  virtual absl::Status SetProgress(int64_t id, const std::vector<OperationShard>& shards) = 0;
  // Ends those that every shard has ended, and those that were stopped.
  virtual absl::Status EndFinished() = 0;
  // Domains whose mail goes there as far as is known; empty = any. At most a million.
  virtual absl::StatusOr<std::vector<std::string>> DomainsOf(const std::string& provider, const std::string& site) = 0;
};
std::unique_ptr<OperationStore> MakeOperationStore(ConnectionPool& pool);

}  // namespace sluice::storage
