// Who holds a source. Written by the owner of `control` alone; validity is judged by the database's
// clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

struct SourceAssignment {
  std::string source{}, egress{};
  int64_t epoch = 0;  // Rises with every claim.
  Instant assigned_at{}, lease_until{};
  std::string state{};  // `assigned`, `bound`, `bind_failed`.
  std::string detail{};
  bool expired = false;
};

// Thread-safe.
class AssignmentStore {
 public:
  virtual ~AssignmentStore() = default;
  virtual absl::StatusOr<std::vector<SourceAssignment>> List() = 0;
  // Gives `egress` those of `sources` that nobody holds, whose lease is over, or that it holds
  // already (again: a new epoch); answers them. The others stay with whoever has them.
  virtual absl::StatusOr<std::vector<SourceAssignment>> Claim(
      const std::string& egress, const std::vector<std::string>& sources, Duration lease) = 0;
  // Extends those still held at these epochs; answers their names.
  virtual absl::StatusOr<std::vector<std::string>> Renew(
      const std::string& egress, const std::vector<std::pair<std::string, int64_t>>& held,
      Duration lease) = 0;
  // False: the assignment is no longer at this epoch.
  virtual absl::StatusOr<bool> SetState(const std::string& source, int64_t epoch,
                                        const std::string& state, const std::string& detail) = 0;
  // Ends the lease at once; the epoch stays, so that the next claim is above it.
  virtual absl::Status Release(const std::vector<std::pair<std::string, int64_t>>& held) = 0;
};
std::unique_ptr<AssignmentStore> MakeAssignmentStore(ConnectionPool& pool);

}  // namespace sluice::storage
