// How many entries of a tenant wait: told by the owners of shards, read by ingest (migrations/0014_tenant_pending.sql).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

struct ShardPending {
  int shard = 0;
  int64_t epoch = 0;
  std::string tenant = {};  // Empty: the shard's counts hold as of `counted_at`.
  int64_t entries = 0;
  Instant counted_at{};
  friend bool operator==(const ShardPending&, const ShardPending&) = default;
};

struct Pending {
  // Of all shards.
  std::map<std::string, int64_t, std::less<>> entries;
  // What was committed before is counted; the epoch when nobody has counted yet.
  Instant counted_at{};
};

// Thread-safe.
class PendingStore {
 public:
  virtual ~PendingStore() = default;
  // Rows of an epoch that is not the newest are passed over.
  virtual absl::Status Put(const std::vector<ShardPending>& rows) = 0;
  virtual absl::StatusOr<Pending> Sum() = 0;
};
std::unique_ptr<PendingStore> MakePendingStore(ConnectionPool& pool);

}  // namespace sluice::storage
