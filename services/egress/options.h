// The configuration of egress.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config.h"
#include "net/tls.h"
#include "smtp/timeouts.h"
#include "wire/credentials.h"
#include "wire/health_server.h"

namespace sluice::egress {

struct EgressOptions {
  std::string egress_id;  // default: the host's name
  std::vector<std::string> schedulers = {"127.0.0.1:7101"};
  wire::CredentialsConfig dispatch;
  std::vector<std::string> bind_addresses;
  std::vector<std::string> dns_forwarders;
  std::string dns_trust_anchors;
  std::string lock_directory = "/tmp";
  int64_t io_threads = 0;  // 0 = one a core, at most four
  int64_t credit_entries = 2000;
  int64_t credit_bytes = int64_t{256} << 20;
  int64_t connections = 4000;
  bool testing = false;

  int64_t smtp_port = 25;
  bool smtp_starttls = true;
  std::string secret_directory = "/etc/sluice/secrets";
  TlsClientOptions smtp_tls;
  bool mta_sts = true;
  int64_t mta_sts_port = 443;
  SmtpTimeouts timeouts;

  std::string key_directory = "/etc/sluice/dkim";
  int64_t signer_threads = 0;  // 0 = half the cores
  std::string token_file;      // empty: no tokens can be made

  wire::HealthOptions health = {.listen = "127.0.0.1:7104", .credentials = {}};
  std::string metrics_listen = "127.0.0.1:9103";
  std::string log_level = "info";
  std::string delivery_log = "stderr";
  bool redact_recipients = false;
  bool log_json = false;

  Duration drain_grace = std::chrono::seconds(3);
  Duration drain_past_dot = std::chrono::seconds(90);
  Duration drain_reports = std::chrono::seconds(10);

  EgressOptions();
  void Bind(Config& config);
};

}  // namespace sluice::egress
