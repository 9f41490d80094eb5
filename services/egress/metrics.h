// The numbers of egress, as deploy/docs/metrics.md explains them.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "mail/disposition.h"
#include "telemetry/metrics.h"

namespace sluice::egress {

struct EgressMetrics {
  explicit EgressMetrics(telemetry::Metrics& metrics);

  telemetry::Family<telemetry::Counter>& attempts;       // provider, disposition
  telemetry::Family<telemetry::Counter>& reply_classes;  // reply_class
  telemetry::Counter& possible_duplicates;
  telemetry::Histogram& attempt_seconds;
  telemetry::Family<telemetry::Counter>& returns;             // result: the reason
  telemetry::Family<telemetry::Counter>& connections_opened;  // result: ok, failed, bind_failed
  telemetry::Gauge& connections;
  telemetry::Gauge& ready;
  telemetry::Gauge& paths;
  telemetry::Counter& limit_waits;
  telemetry::Family<telemetry::Counter>& reactions;  // result: what was done
  telemetry::Counter& sessions_lost;
  // Set a few times a second.
  telemetry::Gauge& held;
  telemetry::Gauge& in_flight;
  telemetry::Gauge& reports_unacked;
  telemetry::Gauge& content_bytes;
  telemetry::Gauge& contents;
  telemetry::Gauge& content_waiting;
  telemetry::Gauge& sessions;
  telemetry::Gauge& leases;
  telemetry::Gauge& sources_assigned;
  telemetry::Gauge& sources_bound;
  telemetry::Gauge& keys_missing;
};

// The counters of one provider's attempts, looked up once: finding a series costs more than
// counting. Belongs to one thread.
class AttemptCounters {
 public:
  telemetry::Counter& Of(EgressMetrics& metrics, std::string_view provider,
                         Disposition disposition);

 private:
  std::string provider_;
  std::array<telemetry::Counter*, 3> counters_{};  // by disposition; null: not looked up
};

}  // namespace sluice::egress
