// What the admin verbs ask of the running scheduler beyond what PostgreSQL knows. The scheduler
// core implements it; the verbs' tests fake it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace sluice::scheduler {

struct LiveSnapshot {
  std::string scheduler_id;  // As in its leases.
  std::string admin_endpoint;
  int64_t policy_revision = 0;  // In force here; 0 = none yet.
  int64_t entries = 0;          // Indexed here.
  int64_t in_flight = 0;        // Released and not settled.
  std::vector<int> shards;      // Owned here.

  struct Egress {
    std::string id, version;
    bool connected = false;
    int64_t in_flight = 0;
    Duration silent{};  // Since it was last heard.
  };
  std::vector<Egress> egresses;
};

// Thread-safe. Called on the admin verbs' own threads, which may wait.
class LiveState {
 public:
  virtual ~LiveState() = default;
  // Waits a few seconds at most; what is not known by then is left empty.
  virtual LiveSnapshot Snapshot() = 0;
  // Returns when every live scheduler and egress acts on the policy of `revision` or a later one;
  // names at the deadline those that do not.
  virtual std::vector<std::string> AwaitPolicyRevision(int64_t revision, Duration patience) = 0;
  // Returns when no live scheduler and no egress sends against the constraints of `generation`; names
  // at the deadline those that may.
  virtual std::vector<std::string> AwaitConstraints(int64_t generation, Duration patience) = 0;
  // Returns when every live ingest acts on all that is committed now (API keys); names at the deadline
  // those that do not.
  virtual std::vector<std::string> AwaitIngests(Duration patience) = 0;
  // The same for schedulers, of what they follow by polling (warmup).
  virtual std::vector<std::string> AwaitSchedulers(Duration) { return {}; }
  virtual bool IsControlOwner() = 0;
  // Where the owner of `control` answers AdminService; empty = nobody owns it, or nobody knows.
  virtual std::string ControlEndpoint() = 0;
};

}  // namespace sluice::scheduler
