// The scheduler's configuration.
#pragma once

#include <string>
#include <vector>

#include "base/config.h"
#include "scheduler/core.h"
#include "wire/credentials.h"
#include "wire/health_server.h"

namespace sluice::scheduler {

struct Options {
  std::string id;  // Default: host name and process id.
  std::string postgres_url;
  bool require_sync_standby = false;
  bool migrate_only = false;
  int64_t shards = 16;
  std::string dispatch_listen = "127.0.0.1:7101";
  std::string intake_listen = "127.0.0.1:7102";
  // What ingest dials; default: intake_listen with its real port.
  std::string intake_endpoint;
  std::string admin_listen = "127.0.0.1:7103";
  std::string admin_endpoint;
  std::string metrics_listen = "127.0.0.1:9102";
  bool log_json = false;
  wire::CredentialsConfig internal, admin;
  wire::HealthOptions health;
  std::vector<std::string> dns_forwarders;
  std::string token_file;
  // Blocklists and the like.
  struct Reputation {
    bool polls = true;
    std::vector<std::string> resolvers, lists_on, lists_off;
    std::string keys_file;
    Duration lists_every = std::chrono::minutes(15), confirm_after = std::chrono::minutes(5), dns_every = std::chrono::hours(1);
    std::string ca_file;
    std::string snds_credentials_file, snds_links_file;
    std::string snds_url = "https://substrate.office.com/ip-domain-management-snds";
    std::string snds_token_url = "https://login.microsoftonline.com/consumers/oauth2/v2.0/token";
    Duration snds_every = std::chrono::hours(6);
    std::string postmaster_credentials_file;
    std::string postmaster_url = "https://gmailpostmastertools.googleapis.com";
    std::string postmaster_token_url = "https://oauth2.googleapis.com/token";
    Duration postmaster_every = std::chrono::hours(24);
  } reputation;
  Duration lease = std::chrono::seconds(10);
  int64_t most_shards = 127;
  int64_t content_budget_mb = 512;
  Duration drain = std::chrono::seconds(20);
  int64_t content_partition_mb = 16384;
  Duration content_partition_age = std::chrono::hours(6);
  Duration content_partition_drop_after = std::chrono::hours(1);
  bool testing = false;
  std::string warmup_zone;
  Duration warmup_day{0};  // Zero = calendar days.

  void Bind(Config& config);
};

}  // namespace sluice::scheduler
