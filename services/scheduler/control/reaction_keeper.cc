#include "scheduler/control/reaction_keeper.h"

#include "base/status.h"

namespace sluice::scheduler {

absl::Status KeepReactions(storage::ConstraintStore& store, const std::vector<Constraint>& reactions) {
  for (const Constraint& reaction : reactions) {
    if (reaction.scope.empty()) continue;
    if (reaction.value == ConstraintValue()) {
      RETURN_IF_ERROR(store.EndScope(reaction.cause, reaction.scope).status());
    } else {
      RETURN_IF_ERROR(store.Put(reaction.cause, {reaction}).status());
    }
  }
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
