#include "scheduler/admin/status.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include "base/status.h"
#include "base/text.h"

namespace sluice::scheduler {
namespace {

constexpr int kMostProviders = 1'000;

SourceState StateOf(const SourcePolicy& source, const storage::SourceAssignment* assignment) {
  SourceState out{.source = source.name,
                  .address = source.address,
                  .bind = source.bind,
                  .ehlo = source.ehlo,
                  .egress = {},
                  .state = "unassigned",
                  .detail = {}};
  if (assignment == nullptr) {
    out.detail = "no egress has taken it";
    return out;
  }
  out.epoch = assignment->epoch;
  out.detail = assignment->detail;
  if (assignment->expired) {
    out.detail = assignment->egress.empty() ? "no egress holds it now" : Cat("last held by ", assignment->egress);
    return out;
  }
  out.egress = assignment->egress;
  out.state = assignment->state;
  return out;
}

// Everybody who is alive or holds a lease, and the one that answers.
std::vector<SchedulerState> Schedulers(const std::vector<storage::Lease>& leases,
                                       const std::vector<storage::ServiceNode>& nodes,
                                       const LiveSnapshot& here) {
  std::map<std::string, SchedulerState> by_id;
  for (const storage::ServiceNode& node : nodes) {
    if (node.kind != "scheduler") continue;
    by_id[node.id].endpoint = node.endpoint;
    by_id[node.id].policy_revision = node.policy_revision;
  }
  for (const storage::Lease& lease : leases) {
    if (lease.owner.empty() || lease.expired) continue;
    SchedulerState& state = by_id[lease.owner];
    if (state.endpoint.empty()) state.endpoint = lease.endpoint;
    state.control = state.control || lease.shard == storage::kControlShard;
  }
  SchedulerState& answering = by_id[here.scheduler_id];
  if (!here.admin_endpoint.empty()) answering.endpoint = here.admin_endpoint;
  answering.entries = here.entries;
  answering.in_flight = here.in_flight;
  answering.policy_revision = here.policy_revision;
  std::vector<SchedulerState> out;
  for (auto& [id, state] : by_id) {
    state.id = id;
    out.push_back(std::move(state));
  }
  return out;
}

}  // namespace

absl::StatusOr<std::vector<SourceState>> StatusAdmin::AllSources() {
  ASSIGN_OR_RETURN(const auto current, policies_.Current());
  if (!current) return std::vector<SourceState>();
  ASSIGN_OR_RETURN(const PolicyDocument policy, parse_(current->document_json));
  ASSIGN_OR_RETURN(const auto assignments, assignments_.List());
  std::map<std::string_view, const storage::SourceAssignment*> by_source;
  for (const storage::SourceAssignment& assignment : assignments)
    by_source[assignment.source] = &assignment;

  std::vector<SourceState> out;
  for (const SourcePolicy& source : policy.sources) {
    const auto held = by_source.find(source.name);
    out.push_back(StateOf(source, held == by_source.end() ? nullptr : held->second));
  }
  std::sort(out.begin(), out.end(),
            [](const SourceState& a, const SourceState& b) { return a.source < b.source; });
  return out;
}

absl::StatusOr<SystemStatus> StatusAdmin::Get() {
  SystemStatus out;
  const LiveSnapshot here = live_.Snapshot();
  out.answered_at = clock_.Now();
  ASSIGN_OR_RETURN(out.policy_revision, policies_.CurrentRevision());
  ASSIGN_OR_RETURN(std::vector<storage::Lease> leases, list_leases_());
  ASSIGN_OR_RETURN(const std::vector<storage::ServiceNode> nodes, nodes_.Alive());
  out.schedulers = Schedulers(leases, nodes, here);
  for (const storage::ServiceNode& node : nodes) {
    if (node.kind == "ingest") out.ingests.push_back(node);
  }
  for (storage::Lease& lease : leases) {
    if (lease.shard == storage::kControlShard) continue;
    if (lease.expired) lease.owner.clear();
    out.shards.push_back(std::move(lease));
  }
  std::sort(out.shards.begin(), out.shards.end(),
            [](const storage::Lease& a, const storage::Lease& b) { return a.shard < b.shard; });
  out.egresses = here.egresses;
  ASSIGN_OR_RETURN(out.sources, AllSources());
  ASSIGN_OR_RETURN(out.queue, entries_.Summarize({}, "provider", kMostProviders));
  return out;
}

absl::StatusOr<StatusAdmin::Sources> StatusAdmin::ListSources(Page page) {
  RETURN_IF_ERROR(CheckPageSize(page.size, 100, 1'000));
  ASSIGN_OR_RETURN(std::vector<SourceState> all, AllSources());
  Sources out;
  for (SourceState& source : all) {
    if (source.source <= page.after) continue;
    if (static_cast<int>(out.sources.size()) == page.size) {
      out.next_page_token = out.sources.back().source;
      break;
    }
    out.sources.push_back(std::move(source));
  }
  return out;
}

StatusAdmin::ListLeases LeaseLister(storage::ConnectionOptions connection) {
  struct State {
    std::mutex mutex;
    std::unique_ptr<storage::ShardLeases> leases;
  };
  // Shared with every copy of the function.
  const auto state = std::make_shared<State>();
  return [state, connection]() -> absl::StatusOr<std::vector<storage::Lease>> {
    const std::lock_guard lock(state->mutex);
    if (state->leases == nullptr) {
      ASSIGN_OR_RETURN(state->leases, storage::OpenShardLeases(connection));
    }
    auto listed = state->leases->List();
    if (!listed.ok()) state->leases.reset();
    return listed;
  };
}

}  // namespace sluice::scheduler
