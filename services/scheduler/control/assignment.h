// Which egress should hold which source: pure.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "mail/policy_document.h"

namespace sluice::scheduler {

struct Candidate {
  std::string egress;
  std::vector<std::string> bind_addresses;  // Empty = any that a test bind proves.
};

struct Holder {
  std::string source, egress;
  bool expired = false;
  bool bind_failed = false;
};

// Which egress could not bind what, lately. A host may be given the address later: it is asked again after a while.
class BindFailures {
 public:
  static constexpr Duration kAskAgain = std::chrono::seconds(30);
  void Add(const std::string& source, const std::string& egress, SteadyInstant now);
  void Forget(const std::string& source, const std::string& egress);
  bool IsRecent(const std::string& source, const std::string& egress, SteadyInstant now) const;

 private:
  std::map<std::pair<std::string, std::string>, SteadyInstant> until_;  // Of the recent ones alone.
};

struct AssignmentPlan {
  // Egress → sources to claim for it.
  std::map<std::string, std::vector<std::string>> claims;
  // Held by an egress that cannot bind them while another might: the lease is to be ended first.
  std::vector<std::string> releases;
};

// A source stays with its holder while that lease runs; a free one goes to the egress that had it last, else to the one with the fewest
// sources among those that may bind it. Who failed to lately is not asked: when that is everybody, the source waits.
AssignmentPlan PlanAssignments(const std::vector<SourcePolicy>& sources, const std::vector<Candidate>& candidates,
                               const std::vector<Holder>& holders, const BindFailures& failures, SteadyInstant now);

}  // namespace sluice::scheduler
