#include "scheduler/control/reputation_loop.h"

#include "base/status.h"
#include "base/text.h"

namespace sluice::scheduler {
namespace {

constexpr auto kRound = std::chrono::seconds(1);
constexpr auto kUpkeepEvery = std::chrono::minutes(10);
constexpr int kEventsAtOnce = 20'000;
constexpr int kMostTurns = 10;  // Of one round; the rest follows in the next.
constexpr auto kKeepCounts = std::chrono::hours(24 * 8);
constexpr auto kKeepFeedback = std::chrono::hours(24 * 60);

}  // namespace

ReputationLoop::ReputationLoop(Parts parts) : parts_(std::move(parts)), thread_([this] { Run(); }) {}

ReputationLoop::~ReputationLoop() { Stop(); }

void ReputationLoop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void ReputationLoop::Run() {
  std::string last_error;
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    const bool control = parts_.has_control();
    if (!control) parts_.health.Forget();
    const absl::Status status = control ? Round() : absl::OkStatus();
    // Once for each trouble, not each second.
    if (std::string error(View(status.message())); error != last_error) {
      if (!status.ok()) parts_.log.Warn("reputation_round_failed", {{"error", error}});
      last_error = std::move(error);
    }
    lock.lock();
    wake_.wait_for(lock, kRound, [this] { return stop_; });
  }
}

absl::Status ReputationLoop::FollowPolicy() {
  ASSIGN_OR_RETURN(const int64_t current, parts_.policies.CurrentRevision());
  if (current == revision_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto stored, parts_.policies.Current());
  if (!stored.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(policy_, parts_.parse(stored->document_json));
  revision_ = stored->revision.revision;
  parts_.health.SetPolicy(policy_);
  return absl::OkStatus();
}

absl::Status ReputationLoop::Round() {
  RETURN_IF_ERROR(FollowPolicy());
  std::map<std::string, SuppressionLife> lives;
  for (const TenantPolicy& tenant : policy_.tenants) lives[tenant.name] = tenant.suppress.bounce;
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
