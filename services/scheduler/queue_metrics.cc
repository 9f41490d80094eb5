#include "scheduler/queue_metrics.h"

#include <algorithm>

namespace sluice::scheduler {

void RegisterQueue(telemetry::Metrics& metrics, std::function<CoreSnapshot()> snapshot, const Clock& clock) {
  using telemetry::Label;
  const auto each = [&](std::string name, std::string help, auto value) {
    metrics.AddComputedGauges(std::move(name), std::move(help), {Label::kPool, Label::kProvider},
                              [snapshot, value](const telemetry::Metrics::Emit& emit) {
                                const QueueDepths depths = snapshot().queue;
                                if (depths == nullptr) return;
                                for (const QueueDepth& depth : *depths) emit({depth.pool, depth.provider}, value(depth));
                              });
  };
  each("sluice_queue_entries_count", "Entries in the queue, by pool and provider.",
       [](const QueueDepth& depth) { return static_cast<double>(depth.entries); });
  each("sluice_queue_oldest_age_seconds", "Since the oldest of them was accepted.", [&clock](const QueueDepth& depth) {
    return std::max(0.0, std::chrono::duration<double>(clock.Now() - depth.oldest).count());
  });
  metrics.AddComputedGauges("sluice_constraints_count", "Constraints in force, by cause.", {Label::kResult},
                            [snapshot](const telemetry::Metrics::Emit& emit) {
                              const CoreSnapshot now = snapshot();
                              for (const auto& [cause, count] : now.constraints) {
                                emit({ToString(cause)}, static_cast<double>(count));
                              }
                            });
}

}  // namespace sluice::scheduler
