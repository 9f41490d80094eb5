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

AssignmentPlan PlanAssignments(const std::vector<SourcePolicy>& sources, const std::vector<Candidate>& candidates,
                               const std::vector<Holder>& holders) {
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
      if (MayBind(candidate, source)) able.push_back(&candidate);
    }
    if (holder != nullptr && !holder->expired) {
      const bool other = std::any_of(able.begin(), able.end(),
                                     [&](const Candidate* c) { return c->egress != holder->egress; });
      if (holder->bind_failed && other) plan.releases.push_back(source.name);
      continue;
    }
    const Candidate* best = nullptr;
    const auto cost = [&](const Candidate* c) {
      const bool failed = holder != nullptr && holder->bind_failed && holder->egress == c->egress;
      const bool last = holder != nullptr && !holder->bind_failed && holder->egress == c->egress;
      return std::pair(failed ? 2 : last ? 0 : 1, load[c->egress]);
    };
    for (const Candidate* candidate : able) {
      if (best == nullptr || cost(candidate) < cost(best)) best = candidate;
    }
    if (best == nullptr) continue;
    ++load[best->egress];
    plan.claims[best->egress].push_back(source.name);
  }
  return plan;
}

}  // namespace sluice::scheduler
