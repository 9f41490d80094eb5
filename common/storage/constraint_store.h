// What holds mail back (policy/constraints.h), as it survives. Each loop edits rows of its own cause only. Every change carries a
// generation: whoever acts on that generation or a later one acts on the change.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "policy/constraints.h"

namespace sluice::storage {

class ConnectionPool;

struct ConstraintChange {
  int64_t generation = 0;
  // Of the rows made, edited or ended; in the order given to Put.
  std::vector<int64_t> ids;
};

struct ConstraintsInForce {
  int64_t generation = 0;
  std::vector<Constraint> constraints;  // In order of id.
};

// Thread-safe.
class ConstraintStore {
 public:
  virtual ~ConstraintStore() = default;
  // Cheap enough to poll.
  virtual absl::StatusOr<int64_t> Generation() = 0;
  virtual absl::StatusOr<ConstraintsInForce> List(Instant now) = 0;
  // Makes rows of `cause`, or edits those with the same rule and scope, which keep their id and `since`. What says the same
  // already is left alone, and when all do, the generation stays. InvalidArgument: a scope names nothing.
  virtual absl::StatusOr<ConstraintChange> Put(ConstraintCause cause, const std::vector<Constraint>& constraints) = 0;
  // Ends rows of `cause` by id; those of others are left.
  virtual absl::StatusOr<ConstraintChange> End(ConstraintCause cause, const std::vector<int64_t>& ids) = 0;
  // Ends rows of `cause` with exactly this scope.
  virtual absl::StatusOr<ConstraintChange> EndScope(ConstraintCause cause, const Scope& scope) = 0;
  // Forgets what ended by itself before `before`: changes nothing.
  virtual absl::Status Sweep(Instant before) = 0;
};
std::unique_ptr<ConstraintStore> MakeConstraintStore(ConnectionPool& pool);

}  // namespace sluice::storage
