#include "storage/key_store.h"

#include "base/text.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr const char* kColumns =
    "id, tenant, label, secret_hash, micros(created_at), micros(revoked_at), messages_per_second,"
    " bytes_per_second, message_bytes";

constexpr const char* kInsert =
    "insert into api_key (id, tenant, label, secret_hash, created_at, messages_per_second,"
    "   bytes_per_second, message_bytes)"
    " values ($1, $2, $3, $4, timestamptz 'epoch' + $5::bigint * interval '1 microsecond', $6, $7, $8)";

constexpr const char* kSetLimits =
    "update api_key set messages_per_second = $2, bytes_per_second = $3, message_bytes = $4"
    " where id = $1 returning ";

constexpr const char* kRevoke =
    "update api_key set revoked_at = coalesce(revoked_at,"
    "   timestamptz 'epoch' + $2::bigint * interval '1 microsecond') where id = $1 returning ";

ApiKey KeyOf(const pqxx::row& row) {
  return {.id = StringOf(row[0]),
          .tenant = StringOf(row[1]),
          .label = StringOf(row[2]),
          .secret_hash = BytesOf(row[3]),
          .created_at = InstantOf(row[4]),
          .revoked_at = MaybeInstantOf(row[5]),
          .limits = {.messages_per_second = IntOf<int64_t>(row[6]),
                     .bytes_per_second = IntOf<int64_t>(row[7]),
                     .message_bytes = IntOf<int64_t>(row[8])}};
}

std::vector<ApiKey> KeysOf(const pqxx::result& rows) {
  std::vector<ApiKey> keys;
  for (const pqxx::row& row : rows) keys.push_back(KeyOf(row));
  return keys;
}

class PostgresKeyStore final : public KeyStore {
 public:
  explicit PostgresKeyStore(ConnectionPool& pool) : pool_(pool) {}

  absl::Status Create(const ApiKey& key) override {
    return RunTransaction(pool_, "create key", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(kInsert, key.id, key.tenant, key.label, pqxx::binarystring(key.secret_hash),
                      ToMicros(key.created_at), key.limits.messages_per_second,
                      key.limits.bytes_per_second, key.limits.message_bytes);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<std::vector<ApiKey>> List(const std::string& tenant, const std::string& after_id,
                                           int limit) override {
    return Read([&](pqxx::transaction_base& tx) {
      return tx.exec_params(Cat("select ", kColumns,
                                " from api_key"
                                " where ($1 = '' or tenant = $1) and id > $2 order by id limit $3"),
                            tenant, after_id, limit);
    });
  }

  absl::StatusOr<ApiKey> Revoke(const std::string& id, Instant now) override {
    return InTransaction<ApiKey>(
        pool_, "revoke key", [&](pqxx::transaction_base& tx) -> absl::StatusOr<ApiKey> {
          const pqxx::result rows = tx.exec_params(Cat(kRevoke, kColumns), id, ToMicros(now));
          if (rows.empty()) return absl::NotFoundError(Cat("no key '", id, "'"));
          return KeyOf(rows[0]);
        });
  }

  absl::StatusOr<ApiKey> SetLimits(const std::string& id, const KeyLimits& limits) override {
    return InTransaction<ApiKey>(
        pool_, "limit key", [&](pqxx::transaction_base& tx) -> absl::StatusOr<ApiKey> {
          const pqxx::result rows =
              tx.exec_params(Cat(kSetLimits, kColumns), id, limits.messages_per_second,
                             limits.bytes_per_second, limits.message_bytes);
          if (rows.empty()) return absl::NotFoundError(Cat("no key '", id, "'"));
          return KeyOf(rows[0]);
        });
  }

  absl::StatusOr<std::vector<ApiKey>> LoadAll() override {
    return Read([](pqxx::transaction_base& tx) {
      return tx.exec(Cat("select ", kColumns, " from api_key order by id"));
    });
  }

 private:
  absl::StatusOr<std::vector<ApiKey>> Read(
      const std::function<pqxx::result(pqxx::transaction_base&)>& query) {
    return InTransaction<std::vector<ApiKey>>(
        pool_, "read keys", [&](pqxx::transaction_base& tx) -> absl::StatusOr<std::vector<ApiKey>> {
          return KeysOf(query(tx));
        });
  }

  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<KeyStore> MakeKeyStore(ConnectionPool& pool) {
  return std::make_unique<PostgresKeyStore>(pool);
}

}  // namespace sluice::storage
