#include "ingest/ingest_metrics.h"

#include "ingest/admission.h"
#include "ingest/handoff.h"

namespace sluice::ingest {

using telemetry::Label;

IngestMetrics::IngestMetrics(telemetry::Metrics& metrics)
    : submissions_(metrics.AddCounters(
          "sluice_ingest_submissions_total",
          "Submissions answered, by gRPC code and OK ones by whether they were new.",
          {Label::kResult})),
      accepted_(submissions_.With({"accepted"})),
      repeated_(submissions_.With({"repeated"})),
      refused_recipients_(
          metrics.AddCounter("sluice_ingest_refused_recipients_total",
                             "Recipients refused of submissions that were accepted.")),
      received_bytes_(metrics.AddCounter("sluice_ingest_received_bytes_total",
                                         "Bytes of submissions received, before compression.")),
      submit_seconds_(metrics.AddHistogram("sluice_ingest_submit_seconds",
                                           "From a Submit call's arrival to its answer.")),
      submit_stream_seconds_(
          metrics.AddHistogram("sluice_ingest_frame_seconds",
                               "From the arrival of a SubmitStream frame to its answer.")),
      commit_seconds_(
          metrics.AddHistogram("sluice_ingest_commit_seconds",
                               "Group commits, from the first statement to the answer of COMMIT.")),
      commit_messages_(metrics.AddHistogram("sluice_ingest_commit_messages_count",
                                            "Messages in one group commit.",
                                            {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000})),
      queries_(metrics.AddCounters("sluice_ingest_queries_total",
                                   "GetMessage, Cancel and Subscribe calls answered.",
                                   {Label::kMethod, Label::kCode})),
      malformed_traceparents_(metrics.AddCounter("sluice_ingest_malformed_traceparents_total",
                                                 "Calls whose traceparent was ignored.")) {}

void IngestMetrics::OnAnswered(std::string_view method, const std::vector<SubmitOutcome>& outcomes,
                               Duration took) {
  int64_t accepted = 0;
  int64_t refused = 0;
  for (const SubmitOutcome& outcome : outcomes) {
    if (const auto* error = std::get_if<SubmitError>(&outcome)) {
      submissions_.With({absl::StatusCodeToString(error->code)}).Add();
      continue;
    }
    const auto& answer = std::get<SubmitAnswer>(outcome);
    if (answer.repeated) {
      repeated_.Add();
    } else {
      ++accepted;
      refused += static_cast<int64_t>(answer.refused.size());
    }
  }
  if (accepted > 0) accepted_.Add(accepted);
  if (refused > 0) refused_recipients_.Add(refused);
  (method == "submit" ? submit_seconds_ : submit_stream_seconds_).Observe(took);
}

void IngestMetrics::OnCommit(Duration took, size_t messages) {
  commit_seconds_.Observe(took);
  commit_messages_.Observe(static_cast<double>(messages));
}

void IngestMetrics::OnQuery(std::string_view method, std::string_view code) {
  queries_.With({method, code}).Add();
}

void IngestMetrics::Watch(telemetry::Metrics& metrics, const Admission& admission,
                          const Handoff& handoff) {
  metrics.AddComputed("sluice_ingest_held_bytes_count",
                      "Bytes of submissions between their arrival and their answer.",
                      [&admission] { return static_cast<double>(admission.held_bytes()); });
  const auto counter = [&](std::string name, std::string help, const std::atomic<int64_t>& value) {
    metrics.AddComputed(std::move(name), std::move(help),
                        [&value] { return static_cast<double>(value.load()); });
  };
  const Handoff::Counts& counts = handoff.counts();
  counter("sluice_ingest_handed_batches_total", "Batches queued for their shard's owner.",
          counts.handed_batches);
  counter("sluice_ingest_stripped_batches_total",
          "Of those, batches queued without their content, for lack of room.",
          counts.stripped_batches);
  counter("sluice_ingest_dropped_batches_total",
          "Batches left for the owner to find: it is unknown or too slow.", counts.dropped_batches);
}

}  // namespace sluice::ingest
