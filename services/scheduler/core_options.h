// What the core is told once, at its start.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace sluice::scheduler {

struct CoreOptions {
  int64_t content_budget_bytes = 512LL << 20;
  Duration dispatch_lease = std::chrono::seconds(10);    // Given out again after this silence of an egress.
  Duration egress_lease = std::chrono::seconds(5);       // Egress begins nothing after this silence of ours.
  Duration takeover_wait = std::chrono::seconds(12);     // For inventories of egresses that do not come.
  Duration settle_lag = std::chrono::seconds(2);         // Releases stop when settling is behind this far …
  size_t settle_backlog = 20'000;                        // … or this many.
  size_t settle_batch = 2'000;
  // Kinds of mail (campaign, sender domain, tags), and recipient domains, that are known beyond twice as many as there are entries.
  size_t most_idle_facts = 100'000, most_idle_domains = 500'000;
  // While high-priority mail comes in: what it waits for, the processors and the log, is held for no longer than this takes.
  size_t settle_batch_beside_high = 200;
  // … and so much of the time that a settlement took passes before the next: what has no processor of its own waits less.
  double settle_rest_beside_high = 0.5;
  uint64_t seed = 1;  // Jitter and attempt ids.
};

}  // namespace sluice::scheduler
