// How sources, tenants and sending domains stand (policy/health.h), as it survives; and the events that tell of changes, in the same
// transaction.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "policy/health.h"
#include "storage/event_inbox.h"

namespace sluice::storage {

class ConnectionPool;

struct StoredHealth {
  HealthSubject subject = {};
  HealthStatus status = {};
  std::optional<HealthOverride> override = {};
};

// Thread-safe.
class HealthStore {
 public:
  virtual ~HealthStore() = default;
  // In the order of their subjects.
  virtual absl::StatusOr<std::vector<StoredHealth>> List() = 0;
  // All of it or nothing.
  virtual absl::Status Save(const std::vector<StoredHealth>& health, const std::vector<InboxNote>& notes) = 0;
  virtual absl::Status Forget(const std::vector<HealthSubject>& subjects) = 0;
};
std::unique_ptr<HealthStore> MakeHealthStore(ConnectionPool& pool);

}  // namespace sluice::storage
