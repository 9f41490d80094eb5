#include "storage/node_store.h"

#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr const char* kBeat = R"sql(
insert into service_node (id, kind, endpoint, policy_revision, acted_at, seen_at, constraint_generation, waits_for)
values ($1, $2, $3, $4, timestamptz 'epoch' + $5::bigint * interval '1 microsecond', clock_timestamp(), $6, $7)
on conflict (id) do update
set endpoint = excluded.endpoint, policy_revision = excluded.policy_revision,
    constraint_generation = excluded.constraint_generation, waits_for = excluded.waits_for,
    acted_at = excluded.acted_at, seen_at = excluded.seen_at)sql";

// Processes that died without leaving.
constexpr const char* kForgetOld = "delete from service_node where seen_at < clock_timestamp() - interval '1 hour'";

constexpr const char* kAlive = R"sql(
select id, kind, endpoint, policy_revision, micros(acted_at), constraint_generation, waits_for from service_node
where seen_at > clock_timestamp() - interval '6 seconds' order by id)sql";

class PostgresNodeStore final : public NodeStore {
 public:
  explicit PostgresNodeStore(ConnectionPool& pool) : pool_(pool) {}

  absl::Status Beat(const ServiceNode& node) override {
    return RunTransaction(pool_, "beat", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(kBeat, node.id, node.kind, node.endpoint, node.policy_revision,
                      ToMicros(node.acted_at), node.constraint_generation, node.waits_for);
      tx.exec0(kForgetOld);
      return absl::OkStatus();
    });
  }

  absl::Status Leave(const std::string& id) override {
    return RunTransaction(pool_, "leave", [&](pqxx::transaction_base& tx) {
      tx.exec_params0("delete from service_node where id = $1", id);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<Instant> DatabaseNow() override {
    return InTransaction<Instant>(pool_, "clock", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Instant> {
      return InstantOf(tx.exec1("select micros(clock_timestamp())")[0]);
    });
  }

  absl::StatusOr<std::vector<ServiceNode>> Alive() override {
    using Nodes = std::vector<ServiceNode>;
    return InTransaction<Nodes>(pool_, "list nodes", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Nodes> {
      Nodes nodes;
      for (const pqxx::row& row : tx.exec(kAlive)) {
        nodes.push_back({.id = StringOf(row[0]),
                         .kind = StringOf(row[1]),
                         .endpoint = StringOf(row[2]),
                         .policy_revision = IntOf<int64_t>(row[3]),
                         .acted_at = InstantOf(row[4]),
                         .constraint_generation = IntOf<int64_t>(row[5]),
                         .waits_for = StringOf(row[6])});
      }
      return nodes;
    });
  }

 private:
  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<NodeStore> MakeNodeStore(ConnectionPool& pool) { return std::make_unique<PostgresNodeStore>(pool); }

}  // namespace sluice::storage
