#include "egress/metrics.h"

namespace sluice::egress {

using telemetry::Label;

EgressMetrics::EgressMetrics(telemetry::Metrics& metrics)
    : attempts(metrics.AddCounters("sluice_egress_attempts_total",
                                   "Attempts that ended, by what they ended in.",
                                   {Label::kProvider, Label::kDisposition})),
      reply_classes(metrics.AddCounters("sluice_egress_refusals_total",
                                        "Attempts that were not delivered, by reply class.",
                                        {Label::kReplyClass})),
      possible_duplicates(
          metrics.AddCounter("sluice_egress_possible_duplicates_total",
                             "Attempts whose content was sent and whose reply never came.")),
      attempt_seconds(metrics.AddHistogram("sluice_egress_attempt_duration_seconds",
                                           "From the begin of a transaction to its verdict.")),
      returns(metrics.AddCounters("sluice_egress_returns_total",
                                  "Entries given back without an attempt, by reason.",
                                  {Label::kResult})),
      connections_opened(metrics.AddCounters(
          "sluice_egress_connections_opened_total",
          "Tries to open a connection of a path, all hosts together.", {Label::kResult})),
      connections(metrics.AddGauge("sluice_egress_connections_count",
                                   "SMTP connections open or being opened.")),
      ready(metrics.AddGauge("sluice_egress_ready_count",
                             "Entries that wait for a connection of their path.")),
      paths(metrics.AddGauge("sluice_egress_paths_count", "Paths (source, site) in memory.")),
      limit_waits(metrics.AddCounter("sluice_egress_limit_waits_total",
                                     "Times a path had mail and a rate let none of it begin.")),
      reactions(metrics.AddCounters("sluice_egress_reactions_total",
                                    "What was done about replies, by rules and by the rate control.", {Label::kResult})),
      sessions_lost(metrics.AddCounter("sluice_egress_sessions_lost_total",
                                       "Sessions with a scheduler that ended.")),
      held(
          metrics.AddGauge("sluice_egress_held_count",
                           "Entries on loan: ready, in flight, or reported and not acknowledged.")),
      in_flight(metrics.AddGauge("sluice_egress_in_flight_count", "Transactions under way.")),
      reports_unacked(metrics.AddGauge("sluice_egress_reports_unacked_count",
                                       "Reports that no scheduler has acknowledged yet.")),
      content_bytes(metrics.AddGauge("sluice_egress_content_bytes_count",
                                     "Bytes of content in memory, as they came.")),
      contents(metrics.AddGauge("sluice_egress_contents_count", "Contents in memory.")),
      content_waiting(metrics.AddGauge("sluice_egress_content_waiting_count",
                                       "Entries that wait for a content that was asked for.")),
      sessions(metrics.AddGauge("sluice_egress_sessions_count", "Schedulers connected.")),
      leases(metrics.AddGauge("sluice_egress_leases_count",
                              "Schedulers on whose behalf transactions may begin now.")),
      sources_assigned(metrics.AddGauge("sluice_egress_sources_assigned_count",
                                        "Sources assigned to this egress.")),
      sources_bound(metrics.AddGauge("sluice_egress_sources_bound_count",
                                     "Assigned sources that this host can bind.")),
      keys_missing(metrics.AddGauge("sluice_egress_dkim_keys_missing_count",
                                    "DKIM keys that must sign and cannot be used: their mail waits.")) {}

telemetry::Counter& AttemptCounters::Of(EgressMetrics& metrics, std::string_view provider,
                                        Disposition disposition) {
  if (provider != provider_) {
    provider_ = provider;
    counters_ = {};
  }
  telemetry::Counter*& counter = counters_[static_cast<size_t>(disposition)];
  if (counter == nullptr) counter = &metrics.attempts.With({provider, ToString(disposition)});
  return *counter;
}

}  // namespace sluice::egress
