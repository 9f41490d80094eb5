// The numbers of ingest. Each name is described in deploy/docs/metrics.md.
#pragma once

#include <string_view>
#include <vector>

#include "base/clock.h"
#include "ingest/submission.h"
#include "telemetry/metrics.h"

namespace sluice::ingest {

class Admission;
class GroupCommit;
class Handoff;

// Thread-safe.
class IngestMetrics {
 public:
  explicit IngestMetrics(telemetry::Metrics& metrics);

  // The answer to one request, `took` from its arrival; `method` is submit or submit_stream.
  void OnAnswered(std::string_view method, const std::vector<SubmitOutcome>& outcomes,
                  Duration took);
  void OnReceived(size_t bytes) { received_bytes_.Add(static_cast<int64_t>(bytes)); }
  void OnMalformedTraceparent() { malformed_traceparents_.Add(); }
  void OnCommit(Duration took, size_t messages);
  void OnQuery(std::string_view method, std::string_view code);

  // Numbers that are kept elsewhere and read at each scrape; the objects must outlive the scraping.
  static void Watch(telemetry::Metrics& metrics, const Admission& admission,
                    const Handoff& handoff);

 private:
  telemetry::Family<telemetry::Counter>& submissions_;
  telemetry::Counter& accepted_;
  telemetry::Counter& repeated_;
  telemetry::Counter& refused_recipients_;
  telemetry::Counter& received_bytes_;
  telemetry::Histogram& submit_seconds_;
  telemetry::Histogram& submit_stream_seconds_;
  telemetry::Histogram& commit_seconds_;
  telemetry::Histogram& commit_messages_;
  telemetry::Family<telemetry::Counter>& queries_;
  telemetry::Counter& malformed_traceparents_;
};

}  // namespace sluice::ingest
