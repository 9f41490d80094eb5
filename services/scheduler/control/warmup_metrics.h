// Warmup as /metrics shows it; stage, cap, used and accepted are those of the owner of `control`.
#pragma once

#include <string>

#include "telemetry/metrics.h"

namespace sluice::scheduler {

struct WarmupMetrics {
  explicit WarmupMetrics(telemetry::Metrics& metrics);
  telemetry::Family<telemetry::Gauge>&stage, &cap, &used, &accepted;
  telemetry::Family<telemetry::Counter>& decisions;
  telemetry::Histogram& wait;
};

}  // namespace sluice::scheduler
