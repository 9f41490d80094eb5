// Brings a database to the schema this binary was built with. The numbered files of migrations/ are
// part of the binary; they only go forward, and one that was applied must never change afterwards.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "storage/connection.h"

namespace sluice::storage {

struct MigrateOptions {
  // Shards to create when the database has none; an existing number is never changed. 1..127.
  int shards = 16;
};

// Applies what is missing in one transaction, and creates what the services need to start: shards,
// the control lease, a first content partition, event partitions for a week. Several processes may
// call it at once. FailedPrecondition: the database is newer than this binary, or an applied file
// has changed.
absl::Status Migrate(const ConnectionOptions& options, const MigrateOptions& migrate, Instant now);

// FailedPrecondition when Migrate would have something to apply or would refuse.
absl::Status CheckSchema(const ConnectionOptions& options);

struct Migration {
  int number;
  std::string_view name, sql;
};
// In order of number; generated at build time.
const std::vector<Migration>& Migrations();

}  // namespace sluice::storage
