// Warmup put together: its ledger and store on connections of their own, the keeper, and the way into the core.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "mail/policy_document.h"
#include "scheduler/control/warmup_keeper.h"
#include "scheduler/core.h"
#include "scheduler/mailbox.h"
#include "scheduler/options.h"
#include "storage/connection_pool.h"

namespace sluice::scheduler {

class WarmupService {
 public:
  WarmupService(std::string id, const storage::ConnectionOptions& connection, telemetry::Metrics& metrics, Mailbox& mailbox,
                const Clock& clock, const Logger& log);
  // Zone and, in tests, length of the day, where the configuration says something.
  absl::Status SetCalendar(const Options& options);
  // On the control loop's thread, each round.
  absl::Status Round(Core& core, const PolicyDocument& policy, bool has_control);

  storage::WarmupLedger& grants() { return *grants_; }  // For the core's draws, which wait for nobody.
  storage::WarmupLedger& ledger() { return *ledger_; }
  storage::WarmupStore& store() { return *store_; }
  storage::EventInbox& events() { return *events_; }
  WarmupMetrics& metrics() { return metrics_; }

 private:
  static constexpr Duration kTellEvery = std::chrono::seconds(2);  // What has changed, …
  static constexpr Duration kTellAgain = std::chrono::seconds(5);  // … and that we live.
  using Waiting = std::vector<storage::WarmupWaitingRow>;
  absl::Status Tell(const Waiting& waiting);

  const std::string id_;
  storage::ConnectionPool grant_pool_, pool_;
  const std::unique_ptr<storage::WarmupLedger> grants_, ledger_;
  const std::unique_ptr<storage::WarmupStore> store_;
  const std::unique_ptr<storage::EventInbox> events_;
  WarmupMetrics metrics_;
  WarmupKeeper keeper_;
  Mailbox& mailbox_;
  const Clock& clock_;
  Waiting told_;
  SteadyInstant told_at_{};
};

}  // namespace sluice::scheduler
