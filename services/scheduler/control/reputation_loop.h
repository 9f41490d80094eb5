// Adds up what events say about each source, has health judged by it, and suppresses hard bounces as the tenants' policies say. Its
// failure changes nothing but freshness.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "mail/policy_document.h"
#include "scheduler/control/health_keeper.h"
#include "scheduler/control/rounds.h"
#include "storage/event_tally.h"
#include "storage/feedback_store.h"

namespace sluice::scheduler {

class ReputationLoop {
 public:
  struct Parts {
    storage::EventTally& tally;
    storage::FeedbackStore& feedback;
    HealthKeeper& health;
    const Clock& clock;
    const Logger& log;
  };
  ReputationLoop(Parts parts, Rounds::Parts rounds);
  void Stop() { rounds_.Stop(); }

 private:
  absl::Status Round(const PolicyDocument& policy);
  void Upkeep(Instant now);

  const Parts parts_;
  SteadyInstant upkeep_at_{};
  Rounds rounds_;
};

}  // namespace sluice::scheduler
