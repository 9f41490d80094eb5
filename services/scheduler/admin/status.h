// What runs, who owns what, and what waits: the first page an operator looks at.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mail/policy_document.h"
#include "scheduler/admin/orders.h"
#include "storage/assignment_store.h"
#include "storage/entry_store.h"
#include "storage/node_store.h"
#include "storage/policy_store.h"
#include "storage/shard_lease.h"

namespace sluice::scheduler {

struct SourceState {
  std::string source, address, bind, ehlo;
  std::string egress;  // Empty = nobody holds it.
  int64_t epoch = 0;
  std::string state;  // `bound`, `assigned`, `unassigned`, `bind_failed`.
  std::string detail;
};

struct SchedulerState {
  std::string id, endpoint;
  bool control = false;
  // Known of the one that answers.
  std::optional<int64_t> entries, in_flight;
  int64_t policy_revision = 0;
};

struct SystemStatus {
  Instant answered_at{};
  int64_t policy_revision = 0;
  std::vector<SchedulerState> schedulers;
  std::vector<storage::ServiceNode> ingests;
  std::vector<storage::Lease> shards;  // Without `control`; owner empty = nobody.
  std::vector<LiveSnapshot::Egress> egresses;
  std::vector<SourceState> sources;
  std::vector<storage::QueueGroup> queue;  // By provider, largest first.
};

// Thread-safe.
class StatusAdmin {
 public:
  // All leases, `control` included.
  using ListLeases = std::function<absl::StatusOr<std::vector<storage::Lease>>()>;
  // Reads a stored document.
  using ParsePolicy = std::function<absl::StatusOr<PolicyDocument>(const std::string& json)>;
  StatusAdmin(storage::PolicyStore& policies, storage::AssignmentStore& assignments,
              storage::EntryStore& entries, storage::NodeStore& nodes, ListLeases list_leases,
              ParsePolicy parse, LiveState& live, const Clock& clock)
      : policies_(policies),
        assignments_(assignments),
        entries_(entries),
        nodes_(nodes),
        list_leases_(std::move(list_leases)),
        parse_(std::move(parse)),
        live_(live),
        clock_(clock) {}

  absl::StatusOr<SystemStatus> Get();

  struct Sources {
    std::vector<SourceState> sources;
    std::string next_page_token;
  };
  // In order of name.
  absl::StatusOr<Sources> ListSources(Page page);

 private:
  absl::StatusOr<std::vector<SourceState>> AllSources();

  storage::PolicyStore& policies_;
  storage::AssignmentStore& assignments_;
  storage::EntryStore& entries_;
  storage::NodeStore& nodes_;
  const ListLeases list_leases_;
  const ParsePolicy parse_;
  LiveState& live_;
  const Clock& clock_;
};

// Reads the leases over a connection of its own, reopened when it breaks. The function is
// thread-safe.
StatusAdmin::ListLeases LeaseLister(storage::ConnectionOptions connection);

}  // namespace sluice::scheduler
