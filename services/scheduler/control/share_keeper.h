// Brings this scheduler's shares of rates that several keep together (policy/rate_share.h) from PostgreSQL into the core, tells what it
// uses and wants; and, who has control, gives the shares out.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "mail/policy_document.h"
#include "scheduler/core.h"
#include "scheduler/mailbox.h"
#include "storage/share_store.h"

namespace sluice::scheduler {

// On one thread.
class ShareKeeper {
 public:
  ShareKeeper(std::string id, storage::ShareStore& store, Core& core, Mailbox& mailbox, const Clock& clock)
      : id_(std::move(id)), store_(store), core_(core), mailbox_(mailbox), clock_(clock) {}
  absl::Status Round(const PolicyDocument& policy, bool has_control);

 private:
  absl::Status Exchange(const std::map<std::string, Rate>& rates);

  const std::string id_;
  storage::ShareStore& store_;
  Core& core_;
  Mailbox& mailbox_;
  const Clock& clock_;
  std::map<std::string, std::pair<int64_t, bool>> told_;  // By rate: used and wanted.
  bool had_rates_ = false;
};

}  // namespace sluice::scheduler
