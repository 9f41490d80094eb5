// Suspend, resume, and the list of what holds mail back. People edit rows of cause `operator` only: what a loop has made ends when
// the loop says so.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mail/policy_document.h"
#include "policy/constraints.h"
#include "scheduler/admin/orders.h"
#include "storage/constraint_store.h"
#include "storage/policy_store.h"

namespace sluice::scheduler {

struct SuspendOrder {
  Scope scope;
  std::optional<Instant> until;
  std::string reason, author;
};

struct ResumeOrder {
  // One row, or all of cause `operator` with exactly this scope.
  int64_t id = 0;
  Scope scope;
  std::string author;
};

// Thread-safe.
class ConstraintAdmin {
 public:
  using ParsePolicy = std::function<absl::StatusOr<PolicyDocument>(const std::string& json)>;
  ConstraintAdmin(storage::ConstraintStore& store, storage::PolicyStore& policies, ParsePolicy parse, LiveState& live,
                  AuditTrail& audit, const Clock& clock, Duration patience = std::chrono::seconds(10))
      : store_(store),
        policies_(policies),
        parse_(std::move(parse)),
        live_(live),
        audit_(audit),
        clock_(clock),
        patience_(patience) {}

  struct Suspended {
    Constraint constraint;
    std::vector<std::string> not_acknowledged;
  };
  // Returns when nothing in the scope leaves any more, or after the patience with the names of those that may still send: the
  // constraint stands in either case. The same scope again edits the row. INVALID_ARGUMENT: names nothing, or a source, pool,
  // tenant or stream that the policy does not have.
  absl::StatusOr<Suspended> Suspend(const SuspendOrder& order);

  struct Resumed {
    int lifted = 0;
    std::vector<std::string> not_acknowledged;
  };
  // NOT_FOUND: there is none. FAILED_PRECONDITION: the row is another cause's.
  absl::StatusOr<Resumed> Resume(const ResumeOrder& order);

  struct Constraints {
    std::vector<Constraint> constraints;
    std::string next_page_token;
  };
  // In force now, oldest first; those whose scope has every field that `scope` gives.
  absl::StatusOr<Constraints> List(const Scope& scope, Page page);

 private:
  absl::Status CheckNames(const Scope& scope);

  storage::ConstraintStore& store_;
  storage::PolicyStore& policies_;
  const ParsePolicy parse_;
  LiveState& live_;
  AuditTrail& audit_;
  const Clock& clock_;
  const Duration patience_;
};

}  // namespace sluice::scheduler
