#include "ingest/feedback_listener.h"

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "mail/domain.h"
#include "net/smtp_listener.h"

namespace sluice::ingest {
namespace {

class Listener final : public FeedbackListener {
 public:
  Listener(const storage::FeedbackIntake& intake, telemetry::Metrics& metrics, const Clock& clock,
           const Logger& log)
      : intake_(intake),
        clock_(clock),
        log_(log),
        messages_(metrics.AddCounters("sluice_ingest_feedback_messages_total",
                                      "Reports that came by mail.", {telemetry::Label::kResult})) {}

  absl::Status Start(const FeedbackListenerSettings& settings, telemetry::Metrics& metrics) {
    SmtpListenerOptions options;
    options.listen = settings.listen;
    options.rules.host_name = settings.host_name;
    options.rules.most_bytes = static_cast<size_t>(settings.message_kb) << 10;
    options.rules.accepts = [domains = settings.domains](std::string_view domain) {
      return std::find(domains.begin(), domains.end(), domain) != domains.end();
    };
    options.most_connections = static_cast<int>(settings.connections);
    options.most_connections_per_peer = static_cast<int>(settings.connections_per_peer);
    options.most_messages_per_second = static_cast<int>(settings.messages_per_second);
    ASSIGN_OR_RETURN(listener_,
                     StartSmtpListener(std::move(options),
                                       [this](const ReceivedMail& mail) { return Take(mail); }, clock_, log_));
    metrics.AddComputed("sluice_ingest_feedback_refused_connections_total",
                        "Connections of reporters beyond the bounds.",
                        [this] { return static_cast<double>(listener_->refused_connections()); });
    return absl::OkStatus();
  }

  const std::string& address() const override { return listener_->address(); }

 private:
  std::string Take(const ReceivedMail& mail) {
    bool is_down = false;
    for (const std::string& to : mail.to) {
      const auto outcome = intake_.TakeMessage(mail.content, to, mail.from, clock_.Now());
      if (!outcome.ok()) {
        log_.Warn("feedback_not_recorded", {{"error", View(outcome.status().message())}});
        messages_.With({"failed"}).Add(1);
        is_down = true;
        continue;
      }
      const std::string result = outcome->fate == storage::FeedbackFate::kDropped
                                     ? Cat("dropped_", ToString(outcome->kind))
                                     : std::string(ToString(outcome->fate));
      messages_.With({result}).Add(1);
      log_.Info("feedback", {{"kind", ToString(outcome->kind)}, {"result", result}});
    }
    // Recording is idempotent: the peer may send it again.
    return is_down ? "451 4.3.0 cannot record it now, send it again" : "250 2.0.0 taken";
  }

  const storage::FeedbackIntake& intake_;
  const Clock& clock_;
  const Logger& log_;
  telemetry::Family<telemetry::Counter>& messages_;
  std::unique_ptr<SmtpListener> listener_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FeedbackListener>> StartFeedbackListener(
    const FeedbackListenerSettings& settings, const storage::FeedbackIntake& intake,
    telemetry::Metrics& metrics, const Clock& clock, const Logger& log) {
  if (settings.domains.empty()) {
    return absl::InvalidArgumentError(
        "feedback.domains is empty: name the domains of your return paths and feedback loops");
  }
  FeedbackListenerSettings canonical = settings;
  for (std::string& domain : canonical.domains) {
    ASSIGN_OR_RETURN(domain, NormaliseDomain(domain));
  }
  auto listener = std::make_unique<Listener>(intake, metrics, clock, log);
  RETURN_IF_ERROR(listener->Start(canonical, metrics));
  return listener;
}

}  // namespace sluice::ingest
