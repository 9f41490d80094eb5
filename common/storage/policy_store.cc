#include "storage/policy_store.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr const char* kRevisionColumns = "revision, micros(applied_at), author, reason";

// Conflicts with itself, not with readers.
constexpr const char* kLock = "lock table policy_revision in exclusive mode";

constexpr const char* kInsert =
    "insert into policy_revision (revision, applied_at, author, reason, document)"
    " values ($1, timestamptz 'epoch' + $2::bigint * interval '1 microsecond', $3, $4, $5)";

constexpr const char* kClear =
    "delete from pool_member; delete from egress_pool; delete from egress_source";

PolicyRevision RevisionOf(const pqxx::row& row) {
  return {.revision = IntOf<int64_t>(row[0]),
          .applied_at = InstantOf(row[1]),
          .author = StringOf(row[2]),
          .reason = StringOf(row[3])};
}

StoredPolicy PolicyOf(const pqxx::row& row) {
  return {.revision = RevisionOf(row), .document_json = StringOf(row[4])};
}

int64_t ReadCurrent(pqxx::transaction_base& tx) {
  return IntOf<int64_t>(tx.exec1("select coalesce(max(revision), 0) from policy_revision")[0]);
}

void InsertSources(pqxx::transaction_base& tx, const PolicyProjection& projection) {
  BinaryArray<Text> name, address, bind, ehlo;
  for (const PolicyProjection::Source& source : projection.sources) {
    name.Add(source.name);
    address.Add(source.address);
    bind.Add(source.bind);
    ehlo.Add(source.ehlo);
  }
  Parameters p;
  p.Add(name).Add(address).Add(bind).Add(ehlo);
  tx.exec_params0(
      "insert into egress_source (name, address, bind, ehlo)"
      " select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])",
      p.dynamic());
}

void InsertPools(pqxx::transaction_base& tx, const PolicyProjection& projection) {
  BinaryArray<Text> name, overflow;
  for (const PolicyProjection::Pool& pool : projection.pools) {
    name.Add(pool.name);
    overflow.Add(pool.overflow);
  }
  Parameters p;
  p.Add(name).Add(overflow);
  tx.exec_params0(
      "insert into egress_pool (name, overflow) select * from unnest($1::text[], $2::text[])",
      p.dynamic());
}

void InsertMembers(pqxx::transaction_base& tx, const PolicyProjection& projection) {
  BinaryArray<Text> pool, source;
  BinaryArray<int32_t> weight;
  BinaryArray<bool> reserve;
  for (const PolicyProjection::Member& member : projection.members) {
    pool.Add(member.pool);
    source.Add(member.source);
    weight.Add(member.weight);
    reserve.Add(member.reserve);
  }
  Parameters p;
  p.Add(pool).Add(source).Add(weight).Add(reserve);
  tx.exec_params0(
      "insert into pool_member (pool, source, weight, reserve)"
      " select * from unnest($1::text[], $2::text[], $3::int[], $4::boolean[])",
      p.dynamic());
}

class PostgresPolicyStore final : public PolicyStore {
 public:
  explicit PostgresPolicyStore(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<std::optional<StoredPolicy>> Current() override {
    using Answer = std::optional<StoredPolicy>;
    return InTransaction<Answer>(
        pool_, "current policy", [](pqxx::transaction_base& tx) -> absl::StatusOr<Answer> {
          const pqxx::result rows = tx.exec(Cat("select ", kRevisionColumns,
                                                ", document from policy_revision"
                                                " order by revision desc limit 1"));
          if (rows.empty()) return Answer();
          return Answer(PolicyOf(rows[0]));
        });
  }

  absl::StatusOr<int64_t> CurrentRevision() override {
    return InTransaction<int64_t>(
        pool_, "policy revision",
        [](pqxx::transaction_base& tx) -> absl::StatusOr<int64_t> { return ReadCurrent(tx); });
  }

  absl::StatusOr<int64_t> Apply(const PolicyChange& change, Instant now) override {
    auto applied = InTransaction<int64_t>(
        pool_, "apply policy", [&](pqxx::transaction_base& tx) -> absl::StatusOr<int64_t> {
          tx.exec0(kLock);
          const int64_t current = ReadCurrent(tx);
          if (change.base_revision != 0 && change.base_revision != current) {
            return absl::AbortedError(Cat("revision ", change.base_revision,
                                          " was edited, but revision ", current, " is current"));
          }
          tx.exec_params0(kInsert, current + 1, ToMicros(now), change.author, change.reason,
                          change.document_json);
          tx.exec(kClear);
          InsertSources(tx, change.projection);
          InsertPools(tx, change.projection);
          InsertMembers(tx, change.projection);
          return current + 1;
        });
    if (absl::IsAlreadyExists(applied.status())) {
      return absl::InvalidArgumentError(applied.status().message());
    }
    return applied;
  }

  absl::StatusOr<std::vector<PolicyRevision>> History(int64_t before, int limit) override {
    using Answer = std::vector<PolicyRevision>;
    return InTransaction<Answer>(
        pool_, "policy history", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Answer> {
          Answer revisions;
          for (const pqxx::row& row :
               tx.exec_params(Cat("select ", kRevisionColumns,
                                  " from policy_revision"
                                  " where $1::bigint = 0 or revision < $1::bigint"
                                  " order by revision desc limit $2"),
                              before, limit)) {
            revisions.push_back(RevisionOf(row));
          }
          return revisions;
        });
  }

  absl::StatusOr<StoredPolicy> Get(int64_t revision) override {
    return InTransaction<StoredPolicy>(
        pool_, "policy", [&](pqxx::transaction_base& tx) -> absl::StatusOr<StoredPolicy> {
          const pqxx::result rows =
              tx.exec_params(Cat("select ", kRevisionColumns,
                                 ", document from policy_revision where revision = $1"),
                             revision);
          if (rows.empty()) return absl::NotFoundError(Cat("no policy revision ", revision));
          return PolicyOf(rows[0]);
        });
  }

 private:
  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<PolicyStore> MakePolicyStore(ConnectionPool& pool) {
  return std::make_unique<PostgresPolicyStore>(pool);
}

}  // namespace sluice::storage
