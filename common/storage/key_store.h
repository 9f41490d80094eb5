// API keys of tenants: hashes only, the secret is never here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

// Of one key, at each ingest by itself; 0 = none.
struct KeyLimits {
  int64_t messages_per_second = 0, bytes_per_second = 0, message_bytes = 0;
  bool none() const { return *this == KeyLimits(); }
  friend bool operator==(const KeyLimits&, const KeyLimits&) = default;
};

// In the place of a key's tenant: it reads the events of all, and may do nothing else.
inline constexpr std::string_view kAllTenants = "*";

struct ApiKey {
  std::string id{}, tenant{}, label{};
  std::string secret_hash{};  // SHA-256, 32 bytes.
  Instant created_at{};
  std::optional<Instant> revoked_at{};
  KeyLimits limits{};
};

// Thread-safe.
class KeyStore {
 public:
  virtual ~KeyStore() = default;
  // `key.revoked_at` is ignored. AlreadyExists: the id is taken.
  virtual absl::Status Create(const ApiKey& key) = 0;
  // In order of id, above `after_id`; empty tenant = all.
  virtual absl::StatusOr<std::vector<ApiKey>> List(const std::string& tenant,
                                                   const std::string& after_id, int limit) = 0;
  // Answers the key as it is now; one that is revoked stays as it was. NotFound.
  virtual absl::StatusOr<ApiKey> Revoke(const std::string& id, Instant now) = 0;
  // Answers the key as it is now. NotFound.
  virtual absl::StatusOr<ApiKey> SetLimits(const std::string& id, const KeyLimits& limits) = 0;
  // Everything, revoked keys included: what a cache needs.
  virtual absl::StatusOr<std::vector<ApiKey>> LoadAll() = 0;
};
std::unique_ptr<KeyStore> MakeKeyStore(ConnectionPool& pool);

}  // namespace sluice::storage
