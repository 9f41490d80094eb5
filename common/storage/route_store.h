// What DNS and the catalogue made of a domain, kept for SQL, for reports, and for a start without a
// storm of lookups.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

struct DomainRoute {
  std::string domain{}, site{}, provider{};
  Instant resolved_at{};
};

// Thread-safe.
class RouteStore {
 public:
  virtual ~RouteStore() = default;
  // A domain given twice keeps the newer one; an older resolution never replaces a newer row.
  virtual absl::Status Upsert(const std::vector<DomainRoute>& routes) = 0;
  // Those that are known.
  virtual absl::StatusOr<std::vector<DomainRoute>> Load(
      const std::vector<std::string>& domains) = 0;
};
std::unique_ptr<RouteStore> MakeRouteStore(ConnectionPool& pool);

}  // namespace sluice::storage
