#include "storage/suppression_store.h"

#include "base/check.h"
#include "base/status.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"
#include "storage/suppression_columns.h"
#include "storage/suppression_sql.h"

namespace sluice::storage {
namespace {

pqxx::binarystring Binary(const AddressHash& hash) { return {hash.data(), hash.size()}; }

int HexDigit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

AddressHash HashOf(std::string_view hex) {
  AddressHash hash;
  SLUICE_CHECK(hex.size() == 2 * hash.size());
  for (size_t i = 0; i < hash.size(); ++i) {
    hash[i] = static_cast<uint8_t>(HexDigit(hex[2 * i]) << 4 | HexDigit(hex[2 * i + 1]));
  }
  return hash;
}

uint64_t PrefixOf(std::string_view hex) {
  uint64_t prefix = 0;
  for (const char c : hex) prefix = prefix << 4 | static_cast<uint64_t>(HexDigit(c));
  return prefix;
}

StoredSuppression SuppressionOf(const pqxx::row& row) {
  const auto reason = ParseSuppressionReason(ViewOf(row[2]));
  SLUICE_CHECK(reason.has_value());
  return {.suppression = {.tenant = StringOf(row[0]),
                          .address = StringOf(row[1]),
                          .reason = *reason,
                          .detail = StringOf(row[3]),
                          .created_at = InstantOf(row[4]),
                          .expires_at = MaybeInstantOf(row[5])},
          .hash = HashOf(ViewOf(row[6]))};
}

std::vector<StoredSuppression> SuppressionsOf(const pqxx::result& rows) {
  std::vector<StoredSuppression> out;
  for (const pqxx::row& row : rows) out.push_back(SuppressionOf(row));
  return out;
}

class PostgresSuppressionStore final : public SuppressionStore {
 public:
  explicit PostgresSuppressionStore(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<int> Add(const std::vector<Suppression>& suppressions) override {
    const Parameters parameters = SuppressionParameters(suppressions);
    return Change("add suppressions", [&](pqxx::transaction_base& tx) {
      return tx.exec_params(sql::kAddSuppressions, parameters.dynamic()).size();
    });
  }

  absl::StatusOr<int> Remove(const std::vector<std::pair<std::string, std::string>>& suppressions,
                             Instant now) override {
    BinaryArray<Bytes> hash;
    BinaryArray<Text> tenants;
    for (const auto& [tenant, address] : suppressions) {
      hash.Add(BytesView(HashAddress(address)));
      tenants.Add(tenant);
    }
    Parameters parameters;
    parameters.Add(hash).Add(tenants);
    return Change("remove suppressions", [&](pqxx::transaction_base& tx) {
      return tx.exec_params(sql::kRemoveSuppressions, parameters.dynamic(), ToMicros(now)).size();
    });
  }

  absl::StatusOr<int> Erase(const std::vector<std::string>& addresses) override {
    BinaryArray<Bytes> hash;
    for (const std::string& address : addresses) hash.Add(BytesView(HashAddress(address)));
    Parameters parameters;
    parameters.Add(hash);
    // What is suppressed stays as it is: no new version.
    return InTransaction<int>(
        pool_, "erase suppressions", [&](pqxx::transaction_base& tx) -> absl::StatusOr<int> {
          return static_cast<int>(
              tx.exec_params(sql::kEraseSuppressions, parameters.dynamic()).size());
        });
  }

  absl::StatusOr<std::vector<StoredSuppression>> List(const std::string& tenant,
                                                      const std::string& address,
                                                      const SuppressionMark& after,
                                                      int limit) override {
    if (!address.empty()) return FindAfter(tenant, address, after);
    return Read([&](pqxx::transaction_base& tx) {
      if (tenant.empty()) {
        return tx.exec_params(sql::kListSuppressions, after.tenant, after.address,
                              Binary(after.hash), limit);
      }
      return tx.exec_params(sql::kListSuppressionsOf, tenant, after.address, Binary(after.hash),
                            limit);
    });
  }

  absl::StatusOr<std::vector<StoredSuppression>> Find(const std::string& address) override {
    return Read([&](pqxx::transaction_base& tx) {
      return tx.exec_params(sql::kFindSuppressions, Binary(HashAddress(address)));
    });
  }

  absl::StatusOr<std::vector<SuppressionChange>> ChangesAfter(int64_t version,
                                                              int limit) override {
    using Changes = std::vector<SuppressionChange>;
    return InTransaction<Changes>(
        pool_, "suppression changes", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Changes> {
          Changes changes;
          for (const pqxx::row& row : tx.exec_params(sql::kSuppressionChanges, version, limit)) {
            changes.push_back({.version = IntOf<int64_t>(row[0]),
                               .hash_prefix = PrefixOf(ViewOf(row[1])),
                               .tenant = StringOf(row[2]),
                               .removed = BoolOf(row[3])});
          }
          return changes;
        });
  }

  absl::StatusOr<int> Expire(Instant now) override {
    return Change("expire suppressions", [&](pqxx::transaction_base& tx) {
      const auto expired = tx.exec_params(sql::kExpireSuppressions, ToMicros(now)).size();
      tx.exec_params(sql::kBurySuppressions, ToMicros(now));
      return expired;
    });
  }

 private:
  absl::StatusOr<int> Change(
      std::string_view name,
      const std::function<pqxx::result::size_type(pqxx::transaction_base&)>& change) {
    return InTransaction<int>(pool_, name,
                              [&](pqxx::transaction_base& tx) -> absl::StatusOr<int> {
                                tx.exec(sql::kSuppressionLock);
                                return static_cast<int>(change(tx));
                              });
  }

  // One address has a handful of rows: one per tenant, and the one of all.
  absl::StatusOr<std::vector<StoredSuppression>> FindAfter(const std::string& tenant,
                                                           const std::string& address,
                                                           const SuppressionMark& after) {
    ASSIGN_OR_RETURN(std::vector<StoredSuppression> found, Find(address));
    std::erase_if(found, [&](const StoredSuppression& one) {
      const std::string& owner = one.suppression.tenant;
      return (!tenant.empty() && owner != tenant) ||
             (!after.address.empty() && owner <= after.tenant);
    });
    return found;
  }

  absl::StatusOr<std::vector<StoredSuppression>> Read(
      const std::function<pqxx::result(pqxx::transaction_base&)>& query) {
    using Found = std::vector<StoredSuppression>;
    return InTransaction<Found>(pool_, "read suppressions",
                                [&](pqxx::transaction_base& tx) -> absl::StatusOr<Found> {
                                  return SuppressionsOf(query(tx));
                                });
  }

  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<SuppressionStore> MakeSuppressionStore(ConnectionPool& pool) {
  return std::make_unique<PostgresSuppressionStore>(pool);
}

}  // namespace sluice::storage
