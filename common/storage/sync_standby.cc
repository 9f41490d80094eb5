#include "base/text.h"
#include "storage/connection_pool.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {

absl::Status CheckSyncStandby(ConnectionPool& pool) {
  return RunTransaction(pool, "check standby", [](pqxx::transaction_base& tx) -> absl::Status {
    const pqxx::row row =
        tx.exec1("select current_setting('synchronous_standby_names'), current_setting('synchronous_commit')");
    const std::string_view commit = ViewOf(row[1]);
    if (ViewOf(row[0]).empty()) {
      return absl::FailedPreconditionError(
          "PostgreSQL has no synchronous standby (synchronous_standby_names is empty): name one, or set postgres.require_sync_standby to false");
    }
    if (commit == "off" || commit == "local") {
      return absl::FailedPreconditionError(
          Cat("PostgreSQL commits without waiting for its standby (synchronous_commit is ", commit, "): set it to on"));
    }
    return absl::OkStatus();
  });
}

}  // namespace sluice::storage
