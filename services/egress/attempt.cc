#include "egress/attempt.h"

#include <memory>
#include <string>
#include <utility>

#include "policy/classification.h"
#include "policy/reply_text.h"

namespace sluice::egress {
namespace {

Verdict Judge(const ReplyRules& rules, const Entry& entry, const AttemptFacts& facts) {
  if (facts.is_delivered) {
    Verdict delivered;
    delivered.disposition = Disposition::kDelivered;
    delivered.reply_class = ReplyClass::kNone;
    return delivered;
  }
  return rules.Classify(facts.reply, facts.stage,
                        {.provider = entry.provider.value(), .mx_host = facts.mx_host});
}

ReportPtr MakeReport(const Entry& entry, AttemptFacts& facts, const Verdict& verdict) {
  auto report = std::make_shared<Report>();
  report->entry = entry.id;
  report->message = entry.message;
  report->attempt_id = entry.attempt_id;
  report->attempt = entry.attempt;
  report->disposition = verdict.disposition;
  report->stage = facts.stage;
  report->reply_class = verdict.reply_class;
  report->reply_rule = verdict.rule;
  report->retry_after = verdict.retry_after.value_or(Duration::zero());
  report->reply = std::move(facts.reply);
  report->source = entry.source;
  report->mx_host = facts.mx_host;
  report->mx_address = facts.mx_address;
  if (facts.tls != nullptr) {
    report->tls_version = facts.tls->version;
    report->tls_cipher = facts.tls->cipher;
    report->tls_verified = facts.tls->peer_verified;
    report->tls_detail = facts.tls->why_not_verified;
  }
  report->started_at = facts.started_at;
  report->duration = facts.duration;
  report->times = facts.times;
  report->possible_duplicate = facts.is_unknown_after_dot;
  report->rcpt_sent = entry.is_rcpt_sent;
  return report;
}

void LogAttempt(telemetry::DeliveryLog& log, const Entry& entry, const Report& report) {
  const std::string reply = ToString(report.reply);
  const std::string times = ToString(report.times);
  log.Write({.queue_entry = entry.id.value(),
             .message = entry.message.value(),
             .attempt = entry.attempt,
             .tenant = entry.tenant.value(),
             .stream = entry.stream.value(),
             .campaign = entry.campaign.value(),
             .traceparent = entry.traceparent,
             .recipient = entry.recipient,
             .pool = entry.pool.value(),
             .source = entry.source.value(),
             .provider = entry.provider.value(),
             .site = entry.site.value(),
             .mx_host = report.mx_host,
             .mx_address = report.mx_address,
             .stage = ToString(report.stage),
             .disposition = ToString(report.disposition),
             .reply = reply,
             .reply_class = ToString(report.reply_class),
             .reply_rule = report.reply_rule,
             .tls = report.tls_version,
             .times = times,
             .duration = report.duration,
             .possible_duplicate = report.possible_duplicate});
}

void Count(EgressMetrics& metrics, AttemptCounters& counters, const Entry& entry,
           const Report& report) {
  counters.Of(metrics, entry.provider.value(), report.disposition).Add();
  metrics.attempt_seconds.Observe(report.duration);
  if (report.disposition != Disposition::kDelivered) {
    metrics.reply_classes.With({ToString(report.reply_class)}).Add();
  }
  if (report.possible_duplicate) metrics.possible_duplicates.Add();
}

std::string_view DomainOf(std::string_view address) {
  const size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
}

void React(const Surroundings& around, const Entry& entry, const AttemptFacts& facts, const Pace& pace, Verdict& verdict,
           std::string& rule, Concluded& concluded) {
  const std::string text = MatchText(facts.reply);
  concluded.reply = ToString(facts.reply);
  concluded.is_throttled = verdict.reply_class == ReplyClass::kThrottle &&
                           (verdict.scope == ReplyScope::kSourceProvider || verdict.scope == ReplyScope::kSource);
  const std::string& return_path = entry.content->fields().return_path;
  const Refusal refusal{.mail = {.source = entry.source.value(),
                                 .provider = entry.provider.value(),
                                 .pool = entry.pool.value(),
                                 .tenant = entry.tenant.value(),
                                 .stream = entry.stream.value(),
                                 .campaign = entry.campaign.value(),
                                 .domain = DomainOf(entry.recipient),
                                 .site = pace.site.value()},
                        .sender_domain = DomainOf(return_path),
                        .text = text,
                        .reply = concluded.reply,
                        .verdict = verdict};
  Automation::Outcome outcome = around.reactions.OnRefusal(refusal, pace.taken, pace.counts, around.clock.Now());
  if (outcome.transcode) {
    verdict.disposition = *outcome.transcode < 500 ? Disposition::kDeferred : Disposition::kBounced;
    verdict.is_transcoded = true;
    rule = std::move(outcome.rule);
    around.metrics.reactions.With({"transcode"}).Add();
  }
  if (outcome.retry_after && verdict.disposition == Disposition::kDeferred) {
    verdict.retry_after = outcome.retry_after;
    around.metrics.reactions.With({"retry_after"}).Add();
  }
  for (const Reaction& reaction : outcome.reactions) {
    around.metrics.reactions.With({reaction.value.suspend ? "suspend" : reaction.value.rate ? "slow" : "connections"}).Add();
    around.logger.Warn("reaction", {{"rule", reaction.rule}, {"scope", ToString(reaction.scope)},
                                    {"value", ToString(reaction.value)}, {"evidence", reaction.evidence}});
  }
  concluded.reactions = std::move(outcome.reactions);
}

}  // namespace

Concluded Conclude(const Surroundings& around, AttemptCounters& counters, const Entry& entry, AttemptFacts facts,
                   const Pace& pace) {
  const std::shared_ptr<const ReplyRules> rules = around.replies.Read();
  Verdict verdict = Judge(*rules, entry, facts);
  Concluded concluded{.is_delivered = facts.is_delivered};
  std::string by_automation;
  // What we say ourselves is no refusal.
  const bool is_refusal = !facts.is_delivered && facts.stage != Stage::kLocal && facts.stage != Stage::kDns && facts.reply.code != 0;
  if (is_refusal) React(around, entry, facts, pace, verdict, by_automation, concluded);
  if (!by_automation.empty()) verdict.rule = by_automation;
  const ReportPtr report = MakeReport(entry, facts, verdict);
  if (around.delivery_log != nullptr) LogAttempt(*around.delivery_log, entry, *report);
  Count(around.metrics, counters, entry, *report);
  around.custody.Report(entry, report);
  return concluded;
}

void GiveBack(const Surroundings& around, const Entry& entry, ReturnReason reason,
              std::string detail) {
  around.metrics.returns.With({ToString(reason)}).Add();
  around.custody.Return(entry, reason, std::move(detail));
}

}  // namespace sluice::egress
