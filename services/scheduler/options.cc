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
  internal.Bind(config, "internal");
  admin.Bind(config, "admin.tls");
  health.Bind(config);
  config.Bind("dns.forwarders", dns_forwarders, "ADDR@PORT of resolvers; default the system's.");
  config.Bind("token.file", token_file, "Secrets of the tokens in return paths and headers, as egress has them.");
  config.Bind("lease", lease, "Length of a shard lease: how long a frozen scheduler delays its shards.");
  config.Bind("most_shards", most_shards, 0, 127, "Shards this process takes at most; 0 = control only.");
  config.Bind("content_budget_mb", content_budget_mb, 1, 1 << 20, "Contents kept in memory, in MB.");
  config.Bind("drain", drain, "At most this long for begun transactions on SIGTERM.");
  config.Bind("content_partition.mb", content_partition_mb, 64, 1 << 20, "A content partition is closed at this size.");
  config.Bind("testing", testing, "Allows what would be wrong in production: short days of warmup.");
  config.Bind("warmup.zone", warmup_zone, "Time zone of warmup's days, for the whole system; default as it stands, at first UTC.");
  config.Bind("warmup.day", warmup_day, "Length of a warmup day, in tests only.");
  config.Bind("content_partition.age", content_partition_age, "A content partition is closed at this age.");
}

}  // namespace sluice::scheduler
