// Orders and questions about suppressed addresses.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "scheduler/admin/orders.h"
#include "storage/suppression_set.h"
#include "storage/suppression_store.h"

namespace sluice::scheduler {

struct SuppressionOrder {
  // As the caller wrote them: addresses are checked and made canonical here; `created_at` is ignored.
  std::vector<Suppression> add, remove;
  std::vector<std::string> erase;
  std::string actor;
};
struct SuppressionCounts {
  int added = 0, removed = 0, erased = 0;
  std::vector<std::string> not_acknowledged;
};

// Thread-safe.
class SuppressionAdmin {
 public:
  // Whether the current policy has a tenant of this name.
  using KnowsTenant = std::function<absl::StatusOr<bool>(const std::string& tenant)>;
  SuppressionAdmin(storage::SuppressionStore& store, KnowsTenant knows_tenant, LiveState& live,
                   AuditTrail& audit, const Clock& clock)
      : store_(store),
        knows_tenant_(std::move(knows_tenant)),
        live_(live),
        audit_(audit),
        clock_(clock) {}

  // INVALID_ARGUMENT names the first wrong element; nothing is done then. Returns when every ingest
  // acts on it, or names those that do not; schedulers follow within a second.
  absl::StatusOr<SuppressionCounts> Update(const SuppressionOrder& order);

  struct Suppressions {
    std::vector<storage::StoredSuppression> suppressions;
    std::string next_page_token;
  };
  // In order of (tenant, address).
  absl::StatusOr<Suppressions> List(const std::string& tenant, const std::string& address,
                                    Page page);

 private:
  absl::Status CheckTenants(const std::vector<Suppression>& add);

  storage::SuppressionStore& store_;
  const KnowsTenant knows_tenant_;
  LiveState& live_;
  AuditTrail& audit_;
  const Clock& clock_;
};

}  // namespace sluice::scheduler
