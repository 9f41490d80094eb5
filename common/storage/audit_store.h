// Who did what: append-only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

struct AuditEntry {
  int64_t id = 0;  // Given by the store.
  Instant at{};
  std::string actor{}, method{}, request{}, outcome{};
};

// Thread-safe.
class AuditStore {
 public:
  virtual ~AuditStore() = default;
  virtual absl::Status Append(const AuditEntry& entry) = 0;
  // Newest first, below `before` (0 = from the newest).
  virtual absl::StatusOr<std::vector<AuditEntry>> List(int64_t before, int limit) = 0;
};
std::unique_ptr<AuditStore> MakeAuditStore(ConnectionPool& pool);

}  // namespace sluice::storage
