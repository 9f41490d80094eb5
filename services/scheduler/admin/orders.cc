#include "scheduler/admin/orders.h"

#include <algorithm>

#include "base/text.h"
#include "wire/status.h"

namespace sluice::scheduler {

absl::Status CheckControlOwner(LiveState& live) {
  if (live.IsControlOwner()) return absl::OkStatus();
  wire::ErrorReason reason{"NOT_ACTIVE", {}};
  const std::string endpoint = live.ControlEndpoint();
  if (!endpoint.empty()) reason.metadata["endpoint"] = endpoint;
  return wire::WithReason(
      absl::FailedPreconditionError(
          endpoint.empty() ? "no scheduler holds the control lease now; try again in a moment"
                           : Cat("this scheduler does not hold the control lease; ask ", endpoint)),
      reason);
}

void AuditTrail::Record(std::string_view actor, std::string_view method, std::string request,
                        const absl::Status& outcome) {
  storage::AuditEntry entry;
  entry.at = clock_.Now();
  entry.actor = actor;
  entry.method = method;
  entry.request = std::move(request);
  entry.outcome = outcome.ToString();
  log_.Info("admin_order", {{"method", method}, {"actor", actor}, {"outcome", entry.outcome}});
  if (const absl::Status stored = store_.Append(entry); !stored.ok()) {
    log_.Warn("audit_not_stored", {{"method", method}, {"error", stored.ToString()}});
  }
}

absl::Status CheckPageSize(int& size, int usual, int most) {
  if (size < 0)
    return wire::FieldError("page_size", "is negative; write 1 or more, or leave it out");
  size = size == 0 ? usual : std::min(size, most);
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
