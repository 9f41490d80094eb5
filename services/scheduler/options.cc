#include "scheduler/options.h"

namespace sluice::scheduler {

void Options::Bind(Config& config) {
  config.Bind("id", id, "Name of this scheduler in status and logs; default host name and process id.");
  config.Bind("postgres.url", postgres_url, "libpq connection string of the primary.");
  config.Bind("postgres.require_sync_standby", require_sync_standby,
              "Not ready while PostgreSQL commits without a synchronous standby.");
  config.Bind("migrate_only", migrate_only, "Bring the schema up to date and end.");
  config.Bind("shards", shards, 1, 127, "Shards to create in a new database; an existing number is never changed.");
  config.Bind("dispatch.listen", dispatch_listen, "Where egresses dial in.");
  config.Bind("intake.listen", intake_listen, "Where ingest hands off.");
  config.Bind("intake.endpoint", intake_endpoint, "What ingest dials to reach intake.listen; default the same.");
  config.Bind("admin.listen", admin_listen, "Where sluicectl dials in.");
  config.Bind("admin.endpoint", admin_endpoint, "What sluicectl dials to reach admin.listen; default the same.");
  config.Bind("metrics.listen", metrics_listen, "HTTP address of /metrics; empty = none.");
  config.Bind("log.json", log_json, "One JSON object a line instead of logfmt.");
  internal.Bind(config, "internal");
  admin.Bind(config, "admin.tls");
  health.Bind(config);
  config.Bind("dns.forwarders", dns_forwarders, "ADDR@PORT of resolvers; default the system's.");
  config.Bind("token.file", token_file, "Secrets of the tokens in return paths and headers, as egress has them.");
  config.Bind("reputation.polls", reputation.polls, "Ask blocklists, DNS, SNDS and Postmaster Tools; off: only replies and feedback count.");
  config.Bind("reputation.resolvers", reputation.resolvers,
              "ADDR@PORT of the resolver that asks blocklists; public ones are refused by them. Default dns.forwarders.");
  config.Bind("reputation.lists_on", reputation.lists_on, "Blocklists (zones) asked beside those that are on as shipped.");
  config.Bind("reputation.lists_off", reputation.lists_off, "Blocklists that are not asked.");
  config.Bind("reputation.keys_file", reputation.keys_file, "Lines `ZONE KEY`: keys of blocklists that give one.");
  config.Bind("reputation.lists_every", reputation.lists_every, "How often blocklists are asked.");
  config.Bind("reputation.confirm_after", reputation.confirm_after, "A listing counts when it is answered again so much later.");
  config.Bind("reputation.dns_every", reputation.dns_every, "How often reverse DNS, EHLO names, SPF, DMARC and DKIM records are looked at.");
  config.Bind("reputation.ca_file", reputation.ca_file, "PEM of authorities that SNDS and Postmaster Tools are verified by; default the system's.");
  config.Bind("reputation.snds.credentials_file", reputation.snds_credentials_file,
              "JSON with client_id and refresh_token for SNDS. Empty = not asked.");
  config.Bind("reputation.snds.links_file", reputation.snds_links_file, "Instead: two lines, the automated data link and status link.");
  config.Bind("reputation.snds.url", reputation.snds_url, "Base of the REST interface.");
  config.Bind("reputation.snds.token_url", reputation.snds_token_url, "Where its access tokens come from.");
  config.Bind("reputation.snds.every", reputation.snds_every, "How often SNDS is asked.");
  config.Bind("reputation.postmaster.credentials_file", reputation.postmaster_credentials_file,
              "JSON with client_id, client_secret and refresh_token for Google Postmaster Tools. Empty = not asked.");
  config.Bind("reputation.postmaster.url", reputation.postmaster_url, "Base of the API.");
  config.Bind("reputation.postmaster.token_url", reputation.postmaster_token_url, "Where its access tokens come from.");
  config.Bind("reputation.postmaster.every", reputation.postmaster_every, "How often Postmaster Tools is asked.");
  config.Bind("lease", lease, "Length of a shard lease: how long a frozen scheduler delays its shards.");
  config.Bind("most_shards", most_shards, 0, 127, "Shards this process takes at most; 0 = control only.");
  config.Bind("content_budget_mb", content_budget_mb, 1, 1 << 20, "Contents kept in memory, in MB.");
  config.Bind("drain", drain, "At most this long for begun transactions on SIGTERM.");
  config.Bind("content_partition.mb", content_partition_mb, 64, 1 << 20, "A content partition is closed at this size.");
  config.Bind("testing", testing, "Allows what would be wrong in production: short days of warmup.");
  config.Bind("warmup.zone", warmup_zone, "Time zone of warmup's days, for the whole system; default as it stands, at first UTC.");
  config.Bind("warmup.day", warmup_day, "Length of a warmup day, in tests only.");
  config.Bind("content_partition.age", content_partition_age, "A content partition is closed at this age.");
  config.Bind("content_partition.drop_after", content_partition_drop_after,
              "A closed content partition that no entry names is dropped after this.");
}

}  // namespace sluice::scheduler
