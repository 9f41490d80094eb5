// Suppressed addresses in PostgreSQL. Who must know them by the microsecond keeps a SuppressionSet
// (storage/suppression_set.h), which follows the changes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "mail/suppression.h"

namespace sluice::storage {

class ConnectionPool;

// Where a page of the list ended.
struct SuppressionMark {
  std::string tenant{}, address{};
  AddressHash hash{};
};
struct StoredSuppression {
  Suppression suppression{};
  AddressHash hash{};
};

// What a reader's set must do. In order of version.
struct SuppressionChange {
  int64_t version = 0;
  uint64_t hash_prefix = 0;  // The first eight bytes of the hash, big-endian.
  std::string tenant{};
  bool removed = false;
};

// Thread-safe. Addresses are canonical (SuppressedAddress).
class SuppressionStore {
 public:
  virtual ~SuppressionStore() = default;
  // One that is there already is only ever prolonged; the longer one's reason stays. Answers how
  // many were new or prolonged. At most 10,000 at once.
  virtual absl::StatusOr<int> Add(const std::vector<Suppression>& suppressions) = 0;
  // (tenant, address) pairs, exactly these; answers how many were there.
  virtual absl::StatusOr<int> Remove(
      const std::vector<std::pair<std::string, std::string>>& suppressions, Instant now) = 0;
  // Forgets the text of these addresses with every tenant; the hashes go on suppressing. Answers
  // how many rows had it.
  virtual absl::StatusOr<int> Erase(const std::vector<std::string>& addresses) = 0;
  // In order of (tenant, address, hash) after `after`; empty tenant or address = any.
  virtual absl::StatusOr<std::vector<StoredSuppression>> List(const std::string& tenant,
                                                              const std::string& address,
                                                              const SuppressionMark& after,
                                                              int limit) = 0;
  // Of one address, whoever's.
  virtual absl::StatusOr<std::vector<StoredSuppression>> Find(const std::string& address) = 0;
  virtual absl::StatusOr<std::vector<SuppressionChange>> ChangesAfter(int64_t version,
                                                                      int limit) = 0;
  // Removes what has expired (a part of it when there is much) and the tombstones of a day ago;
  // answers how many expired.
  virtual absl::StatusOr<int> Expire(Instant now) = 0;
};
std::unique_ptr<SuppressionStore> MakeSuppressionStore(ConnectionPool& pool);

}  // namespace sluice::storage
