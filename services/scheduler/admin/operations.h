// Orders on many entries: what is asked for is checked, written down and audited here; the owners of the shards carry it out
// (scheduler/operations.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "scheduler/admin/orders.h"
#include "storage/operation_store.h"
#include "storage/policy_store.h"

namespace sluice::scheduler {

struct OperationOrder {
  storage::OperationRow operation;
  bool names_something = false;  // The filter has a field, or there is a message.
};

// Thread-safe.
class OperationAdmin {
 public:
  // Whether the current policy has a pool of this name.
  using KnowsPool = std::function<absl::StatusOr<bool>(const std::string& pool)>;
  OperationAdmin(storage::OperationStore& store, KnowsPool knows_pool, std::function<void()> hurry, LiveState& live,
                 AuditTrail& audit)
      : store_(store), knows_pool_(std::move(knows_pool)), hurry_(std::move(hurry)), live_(live), audit_(audit) {}

  // Returns when it is written down; the owners begin within a second. FAILED_PRECONDITION: not the control owner.
  // INVALID_ARGUMENT: the filter is empty, or a move names no pool.
  absl::StatusOr<storage::OperationRow> Start(const OperationOrder& order);
  // NOT_FOUND.
  absl::StatusOr<storage::OperationRow> Get(int64_t id) { return store_.Get(id); }
  struct Operations {
    std::vector<storage::OperationRow> operations;
    std::string next_page_token;
  };
  // Newest first.
  absl::StatusOr<Operations> List(Page page);
  // What was done stays done.
  absl::StatusOr<storage::OperationRow> Stop(int64_t id, const std::string& actor);

 private:
  absl::Status Check(const OperationOrder& order);

  storage::OperationStore& store_;
  const KnowsPool knows_pool_;
  const std::function<void()> hurry_;
  LiveState& live_;
  AuditTrail& audit_;
};

}  // namespace sluice::scheduler
