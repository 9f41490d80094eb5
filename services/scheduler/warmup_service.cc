#include "scheduler/warmup_service.h"

#include "base/status.h"

namespace sluice::scheduler {

WarmupService::WarmupService(std::string id, const storage::ConnectionOptions& connection, telemetry::Metrics& metrics,
                             Mailbox& mailbox, const Clock& clock, const Logger& log)
    : id_(std::move(id)),
      grant_pool_(connection, 1),
      pool_(connection, 2),
      grants_(storage::MakeWarmupLedger(grant_pool_)),
      ledger_(storage::MakeWarmupLedger(pool_)),
      store_(storage::MakeWarmupStore(pool_)),
      events_(storage::MakeEventInbox(pool_)),
      metrics_(metrics),
      keeper_(*ledger_, *store_, *events_, metrics_, clock, log),
      mailbox_(mailbox),
      clock_(clock) {}

absl::Status WarmupService::SetCalendar(const Options& options) {
  if (options.warmup_day.count() > 0 && !options.testing) {
    return absl::InvalidArgumentError("warmup.day shortens the days of warmup: only tests may, with testing: true");
  }
  if (options.warmup_zone.empty() && options.warmup_day.count() == 0) return absl::OkStatus();
  return ledger_->SetCalendar(options.warmup_zone.empty() ? "UTC" : options.warmup_zone, options.warmup_day);
}

absl::Status WarmupService::Round(Core& core, const PolicyDocument& policy, bool has_control) {
  ASSIGN_OR_RETURN(WarmupView view, keeper_.Follow(policy));
  const auto follow = [&core, view = std::move(view)]() mutable {
    core.SetWarmup(std::move(view.sources), view.day);
    return core.WarmupWaiting();
  };
  const std::optional<Waiting> waiting = mailbox_.Ask(std::move(follow), kTellEvery);
  RETURN_IF_ERROR(has_control ? keeper_.Tick(policy) : absl::OkStatus());
  if (!waiting) return absl::DeadlineExceededError("the core does not answer");
  return Tell(*waiting);
}

absl::Status WarmupService::Tell(const Waiting& waiting) {
  const SteadyInstant steady = clock_.Steady();
  const bool again = !waiting.empty() && steady - told_at_ >= kTellAgain;
  if (!again && (waiting == told_ || steady - told_at_ < kTellEvery)) return absl::OkStatus();
  RETURN_IF_ERROR(store_->SetWaiting(id_, waiting));
  told_ = waiting;
  told_at_ = steady;
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
