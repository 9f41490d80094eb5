#include "storage/token_store.h"

#include "base/status.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr const char* kFind = "select seed, refresh_token, micros(rotated_at) from oauth_token where name = $1";
constexpr const char* kPut =
    "insert into oauth_token (name, seed, refresh_token, rotated_at)"
    " values ($1, $2, $3, timestamptz 'epoch' + $4::bigint * interval '1 microsecond')"
    " on conflict (name) do update set seed = excluded.seed, refresh_token = excluded.refresh_token, rotated_at = excluded.rotated_at";

class PostgresTokenStore final : public TokenStore {
 public:
  explicit PostgresTokenStore(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<std::optional<RotatedToken>> Find(const std::string& name) override {
    using Found = std::optional<RotatedToken>;
    return InTransaction<Found>(pool_, "find token", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Found> {
      Found found;
      for (const pqxx::row& row : tx.exec_params(kFind, name)) found = {StringOf(row[0]), StringOf(row[1]), InstantOf(row[2])};
      return found;
    });
  }

  absl::Status Put(const std::string& name, const RotatedToken& token) override {
    return RunTransaction(pool_, "put token", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(kPut, name, token.seed, token.refresh_token, ToMicros(token.rotated_at));
      return absl::OkStatus();
    });
  }

 private:
  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<TokenStore> MakeTokenStore(ConnectionPool& pool) { return std::make_unique<PostgresTokenStore>(pool); }

}  // namespace sluice::storage
