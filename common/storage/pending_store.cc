#include "storage/pending_store.h"

#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

// Sorted, so that two owners at a change of hands don't deadlock.
constexpr const char* kPut = R"sql(
insert into tenant_pending as p (shard, tenant, epoch, entries, counted_at)
select shard, tenant, epoch, entries, counted_at
from unnest($1::smallint[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[])
  as n(shard, tenant, epoch, entries, counted_at)
order by shard, tenant
on conflict (shard, tenant) do update
set epoch = excluded.epoch, entries = excluded.entries, counted_at = excluded.counted_at
where excluded.epoch >= p.epoch)sql";

constexpr const char* kSum = R"sql(
select tenant, sum(entries)::bigint, micros(min(counted_at)) from tenant_pending group by tenant)sql";

class PostgresPendingStore final : public PendingStore {
 public:
  explicit PostgresPendingStore(ConnectionPool& pool) : pool_(pool) {}

  absl::Status Put(const std::vector<ShardPending>& rows) override {
    BinaryArray<int16_t> shard;
    BinaryArray<Text> tenant;
    BinaryArray<int64_t> epoch, entries;
    BinaryArray<Instant> counted_at;
    for (const ShardPending& row : rows) {
      shard.Add(static_cast<int16_t>(row.shard));
      tenant.Add(row.tenant);
      epoch.Add(row.epoch);
      entries.Add(row.entries);
      counted_at.Add(row.counted_at);
    }
    Parameters parameters;
    parameters.Add(shard).Add(tenant).Add(epoch).Add(entries).Add(counted_at);
    return RunTransaction(pool_, "tell pending", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(kPut, parameters.dynamic());
      return absl::OkStatus();
    });
  }

  absl::StatusOr<Pending> Sum() override {
    return InTransaction<Pending>(pool_, "read pending", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Pending> {
      Pending pending;
      for (const pqxx::row& row : tx.exec(kSum)) {
        std::string tenant = StringOf(row[0]);
        if (tenant.empty()) {
          pending.counted_at = InstantOf(row[2]);
        } else {
          pending.entries.emplace(std::move(tenant), IntOf<int64_t>(row[1]));
        }
      }
      return pending;
    });
  }

 private:
  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<PendingStore> MakePendingStore(ConnectionPool& pool) { return std::make_unique<PostgresPendingStore>(pool); }

}  // namespace sluice::storage
