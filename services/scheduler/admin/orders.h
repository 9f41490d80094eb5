// What all orders have in common: only the owner of `control` takes them, and each leaves a line in
// the audit log.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/admin/live_state.h"
#include "storage/audit_store.h"

namespace sluice::scheduler {

// OK, or FAILED_PRECONDITION with reason NOT_ACTIVE and the endpoint to ask instead.
absl::Status CheckControlOwner(LiveState& live);

// Best effort: an order that was carried out is not undone because its record failed; that is
// logged.
class AuditTrail {
 public:
  AuditTrail(storage::AuditStore& store, const Clock& clock, const Logger& log)
      : store_(store), clock_(clock), log_(log) {}
  void Record(std::string_view actor, std::string_view method, std::string request,
              const absl::Status& outcome);

 private:
  storage::AuditStore& store_;
  const Clock& clock_;
  const Logger& log_;
};

// A list that is answered in pages.
struct Page {
  int size = 0;
  std::string after;  // The token: where the page before ended; empty = the first page.
};
// 0 becomes `usual`, more than `most` becomes `most`; INVALID_ARGUMENT when negative.
absl::Status CheckPageSize(int& size, int usual, int most);

}  // namespace sluice::scheduler
