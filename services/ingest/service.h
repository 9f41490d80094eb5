// The ingest service as a whole: its configuration, and its life from start to SIGTERM.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/shutdown.h"
#include "ingest/feedback_listener.h"
#include "wire/credentials.h"
#include "wire/health_server.h"

namespace sluice::ingest {

struct Settings {
  std::string postgres_url;
  bool require_sync_standby = false;
  std::vector<std::string> listen = {"127.0.0.1:8025"};
  wire::CredentialsConfig credentials;
  std::string metrics_listen = "127.0.0.1:9025";
  bool log_json = false;
  wire::HealthOptions health;
  // Towards schedulers.
  wire::CredentialsConfig intake_credentials;

  int64_t workers = 2;
  int64_t writers = 2;
  Duration gather = std::chrono::milliseconds(3);
  int64_t batch_recipients = 1'000;
  int64_t batch_mb = 4;
  int64_t held_mb = 256;
  int64_t tenant_held_mb = 160;
  int64_t handoff_mb = 32;
  int64_t content_mb = 50;
  bool normalise_line_ends = true;
  bool allow_address_literals = false;
  Duration refresh = std::chrono::seconds(1);
  Duration grace = std::chrono::seconds(20);
  // Bounces and complaints by SMTP.
  FeedbackListenerSettings feedback;
  std::string token_file;

  // This object must outlive `config`.
  void Bind(Config& config);
};

// Returns when asked to stop and everything taken is answered, or with the reason why it could not
// start.
absl::Status RunIngest(const Settings& settings, ShutdownSignal& shutdown);

}  // namespace sluice::ingest
