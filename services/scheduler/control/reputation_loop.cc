#include "scheduler/control/reputation_loop.h"

#include "base/status.h"
#include "base/text.h"

namespace sluice::scheduler {
namespace {

constexpr auto kUpkeepEvery = std::chrono::minutes(10);
constexpr int kEventsAtOnce = 20'000;
constexpr int kMostTurns = 10;  // Of one round; the rest follows in the next.
constexpr auto kKeepCounts = std::chrono::hours(24 * 8);
constexpr auto kKeepFeedback = std::chrono::hours(24 * 60);

}  // namespace

ReputationLoop::ReputationLoop(Parts parts, Rounds::Parts rounds)
    : parts_(std::move(parts)),
      rounds_(std::move(rounds), {.name = "reputation",
                                  .on_policy = [this](const PolicyDocument& policy) { parts_.health.SetPolicy(policy); },
                                  .round = [this](const PolicyDocument& policy) { return Round(policy); },
                                  .forget = [this] { parts_.health.Forget(); }}) {}

absl::Status ReputationLoop::Round(const PolicyDocument& policy) {
  std::map<std::string, SuppressionLife> lives;
  for (const TenantPolicy& tenant : policy.tenants) lives[tenant.name] = tenant.suppress.bounce;
  for (int turn = 0; turn < kMostTurns; ++turn) {
    // Reads what was added up before; what is taken from here on comes on top.
    RETURN_IF_ERROR(parts_.health.Judge());
    ASSIGN_OR_RETURN(const storage::Tally tally, parts_.tally.Take(lives, kEventsAtOnce));
    parts_.health.Observe(tally.counts);
    if (tally.suppressed > 0) {
      parts_.log.Info("bounces_suppressed", {{"addresses", tally.suppressed}});
    }
    if (tally.is_all) break;
  }
  RETURN_IF_ERROR(parts_.health.Judge());
  Upkeep(parts_.clock.Now());
  return absl::OkStatus();
}

void ReputationLoop::Upkeep(Instant now) {
  if (parts_.clock.Steady() < upkeep_at_) return;
  upkeep_at_ = parts_.clock.Steady() + kUpkeepEvery;
  absl::Status status = parts_.tally.Forget(now - kKeepCounts);
  status.Update(parts_.feedback.Forget(now - kKeepFeedback));
  if (!status.ok()) parts_.log.Warn("upkeep_failed", {{"what", "reputation"}, {"error", View(status.message())}});
}

}  // namespace sluice::scheduler
