// Health of every source, tenant and sending domain, kept by the owner of `control`: what events add up to and what pollers say goes
// in, policy/health.h judges, and out come rows of health_state, events, log lines, and constraints of cause `health`. What it knows
// survives it: another process goes on from the tables.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "policy/health.h"
#include "storage/constraint_store.h"
#include "storage/event_tally.h"
#include "storage/health_store.h"
#include "telemetry/metrics.h"

namespace sluice::scheduler {

struct HealthMetrics {
  explicit HealthMetrics(telemetry::Metrics& metrics);
  telemetry::Family<telemetry::Gauge>& state;
  telemetry::Family<telemetry::Counter>& changes;
};

// Thread-safe.
class HealthKeeper {
 public:
  struct Parts {
    storage::HealthStore& store;
    storage::EventTally& tally;
    storage::ConstraintStore& constraints;
    HealthMetrics& metrics;
    const Clock& clock;
    const Logger& log;
  };
  explicit HealthKeeper(Parts parts) : parts_(parts) {}

  void SetPolicy(const PolicyDocument& policy);
  // By subject; those not named have none. Replaces what was set before.
  void SetOpinions(std::map<HealthSubject, std::vector<Opinion>> opinions);
  void Observe(const std::vector<storage::TallyCount>& counts);
  // Judges what has changed or is due, and makes it so. The first call reads what is known.
  absl::Status Judge();
  // Another process is to keep it: what was read is forgotten.
  void Forget();

  // Stands until its end, or until it is lifted (nullopt); answers the generation of constraints that says so. FailedPrecondition:
  // nothing was read yet.
  absl::StatusOr<int64_t> Override(const HealthSubject& subject, std::optional<HealthOverride> override);

 private:
  struct Track {
    HealthStatus status, saved;
    std::optional<HealthOverride> override;
    HealthHistory history;
    std::vector<Opinion> opinions;
    Instant look_at{};       // At latest.
    bool is_stored = false;  // Has a row.
  };
  absl::Status Load(Instant now);
  void Count(const storage::TallyCount& count);
  void JudgeOne(const HealthSubject& subject, Track& track, Instant now);
  int SuspendedProviders(const std::string& source) const;
  void Tell(const HealthSubject& subject, const Track& track, HealthState before);
  absl::Status Save();
  absl::StatusOr<int64_t> Constrain(Instant now);
  std::optional<Constraint> ConstraintOf(const HealthSubject& subject, const Track& track, Instant now) const;
  absl::Status ForgetIdle(Instant now);

  const Parts parts_;
  std::mutex mutex_;
  std::vector<HealthRule> rules_ = ShippedHealthRules();
  std::map<HealthSubject, Track> tracks_;
  bool is_loaded_ = false;
  std::map<HealthSubject, storage::StoredHealth> to_save_;
  std::vector<storage::InboxNote> notes_;
  // Of cause `health`, as they stand in PostgreSQL.
  std::map<HealthSubject, Constraint> in_force_;
  int64_t generation_ = 0;
  Instant forgotten_at_{};
};

}  // namespace sluice::scheduler
