// Which egress should hold which source: pure.
#pragma once

#include <map>
#include <string>
#include <vector>

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

struct AssignmentPlan {
  // Egress → sources to claim for it.
  std::map<std::string, std::vector<std::string>> claims;
  // Held by an egress that cannot bind them while another might: the lease is to be ended first.
  std::vector<std::string> releases;
};

// A source stays with its holder while that lease runs; a free one goes to the egress that had it last, else to the one with the fewest
// sources among those that may bind it.
AssignmentPlan PlanAssignments(const std::vector<SourcePolicy>& sources, const std::vector<Candidate>& candidates,
                               const std::vector<Holder>& holders);

}  // namespace sluice::scheduler
