#include "storage/restore_guard.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/in_transaction.h"
#include "storage/rows.h"
#include "storage/session.h"

namespace sluice::storage {
namespace {

// Those who start together take turns.
constexpr const char* kLock = "select pg_advisory_xact_lock(6, 1)";

// The cluster, the database, and the table as it was made in it: each way to restore makes at least one of them anew.
constexpr const char* kIdentity = R"sql(
select c.system_identifier || '/' || d.oid || '/' || 'database_identity'::regclass::oid,
       (select identity from database_identity)
from pg_control_system() c, pg_database d where d.datname = current_database())sql";

constexpr const char* kRemember = R"sql(
insert into database_identity (identity) values ($1)
on conflict (only_row) do update set identity = excluded.identity)sql";

constexpr const char* kHold = R"sql(
insert into sending_constraint
  (cause, rule, source, provider, pool, tenant, stream, campaign, domain, site, sender_domain, value, evidence, since, until,
   author)
values ('operator', $1, '', '', '', '', '', '', '', '', '', 'suspend', $2,
        timestamptz 'epoch' + $3::bigint * interval '1 microsecond', null, 'restore')
on conflict do nothing)sql";

constexpr const char* kEvidence =
    "the database was restored from a backup: what was sent after the backup was made would be sent again; see the runbook";

}  // namespace

absl::StatusOr<bool> HoldIfRestored(const ConnectionOptions& options, Instant now) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, Session::Open(options));
  return InTransaction<bool>(*session, "restore guard", [&](pqxx::transaction_base& tx) -> absl::StatusOr<bool> {
    tx.exec(kLock);
    const pqxx::row row = tx.exec1(kIdentity);
    const std::string is = StringOf(row[0]);
    const bool is_new = row[1].is_null();
    if (!is_new && StringOf(row[1]) == is) return false;
    tx.exec_params0(kRemember, is);
    if (is_new) return false;
    tx.exec_params0(kHold, std::string(kRestoredRule), std::string(kEvidence), ToMicros(now));
    tx.exec("update constraint_generation set generation = generation + 1");
    return true;
  });
}

}  // namespace sluice::storage
