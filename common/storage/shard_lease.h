// Leases of shards and of `control` (shard -1). All comparisons use the database's clock; the
// caller counts validity on its own monotonic clock from *before* it called.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "storage/connection.h"

namespace sluice::storage {

inline constexpr int kControlShard = -1;

struct Lease {
  int shard = 0;
  std::string owner{};     // Empty = nobody.
  std::string endpoint{};  // Where the owner's Intake is dialled.
  int64_t epoch = 0;
  Instant expires_at{};  // Database's clock.
  bool expired = false;  // Judged by the database's clock in the same statement.
};

// One connection, not thread-safe.
class ShardLeases {
 public:
  virtual ~ShardLeases() = default;
  virtual absl::StatusOr<std::vector<Lease>> List() = 0;
  // Takes those of `shards` that are free, expired, or ours with exactly this owner name, at most
  // `most`: exclusive advisory lock (7, shard), then epoch = (counter + 1) << 20 | nonce. Answers
  // the leases taken, with their new epochs.
  virtual absl::StatusOr<std::vector<Lease>> Take(const std::vector<int>& shards,
                                                  const std::string& owner,
                                                  const std::string& endpoint, Duration length,
                                                  uint32_t nonce, int most) = 0;
  // Extends those still ours at these epochs; answers the shards extended.
  virtual absl::StatusOr<std::vector<int>> Renew(const std::vector<std::pair<int, int64_t>>& held,
                                                 const std::string& owner, Duration length) = 0;
  virtual absl::Status Release(const std::vector<std::pair<int, int64_t>>& held,
                               const std::string& owner) = 0;
  // PostgreSQL's clock minus `now`; for the readiness check.
  virtual absl::StatusOr<Duration> Skew(Instant now) = 0;
};
absl::StatusOr<std::unique_ptr<ShardLeases>> OpenShardLeases(const ConnectionOptions& options);

}  // namespace sluice::storage
