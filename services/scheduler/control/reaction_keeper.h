// What egresses made of replies, as rows of the constraint table (policy/automation.h): each cause edits its own.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "policy/constraints.h"
#include "storage/constraint_store.h"

namespace sluice::scheduler {

// In order. One whose value is empty ends the rows of its cause and scope. Answers the first failure; asked again, all of them may
// be given again.
absl::Status KeepReactions(storage::ConstraintStore& store, const std::vector<Constraint>& reactions);

}  // namespace sluice::scheduler
