#include "storage/operation_store.h"

#include "base/text.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr const char* kColumns =
    "select o.id, o.kind, o.filter, o.message_id, o.target_pool, o.reason, o.author, micros(o.started_at),"
    " micros(o.ended_at), o.stopped, coalesce(s.done, 0), coalesce(s.too_late, 0)"
    " from operation o left join lateral (select sum(done_count)::bigint as done, sum(too_late_count)::bigint as too_late"
    " from operation_shard where operation = o.id) s on true ";

constexpr const char* kInsert =
    "insert into operation (kind, filter, message_id, target_pool, reason, author, started_at)"
    " values ($1, $2, $3::bigint, $4, $5, $6, clock_timestamp()) returning id";

constexpr const char* kProgress =
    "insert into operation_shard (operation, shard, done_count, too_late_count, ended)"
    " values ($1::bigint, $2::smallint, $3::bigint, $4::bigint, $5::boolean)"
    " on conflict (operation, shard) do update set done_count = excluded.done_count,"
    " too_late_count = excluded.too_late_count, ended = excluded.ended";

constexpr const char* kEndFinished =
    "update operation o set ended_at = clock_timestamp() where o.ended_at is null and (o.stopped or not exists ("
    "select from shard_lease l where l.shard >= 0 and not exists ("
    "select from operation_shard s where s.operation = o.id and s.shard = l.shard and s.ended)))";

OperationRow RowOf(const pqxx::row& row) {
  return {.id = IntOf<int64_t>(row[0]),
          .kind = StringOf(row[1]),
          .filter_json = StringOf(row[2]),
          .message_id = IntOf<int64_t>(row[3]),
          .target_pool = StringOf(row[4]),
          .reason = StringOf(row[5]),
          .author = StringOf(row[6]),
          .started_at = InstantOf(row[7]),
          .ended_at = MaybeInstantOf(row[8]),
          .stopped = BoolOf(row[9]),
          .done = IntOf<int64_t>(row[10]),
          .too_late = IntOf<int64_t>(row[11])};
}

class PostgresOperationStore final : public OperationStore {
 public:
  explicit PostgresOperationStore(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<OperationRow> Insert(const OperationRow& o) override {
    return InTransaction<OperationRow>(
        pool_, "start operation", [&](pqxx::transaction_base& tx) -> absl::StatusOr<OperationRow> {
          const auto id = IntOf<int64_t>(
              tx.exec_params1(kInsert, o.kind, o.filter_json, o.message_id, o.target_pool, o.reason, o.author)[0]);
          return RowOf(tx.exec_params1(Cat(kColumns, "where o.id = $1::bigint"), id));
        });
  }

  absl::StatusOr<OperationRow> Get(int64_t id) override {
    return InTransaction<OperationRow>(
        pool_, "read operation", [&](pqxx::transaction_base& tx) -> absl::StatusOr<OperationRow> {
          const pqxx::result rows = tx.exec_params(Cat(kColumns, "where o.id = $1::bigint"), id);
          if (rows.empty()) return absl::NotFoundError(Cat("there is no operation ", id));
          return RowOf(rows[0]);
        });
  }

  absl::StatusOr<std::vector<OperationRow>> List(int64_t before, int limit) override {
    return Read("where $1::bigint = 0 or o.id < $1::bigint order by o.id desc limit $2::int", before, limit);
  }
  absl::StatusOr<std::vector<OperationRow>> Open(int limit) override {
    return Read("where o.id > $1::bigint and o.ended_at is null and not o.stopped order by o.id limit $2::int", 0, limit);
  }

  absl::Status Stop(int64_t id) override {
    return RunTransaction(pool_, "stop operation", [&](pqxx::transaction_base& tx) {
      tx.exec_params0("update operation set stopped = true where id = $1::bigint and ended_at is null", id);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<std::vector<OperationShard>> Shards(int64_t id) override {
    using Shards = std::vector<OperationShard>;
    return InTransaction<Shards>(pool_, "read operation", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Shards> {
      Shards shards;
      for (const pqxx::row& row : tx.exec_params(
               "select shard, done_count, too_late_count, ended from operation_shard where operation = $1::bigint", id)) {
        shards.push_back({IntOf<int32_t>(row[0]), IntOf<int64_t>(row[1]), IntOf<int64_t>(row[2]), BoolOf(row[3])});
      }
      return shards;
    });
  }

  absl::Status SetProgress(int64_t id, const std::vector<OperationShard>& shards) override {
    return RunTransaction(pool_, "operation progress", [&](pqxx::transaction_base& tx) {
      for (const OperationShard& s : shards) tx.exec_params0(kProgress, id, s.shard, s.done, s.too_late, s.ended);
      return absl::OkStatus();
    });
  }

  absl::Status EndFinished() override {
    return RunTransaction(pool_, "end operations", [&](pqxx::transaction_base& tx) {
      tx.exec0(kEndFinished);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<std::vector<std::string>> DomainsOf(const std::string& provider, const std::string& site) override {
    using Domains = std::vector<std::string>;
    return InTransaction<Domains>(pool_, "read routes", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Domains> {
      Domains domains;
      for (const pqxx::row& row :
           tx.exec_params("select domain from domain_route where ($1 = '' or provider = $1) and ($2 = '' or site = $2)"
                          " limit 1000000", provider, site)) {
        domains.push_back(StringOf(row[0]));
      }
      return domains;
    });
  }

 private:
  absl::StatusOr<std::vector<OperationRow>> Read(const char* where, int64_t id, int limit) {
    using Rows = std::vector<OperationRow>;
    return InTransaction<Rows>(pool_, "list operations", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Rows> {
      Rows rows;
      for (const pqxx::row& row : tx.exec_params(Cat(kColumns, where), id, limit)) rows.push_back(RowOf(row));
      return rows;
    });
  }

  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<OperationStore> MakeOperationStore(ConnectionPool& pool) {
  return std::make_unique<PostgresOperationStore>(pool);
}

}  // namespace sluice::storage
