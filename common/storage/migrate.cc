#include "storage/migrate.h"

#include <xxhash.h>

#include <map>

#include "base/status.h"
#include "base/text.h"
#include "mail/ids.h"
#include "storage/in_transaction.h"
#include "storage/partitions.h"
#include "storage/rows.h"
#include "storage/session.h"

namespace sluice::storage {
namespace {

constexpr int kEventDaysAhead = 7;
// Serializes migrations; an advisory lock space of its own.
constexpr const char* kLock = "select pg_advisory_xact_lock(6, 0)";
constexpr const char* kTable = R"sql(
create table if not exists schema_migration (
  number int primary key,
  name text not null,
  checksum bigint not null,
  applied_at timestamptz not null
))sql";

int64_t ChecksumOf(const Migration& migration) {
  return static_cast<int64_t>(XXH64(migration.sql.data(), migration.sql.size(), 0));
}

using Applied = std::map<int, int64_t>;

Applied ReadApplied(pqxx::transaction_base& tx) {
  Applied applied;
  for (const pqxx::row& row : tx.exec("select number, checksum from schema_migration")) {
    applied[IntOf<int32_t>(row[0])] = IntOf<int64_t>(row[1]);
  }
  return applied;
}

absl::Status CheckApplied(const Applied& applied) {
  std::map<int, int64_t> known;
  for (const Migration& migration : Migrations()) known[migration.number] = ChecksumOf(migration);
  for (const auto& [number, checksum] : applied) {
    const auto it = known.find(number);
    if (it == known.end()) {
      return absl::FailedPreconditionError(
          Cat("schema migration ", number, " is newer than this program"));
    }
    if (it->second != checksum) {
      return absl::FailedPreconditionError(
          Cat("schema migration ", number, " was applied with another content"));
    }
  }
  return absl::OkStatus();
}

void Apply(pqxx::transaction_base& tx, const Migration& migration, Instant now) {
  tx.exec(std::string(migration.sql));
  tx.exec_params0(
      "insert into schema_migration (number, name, checksum, applied_at)"
      " values ($1, $2, $3, timestamptz 'epoch' + $4::bigint * interval '1 microsecond')",
      migration.number, std::string(migration.name), ChecksumOf(migration), ToMicros(now));
}

void Provision(pqxx::transaction_base& tx, int shards, Instant now) {
  tx.exec_params0(
      "insert into shard_lease (shard) select s from generate_series(-1, $1::int - 1) s"
      " where not exists (select from shard_lease)",
      shards);
  tx.exec_params0(
      "insert into submission_generation (current, rotated_at)"
      " values (0, timestamptz 'epoch' + $1::bigint * interval '1 microsecond') on conflict do "
      "nothing",
      ToMicros(now));
  if (tx.exec("select from content_partition limit 1").empty()) CreateContentPartition(tx, 1, now);
  for (int day = 0; day <= kEventDaysAhead; ++day) {
    CreateEventPartition(tx, DayOf(now) + std::chrono::days(day));
  }
}

}  // namespace

absl::Status Migrate(const ConnectionOptions& options, const MigrateOptions& migrate, Instant now) {
  if (migrate.shards < 1 || migrate.shards >= kMaxShards) {
    return absl::InvalidArgumentError(Cat("shards must be 1..", kMaxShards - 1));
  }
  ASSIGN_OR_RETURN(const auto session, Session::Open(options));
  return RunTransaction(*session, "migrate", [&](pqxx::transaction_base& tx) -> absl::Status {
    tx.exec1(kLock);
    tx.exec0("set local client_min_messages = error");
    tx.exec0(kTable);
    const Applied applied = ReadApplied(tx);
    RETURN_IF_ERROR(CheckApplied(applied));
    for (const Migration& migration : Migrations()) {
      if (!applied.contains(migration.number)) Apply(tx, migration, now);
    }
    Provision(tx, migrate.shards, now);
    return absl::OkStatus();
  });
}

absl::Status CheckSchema(const ConnectionOptions& options) {
  ASSIGN_OR_RETURN(const auto session, Session::Open(options));
  return RunTransaction(*session, "schema", [&](pqxx::transaction_base& tx) -> absl::Status {
    if (tx.exec1("select to_regclass('schema_migration') is null")[0].as<bool>()) {
      return absl::FailedPreconditionError("the database has no schema: it was never migrated");
    }
    const Applied applied = ReadApplied(tx);
    RETURN_IF_ERROR(CheckApplied(applied));
    for (const Migration& migration : Migrations()) {
      if (!applied.contains(migration.number)) {
        return absl::FailedPreconditionError(
            Cat("schema migration ", migration.number, " has not been applied"));
      }
    }
    return absl::OkStatus();
  });
}

}  // namespace sluice::storage
