// Counters that the core moves; read by the metrics endpoint. Relaxed atomics: written on the core's thread only.
#pragma once

#include <atomic>
#include <cstdint>

#include "telemetry/metrics.h"

namespace sluice::scheduler {

struct CoreMetrics {
  using Counter = std::atomic<int64_t>;
  Counter released{0}, returned{0}, requeued_lost{0}, fetched{0};
  Counter delivered{0}, deferred{0}, bounced{0}, expired{0}, cancelled{0}, held{0};
  Counter overflowed{0};
  Counter superseded{0}, late_deliveries{0}, suppressed{0};
  Counter handed_batches{0}, repeated_batches{0}, tailed_batches{0};
  Counter settle_transactions{0}, settle_failures{0};
  telemetry::Histogram* warmup_wait = nullptr;  // None: nobody asks.
  static void Add(Counter& counter, int64_t n = 1) { counter.fetch_add(n, std::memory_order_relaxed); }
};

}  // namespace sluice::scheduler
