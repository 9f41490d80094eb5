#include "scheduler/control/warmup_metrics.h"

namespace sluice::scheduler {

using telemetry::Label;

WarmupMetrics::WarmupMetrics(telemetry::Metrics& metrics)
    : stage(metrics.AddGauges("sluice_warmup_stage_count", "Stage of the plan; 0 = cold, one past the last = warm.",
                              {Label::kSource, Label::kProvider})),
      cap(metrics.AddGauges("sluice_warmup_cap_count", "Attempts allowed today; -1 = no cap.", {Label::kSource, Label::kProvider})),
      used(metrics.AddGauges("sluice_warmup_used_count", "Grants of today drawn and not returned.",
                             {Label::kSource, Label::kProvider})),
      accepted(metrics.AddGauges("sluice_warmup_accepted_count", "Recipients accepted today.", {Label::kSource, Label::kProvider})),
      decisions(metrics.AddCounters("sluice_warmup_decisions_total", "Judgements by result.", {Label::kResult})),
      wait(metrics.AddHistogram("sluice_warmup_wait_seconds", "From due to release, of entries that left on a grant.",
                                {0.1, 1, 10, 60, 300, 1'800, 3'600, 10'800, 21'600, 43'200, 86'400, 172'800, 345'600})) {}

}  // namespace sluice::scheduler
