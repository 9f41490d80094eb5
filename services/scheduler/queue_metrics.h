// What waits and what holds it back, as /metrics shows it.
#pragma once

#include <functional>

#include "base/clock.h"
#include "scheduler/core.h"
#include "telemetry/metrics.h"

namespace sluice::scheduler {

// `snapshot` is asked at each scrape, on the scraper's thread; it and `clock` must outlive the scraping.
void RegisterQueue(telemetry::Metrics& metrics, std::function<CoreSnapshot()> snapshot, const Clock& clock);

}  // namespace sluice::scheduler
