// Applying policies and reading them back. The document arrives read and checked
// (wire/policy_convert.h); here it is compared with the revision it was edited from, stored, and
// waited for.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mail/policy_document.h"
#include "scheduler/admin/orders.h"
#include "storage/policy_store.h"

namespace sluice::scheduler {

struct PolicyOrder {
  std::string document_json;
  PolicyDocument document;
  std::vector<PolicyFinding> findings;
  int64_t base_revision = 0;
  std::string author, reason;
};

struct PolicyApplied {
  int64_t revision = 0;
  std::vector<PolicyFinding> warnings;
  std::vector<std::string> not_acknowledged;
};

// Thread-safe.
class PolicyAdmin {
 public:
  PolicyAdmin(storage::PolicyStore& store, LiveState& live, AuditTrail& audit, const Clock& clock,
              Duration patience = std::chrono::seconds(10))
      : store_(store), live_(live), audit_(audit), clock_(clock), patience_(patience) {}

  // FAILED_PRECONDITION: not the control owner. INVALID_ARGUMENT: the findings hold errors (as
  // field violations below `policy`). ABORTED: another revision is current, or another apply is
  // under way. Returns when all have acknowledged, or after the patience with the names of those
  // who have not: the policy is stored in either case.
  absl::StatusOr<PolicyApplied> Apply(const PolicyOrder& order);

  // 0 = the current one. NOT_FOUND.
  absl::StatusOr<storage::StoredPolicy> Get(int64_t revision);

  struct Revisions {
    std::vector<storage::PolicyRevision> revisions;
    std::string next_page_token;
  };
  // Newest first.
  absl::StatusOr<Revisions> History(Page page);

 private:
  absl::Status Check(const PolicyOrder& order);

  storage::PolicyStore& store_;
  LiveState& live_;
  AuditTrail& audit_;
  const Clock& clock_;
  const Duration patience_;
  std::mutex applying_;
};

storage::PolicyProjection Project(const PolicyDocument& policy);

}  // namespace sluice::scheduler
