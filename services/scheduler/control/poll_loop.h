// Beside the core, while this process holds `control`: runs the pollers one after another, keeps what they learn and hands it to
// health. A poller that waits delays the other pollers, and nothing else.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "mail/policy_document.h"
#include "scheduler/control/health_keeper.h"
#include "scheduler/control/poller.h"
#include "scheduler/control/signal_keeper.h"
#include "storage/policy_store.h"
#include "storage/signal_store.h"
#include "telemetry/metrics.h"

namespace sluice::scheduler {

class PollLoop {
 public:
  struct Parts {
    storage::SignalStore& store;
    storage::PolicyStore& policies;
    HealthKeeper& health;
    std::function<absl::StatusOr<PolicyDocument>(const std::string& json)> parse;
    std::function<bool()> has_control;
    telemetry::Metrics& metrics;
    const Clock& clock;
    const Logger& log;
  };
  PollLoop(Parts parts, std::vector<std::unique_ptr<Poller>> pollers);
  ~PollLoop();
  void Stop();

 private:
  void Run();
  absl::Status Round();
  absl::Status FollowPolicy();

  const Parts parts_;
  const std::vector<std::unique_ptr<Poller>> pollers_;
  telemetry::Gauge& bad_;
  telemetry::Gauge& failing_;
  SignalKeeper signals_;
  PolicyDocument policy_;
  int64_t revision_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sluice::scheduler
