// The numbers of egress, as deploy/docs/metrics.md explains them.
#pragma once

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
};

}  // namespace sluice::egress
