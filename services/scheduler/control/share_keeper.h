// Brings shares of limits that several keep together (policy/rate_share.h) from PostgreSQL to who holds them: this scheduler's into its
// core, those of egresses that have told us what they use back to them. Tells what all use and want; and, who has control, gives the
// shares out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "mail/policy_document.h"
#include "scheduler/core.h"
#include "scheduler/mailbox.h"
#include "storage/share_store.h"

namespace sluice::scheduler {

// What an egress uses of the limits of connections that it shares with others.
struct EgressUses {
  std::vector<storage::ShareUse> uses;
  // Called once, from any thread, with what its holders have, and for how long from when it told us.
  std::function<void(const std::vector<storage::OwnShare>&, Duration valid_for)> answer;
  SteadyInstant came_at{};
};

class ShareKeeper {
 public:
  ShareKeeper(std::string id, storage::ShareStore& store, Core& core, Mailbox& mailbox, const Clock& clock)
      : id_(std::move(id)), store_(store), core_(core), mailbox_(mailbox), clock_(clock) {}
  // On one thread.
  absl::Status Round(const PolicyDocument& policy, bool has_control);
  // Thread-safe: answered by the next round. Only the last of an egress counts.
  void Told(const std::string& egress, EgressUses uses);

 private:
  using Limits = std::map<std::string, ShareTerms>;
  absl::Status Exchange(const Limits& limits);
  // Those that still wait for their answer.
  std::map<std::string, EgressUses> TakeEgresses();
  // Of this scheduler: what has changed since it was told.
  std::vector<storage::ShareUse> News(std::vector<ShareNow> shares);
  void Give(const std::vector<storage::OwnShare>& own, SteadyInstant until);

  const std::string id_;
  storage::ShareStore& store_;
  Core& core_;
  Mailbox& mailbox_;
  const Clock& clock_;
  std::map<std::string, std::pair<int64_t, bool>> told_;  // By limit: used and wanted.
  bool had_limits_ = false;
  std::mutex mutex_;
  std::map<std::string, EgressUses> egresses_;  // Since the last round.
};

}  // namespace sluice::scheduler
