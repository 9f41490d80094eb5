#include "storage/shard_lease.h"

#include <algorithm>

#include "base/status.h"
#include "storage/in_transaction.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

// Low bits of an epoch that hold the nonce.
constexpr int kNonceBits = 20;

constexpr const char* kColumns =
    "shard, owner, endpoint, epoch, micros(expires_at), expires_at <= clock_timestamp()";

constexpr const char* kTakeable =
    "select shard from shard_lease"
    " where shard = any($1::smallint[])"
    "   and (owner = '' or owner = $2 or expires_at <= clock_timestamp()) order by shard";

// Waits for the owner's open settlements; those that come later find another epoch.
constexpr const char* kTakeoverLock = "select pg_advisory_xact_lock(7, $1::int)";

constexpr const char* kTake =
    "update shard_lease set owner = $2, endpoint = $3, epoch = (((epoch >> 20) + 1) << 20) | "
    "$4::bigint,"
    "   expires_at = clock_timestamp() + $5::bigint * interval '1 microsecond'"
    " where shard = $1::smallint"
    "   and (owner = '' or owner = $2 or expires_at <= clock_timestamp())"
    " returning ";

constexpr const char* kRenew =
    "update shard_lease l set expires_at = clock_timestamp() + $4::bigint * interval '1 "
    "microsecond'"
    " from unnest($1::smallint[], $2::bigint[]) as h(shard, epoch)"
    " where l.shard = h.shard and l.epoch = h.epoch and l.owner = $3 returning l.shard";

constexpr const char* kRelease =
    "update shard_lease l set owner = '', endpoint = '', expires_at = 'epoch'"
    " from unnest($1::smallint[], $2::bigint[]) as h(shard, epoch)"
    " where l.shard = h.shard and l.epoch = h.epoch and l.owner = $3";

Lease LeaseOf(const pqxx::row& row) {
  return {.shard = IntOf<int32_t>(row[0]),
          .owner = StringOf(row[1]),
          .endpoint = StringOf(row[2]),
          .epoch = IntOf<int64_t>(row[3]),
          .expires_at = InstantOf(row[4]),
          .expired = BoolOf(row[5])};
}

Parameters HeldParameters(const std::vector<std::pair<int, int64_t>>& held) {
  BinaryArray<int16_t> shard;
  BinaryArray<int64_t> epoch;
  for (const auto& [s, e] : held) {
    shard.Add(static_cast<int16_t>(s));
    epoch.Add(e);
  }
  Parameters parameters;
  parameters.Add(shard).Add(epoch);
  return parameters;
}

class PostgresShardLeases final : public ShardLeases {
 public:
  explicit PostgresShardLeases(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  absl::StatusOr<std::vector<Lease>> List() override {
    std::vector<Lease> leases;
    RETURN_IF_ERROR(RunTransaction(*session_, "list leases", [&](pqxx::transaction_base& tx) {
      leases.clear();
      const std::string query =
          std::string("select ") + kColumns + " from shard_lease order by shard";
      for (const pqxx::row& row : tx.exec(query)) leases.push_back(LeaseOf(row));
      return absl::OkStatus();
    }));
    return leases;
  }

  absl::StatusOr<std::vector<Lease>> Take(const std::vector<int>& shards, const std::string& owner,
                                          const std::string& endpoint, Duration length,
                                          uint32_t nonce, int most) override {
    ASSIGN_OR_RETURN(const std::vector<int> takeable, Takeable(shards, owner));
    std::vector<Lease> taken;
    for (int shard : takeable) {
      if (static_cast<int>(taken.size()) >= most) break;
      absl::Status status = TakeOne(shard, owner, endpoint, length, nonce, taken);
      // What is taken is ours: the caller must hear of it.
      if (!status.ok() && taken.empty()) return status;
      if (!status.ok()) break;
    }
    return taken;
  }

  absl::StatusOr<std::vector<int>> Renew(const std::vector<std::pair<int, int64_t>>& held,
                                         const std::string& owner, Duration length) override {
    std::vector<int> renewed;
    const Parameters parameters = HeldParameters(held);
    RETURN_IF_ERROR(RunTransaction(*session_, "renew leases", [&](pqxx::transaction_base& tx) {
      renewed.clear();
      for (const pqxx::row& row :
           tx.exec_params(kRenew, parameters.dynamic(), owner, length.count())) {
        renewed.push_back(IntOf<int32_t>(row[0]));
      }
      return absl::OkStatus();
    }));
    std::sort(renewed.begin(), renewed.end());
    return renewed;
  }

  absl::Status Release(const std::vector<std::pair<int, int64_t>>& held,
                       const std::string& owner) override {
    const Parameters parameters = HeldParameters(held);
    return RunTransaction(*session_, "release leases", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(kRelease, parameters.dynamic(), owner);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<Duration> Skew(Instant now) override {
    return InTransaction<Duration>(
        *session_, "clock", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Duration> {
          return InstantOf(tx.exec1("select micros(clock_timestamp())")[0]) - now;
        });
  }

 private:
  // A look without locks; TakeOne looks again with them.
  absl::StatusOr<std::vector<int>> Takeable(const std::vector<int>& shards,
                                            const std::string& owner) {
    Parameters parameters;
    parameters.Add(ArrayOf<int16_t>(shards));
    std::vector<int> takeable;
    RETURN_IF_ERROR(RunTransaction(*session_, "find leases", [&](pqxx::transaction_base& tx) {
      takeable.clear();
      for (const pqxx::row& row : tx.exec_params(kTakeable, parameters.dynamic(), owner)) {
        takeable.push_back(IntOf<int32_t>(row[0]));
      }
      return absl::OkStatus();
    }));
    return takeable;
  }

  absl::Status TakeOne(int shard, const std::string& owner, const std::string& endpoint,
                       Duration length, uint32_t nonce, std::vector<Lease>& taken) {
    const int64_t bits = nonce & ((1u << kNonceBits) - 1);
    pqxx::result rows;
    RETURN_IF_ERROR(RunTransaction(*session_, "take lease", [&](pqxx::transaction_base& tx) {
      tx.exec_params1(kTakeoverLock, shard);
      rows = tx.exec_params(std::string(kTake) + kColumns, shard, owner, endpoint, bits,
                            length.count());
      return absl::OkStatus();
    }));
    if (!rows.empty()) taken.push_back(LeaseOf(rows[0]));
    return absl::OkStatus();
  }

  const std::unique_ptr<Session> session_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ShardLeases>> OpenShardLeases(const ConnectionOptions& options) {
  ASSIGN_OR_RETURN(auto session, Session::Open(options));
  return std::make_unique<PostgresShardLeases>(std::move(session));
}

}  // namespace sluice::storage
