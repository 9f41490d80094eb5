// Beside the core, while this process holds `control`: adds up what events say about each source, has health judged by it, and
// suppresses hard bounces as the tenants' policies say. Its failure changes nothing but freshness.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "mail/policy_document.h"
#include "scheduler/control/health_keeper.h"
#include "storage/event_tally.h"
#include "storage/feedback_store.h"
#include "storage/policy_store.h"

namespace sluice::scheduler {

class ReputationLoop {
 public:
  struct Parts {
    storage::EventTally& tally;
    storage::FeedbackStore& feedback;
    storage::PolicyStore& policies;
    HealthKeeper& health;
    std::function<absl::StatusOr<PolicyDocument>(const std::string& json)> parse;
    std::function<bool()> has_control;
    const Clock& clock;
    const Logger& log;
  };
  explicit ReputationLoop(Parts parts);
  ~ReputationLoop();
  void Stop();

 private:
  void Run();
  absl::Status Round();
  absl::Status FollowPolicy();
  void Upkeep(Instant now);

  const Parts parts_;
  PolicyDocument policy_;
  int64_t revision_ = 0;
  SteadyInstant upkeep_at_{};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sluice::scheduler
