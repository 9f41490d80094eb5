// Runs the pollers one after another, keeps what they learn and hands it to health. A poller that waits delays the other pollers, and
// nothing else.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "mail/policy_document.h"
#include "scheduler/control/health_keeper.h"
#include "scheduler/control/poller.h"
#include "scheduler/control/rounds.h"
#include "scheduler/control/signal_keeper.h"
#include "storage/signal_store.h"
#include "telemetry/metrics.h"

namespace sluice::scheduler {

class PollLoop {
 public:
  struct Parts {
    storage::SignalStore& store;
    HealthKeeper& health;
    telemetry::Metrics& metrics;
    const Clock& clock;
    const Logger& log;
  };
  PollLoop(Parts parts, std::vector<std::unique_ptr<Poller>> pollers, Rounds::Parts rounds);
  void Stop() { rounds_.Stop(); }

 private:
  absl::Status Round(const PolicyDocument& policy);
  void Measure();
  void Forget();

  const Parts parts_;
  const std::vector<std::unique_ptr<Poller>> pollers_;
  telemetry::Gauge& bad_;
  telemetry::Gauge& failing_;
  telemetry::Family<telemetry::Gauge>& report_age_;
  SignalKeeper signals_;
  Rounds rounds_;
};

}  // namespace sluice::scheduler
