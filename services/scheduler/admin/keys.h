// API keys of tenants. The secret is `slk_<id>_<43 characters>`: the id is public and finds the
// key, 256 random bits follow. It is shown once, at creation; what is stored is the SHA-256 of the
// whole secret text.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "scheduler/admin/orders.h"
#include "storage/key_store.h"
#include "storage/policy_store.h"

namespace sluice::scheduler {

struct MintedKey {
  std::string id;  // 10 characters, lower case, no look-alikes.
  std::string secret;
  std::string hash;  // SHA-256 of the secret, 32 bytes.
};
inline constexpr size_t kKeySeedBytes = 42;  // 10 for the id, 32 for the secret.
MintedKey MintKey(std::span<const unsigned char, kKeySeedBytes> random);

struct KeyOrder {
  std::string tenant, label, actor;
  storage::KeyLimits limits = {};
};
struct CreatedKey {
  storage::ApiKey key;
  std::string secret;
};

// Thread-safe.
class KeyAdmin {
 public:
  // Whether a tenant of this name may have keys: it stands in the current policy.
  using KnowsTenant = std::function<absl::StatusOr<bool>(const std::string& tenant)>;
  KeyAdmin(storage::KeyStore& store, KnowsTenant knows_tenant, LiveState& live, AuditTrail& audit,
           const Clock& clock)
      : store_(store),
        knows_tenant_(std::move(knows_tenant)),
        live_(live),
        audit_(audit),
        clock_(clock) {}

  absl::StatusOr<CreatedKey> Create(const KeyOrder& order);

  struct Keys {
    std::vector<storage::ApiKey> keys;
    std::string next_page_token;
  };
  // In order of id; empty tenant = all.
  absl::StatusOr<Keys> List(const std::string& tenant, Page page);
  // Revoking twice answers the first revocation. NOT_FOUND.
  absl::StatusOr<storage::ApiKey> Revoke(const std::string& id, const std::string& actor);

  // In force everywhere when it returns, as Revoke. NOT_FOUND.
  absl::StatusOr<storage::ApiKey> Limit(const std::string& id, const storage::KeyLimits& limits, const std::string& actor);

 private:
  storage::KeyStore& store_;
  const KnowsTenant knows_tenant_;
  LiveState& live_;
  AuditTrail& audit_;
  const Clock& clock_;
};

}  // namespace sluice::scheduler
