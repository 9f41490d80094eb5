#include "scheduler/live.h"

#include <memory>

#include "storage/shard_lease.h"

namespace sluice::scheduler {

LiveSnapshot Live::Snapshot() {
  const CoreSnapshot core = loop_.Snapshot();
  LiveSnapshot out;
  out.scheduler_id = id_;
  out.admin_endpoint = admin_endpoint_;
  out.policy_revision = core.policy_revision > 0 ? core.policy_revision : 0;
  out.entries = core.entries;
  out.in_flight = core.in_flight;
  out.shards = core.shards;
  for (const CoreSnapshot::EgressState& egress : core.egresses) {
    out.egresses.push_back({egress.id, egress.version, egress.connected, egress.in_flight, egress.silent});
  }
  return out;
}

std::vector<std::string> Live::AwaitPolicyRevision(int64_t revision, Duration patience) {
  return control_.AwaitRevision(revision, patience);
}

std::string Live::ControlEndpoint() {
  if (control_.has_control()) return admin_endpoint_;
  const absl::StatusOr<std::vector<storage::Lease>> leases = leases_();
  if (!leases.ok()) return {};
  for (const storage::Lease& lease : *leases) {
    if (lease.shard == storage::kControlShard && !lease.expired) return lease.endpoint;
  }
  return {};
}

std::map<std::string, Duration> Live::DownPaths(const std::string& domain) const {
  auto paths = std::make_shared<std::map<std::string, Duration>>();
  const bool is_told = loop_.Run([paths, domain](Core& core) { *paths = core.DownPaths(domain); }, std::chrono::seconds(2));
  return is_told ? *paths : std::map<std::string, Duration>();
}

}  // namespace sluice::scheduler
