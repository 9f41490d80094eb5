#include "scheduler/warmup_service.h"

#include "base/status.h"

namespace sluice::scheduler {

WarmupService::WarmupService(const storage::ConnectionOptions& connection, telemetry::Metrics& metrics, Mailbox& mailbox,
                             const Clock& clock, const Logger& log)
    : grant_pool_(connection, 1),
      pool_(connection, 2),
      grants_(storage::MakeWarmupLedger(grant_pool_)),
      ledger_(storage::MakeWarmupLedger(pool_)),
      store_(storage::MakeWarmupStore(pool_)),
      events_(storage::MakeEventInbox(pool_)),
      metrics_(metrics),
      keeper_(*ledger_, *store_, *events_, metrics_, clock, log),
      mailbox_(mailbox) {}

absl::Status WarmupService::SetCalendar(const Options& options) {
  if (options.warmup_day.count() > 0 && !options.testing) {
    return absl::InvalidArgumentError("warmup.day shortens the days of warmup: only tests may, with testing: true");
  }
  if (options.warmup_zone.empty() && options.warmup_day.count() == 0) return absl::OkStatus();
  return ledger_->SetCalendar(options.warmup_zone.empty() ? "UTC" : options.warmup_zone, options.warmup_day);
}

absl::Status WarmupService::Round(Core& core, const PolicyDocument& policy, bool has_control) {
  ASSIGN_OR_RETURN(WarmupView view, keeper_.Follow(policy));
  mailbox_.Post([&core, view = std::move(view)]() mutable { core.SetWarmup(std::move(view.sources), view.day); });
  return has_control ? keeper_.Tick(policy) : absl::OkStatus();
}

}  // namespace sluice::scheduler
