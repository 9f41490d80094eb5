// The policy as applied: every revision, and its projection into plain tables for SQL. What a
// policy means is not known here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

struct PolicyRevision {
  int64_t revision = 0;  // From 1.
  Instant applied_at{};
  std::string author{}, reason{};
};

struct StoredPolicy {
  PolicyRevision revision{};
  std::string document_json{};  // Proto JSON of sluice.v1.Policy.
};

// What of a policy is also kept as rows; replaces the rows of the revision before.
struct PolicyProjection {
  struct Source {
    std::string name{}, address{}, bind{}, ehlo{};
  };
  struct Pool {
    std::string name{}, overflow{};
  };
  struct Member {
    std::string pool{}, source{};
    int32_t weight = 1;
    bool reserve = false;
  };
  std::vector<Source> sources{};
  std::vector<Pool> pools{};
  std::vector<Member> members{};
};

struct PolicyChange {
  int64_t base_revision = 0;  // 0 = whatever is current.
  std::string author{}, reason{}, document_json{};
  PolicyProjection projection{};
};

// Thread-safe.
class PolicyStore {
 public:
  virtual ~PolicyStore() = default;
  // Nullopt before the first policy.
  virtual absl::StatusOr<std::optional<StoredPolicy>> Current() = 0;
  // Number of the current revision, 0 before the first: cheap enough to poll.
  virtual absl::StatusOr<int64_t> CurrentRevision() = 0;
  // Compare-and-set; answers the new revision. Aborted when base_revision is not current,
  // InvalidArgument when the projection contradicts itself (a member without its pool or source, a
  // name twice).
  virtual absl::StatusOr<int64_t> Apply(const PolicyChange& change, Instant now) = 0;
  // Newest first, below `before` (0 = from the newest).
  virtual absl::StatusOr<std::vector<PolicyRevision>> History(int64_t before, int limit) = 0;
  // NotFound when there is no such revision.
  virtual absl::StatusOr<StoredPolicy> Get(int64_t revision) = 0;
};
std::unique_ptr<PolicyStore> MakePolicyStore(ConnectionPool& pool);

}  // namespace sluice::storage
