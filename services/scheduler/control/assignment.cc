#include "scheduler/control/assignment.h"

#include <algorithm>

namespace sluice::scheduler {
namespace {

bool MayBind(const Candidate& candidate, const SourcePolicy& source) {
  if (!source.egress.empty()) return candidate.egress == source.egress;
  const auto& binds = candidate.bind_addresses;
  return binds.empty() || std::find(binds.begin(), binds.end(), source.bind) != binds.end();
}

}  // namespace

void BindFailures::Add(const std::string& source, const std::string& egress, SteadyInstant now) {
  std::erase_if(until_, [now](const auto& failure) { return failure.second <= now; });
  until_[{source, egress}] = now + kAskAgain;
}

void BindFailures::Forget(const std::string& source, const std::string& egress) { until_.erase({source, egress}); }

bool BindFailures::IsRecent(const std::string& source, const std::string& egress, SteadyInstant now) const {
  const auto found = until_.find({source, egress});
  return found != until_.end() && found->second > now;
}

AssignmentPlan PlanAssignments(const std::vector<SourcePolicy>& sources, const std::vector<Candidate>& candidates,
                               const std::vector<Holder>& holders, const BindFailures& failures, SteadyInstant now) {
  std::map<std::string, const Holder*> by_source;
  std::map<std::string, int> load;
  for (const Holder& holder : holders) {
    by_source[holder.source] = &holder;
    if (!holder.expired) ++load[holder.egress];
  }
  AssignmentPlan plan;
  for (const SourcePolicy& source : sources) {
    const auto found = by_source.find(source.name);
    const Holder* holder = found == by_source.end() ? nullptr : found->second;
    std::vector<const Candidate*> able;
    for (const Candidate& candidate : candidates) {
      if (MayBind(candidate, source) && !failures.IsRecent(source.name, candidate.egress, now)) able.push_back(&candidate);
    }
    if (holder != nullptr && !holder->expired) {
      const bool other = std::any_of(able.begin(), able.end(),
                                     [&](const Candidate* c) { return c->egress != holder->egress; });
      if (holder->bind_failed && other) plan.releases.push_back(source.name);
      continue;
    }
    const auto cost = [&](const Candidate* c) {
      return std::pair(holder != nullptr && holder->egress == c->egress ? 0 : 1, load[c->egress]);
    };
    const auto best = std::min_element(able.begin(), able.end(),
                                       [&](const Candidate* a, const Candidate* b) { return cost(a) < cost(b); });
    if (best == able.end()) continue;
    ++load[(*best)->egress];
    plan.claims[(*best)->egress].push_back(source.name);
  }
  return plan;
}

}  // namespace sluice::scheduler
