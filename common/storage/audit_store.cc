#include "storage/audit_store.h"

#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr const char* kInsert =
    "insert into audit_log (at, actor, method, request, outcome)"
    " values (timestamptz 'epoch' + $1::bigint * interval '1 microsecond', $2, $3, $4, $5)";

constexpr const char* kList =
    "select id, micros(at), actor, method, request, outcome from audit_log"
    " where $1::bigint = 0 or id < $1::bigint order by id desc limit $2::int";

class PostgresAuditStore final : public AuditStore {
 public:
  explicit PostgresAuditStore(ConnectionPool& pool) : pool_(pool) {}

  absl::Status Append(const AuditEntry& entry) override {
    return RunTransaction(pool_, "audit", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(kInsert, ToMicros(entry.at), entry.actor, entry.method, entry.request,
                      entry.outcome);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<std::vector<AuditEntry>> List(int64_t before, int limit) override {
    using Entries = std::vector<AuditEntry>;
    return InTransaction<Entries>(
        pool_, "read audit", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Entries> {
          Entries entries;
          for (const pqxx::row& row : tx.exec_params(kList, before, limit)) {
            entries.push_back({.id = IntOf<int64_t>(row[0]),
                               .at = InstantOf(row[1]),
                               .actor = StringOf(row[2]),
                               .method = StringOf(row[3]),
                               .request = StringOf(row[4]),
                               .outcome = StringOf(row[5])});
          }
          return entries;
        });
  }

 private:
  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<AuditStore> MakeAuditStore(ConnectionPool& pool) {
  return std::make_unique<PostgresAuditStore>(pool);
}

}  // namespace sluice::storage
