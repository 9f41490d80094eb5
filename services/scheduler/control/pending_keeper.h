// Tells ingest how many entries of the tenants with a quota wait in the shards that are owned here: what changed, about once a second.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "base/clock.h"
#include "mail/policy_document.h"
#include "scheduler/core.h"
#include "scheduler/mailbox.h"
#include "storage/pending_store.h"

namespace sluice::scheduler {

// On one thread.
class PendingKeeper {
 public:
  PendingKeeper(storage::PendingStore& store, Core& core, Mailbox& mailbox, const Clock& clock)
      : store_(store), core_(core), mailbox_(mailbox), clock_(clock) {}
  absl::Status Round(const PolicyDocument& policy);

 private:
  storage::PendingStore& store_;
  Core& core_;
  Mailbox& mailbox_;
  const Clock& clock_;
  SteadyInstant at_{};
  std::map<std::pair<int, std::string>, std::pair<int64_t, int64_t>> told_;  // By shard and tenant: epoch and entries.
};

}  // namespace sluice::scheduler
