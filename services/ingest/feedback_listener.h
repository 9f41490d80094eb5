// Bounces and complaints that come by SMTP (net/smtp_listener.h): each is read, matched and recorded
// before it is answered; what is nothing of ours is taken and dropped, with a count.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "storage/feedback_intake.h"
#include "telemetry/metrics.h"

namespace sluice::ingest {

struct FeedbackListenerSettings {
  std::string listen = {};  // Empty = no listener.
  std::string host_name = "localhost";
  // Recipients' domains that are taken: those of the return paths and of the feedback loops.
  std::vector<std::string> domains = {};
  int64_t connections = 100;
  int64_t connections_per_peer = 10;
  int64_t messages_per_second = 200;
  int64_t message_kb = 1'024;
};

class FeedbackListener {
 public:
  virtual ~FeedbackListener() = default;
  virtual const std::string& address() const = 0;
};
// The references must outlive it.
absl::StatusOr<std::unique_ptr<FeedbackListener>> StartFeedbackListener(
    const FeedbackListenerSettings& settings, const storage::FeedbackIntake& intake,
    telemetry::Metrics& metrics, const Clock& clock, const Logger& log);

}  // namespace sluice::ingest
