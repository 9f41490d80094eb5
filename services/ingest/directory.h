// Who may submit what: tenants, streams and API keys as of one moment, immutable, shared by all
// threads. Refreshed as a whole from the policy and the key table; never reads either itself.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "mail/policy_document.h"
#include "storage/key_store.h"

namespace sluice::ingest {

using SecretHash = std::array<uint8_t, 32>;
// SHA-256: keys are long random strings, so that a slow hash would protect nothing more.
SecretHash HashSecret(std::string_view secret);

struct Directory {
  // False until policy and keys were read for the first time: nobody can be told that a key is wrong.
  bool is_loaded = false;
  int64_t revision = 0;
  std::unordered_map<std::string, TenantPolicy, StringHash, std::equal_to<>> tenants;
  std::unordered_map<std::string, StreamPolicy, StringHash, std::equal_to<>> streams;
  // Lower case; kept as tags.
  std::vector<std::string> tag_headers;
  struct Key {
    std::string id, tenant;
    storage::KeyLimits limits;
  };
  // Revoked keys are absent.
  std::map<SecretHash, Key> keys;

  // Null when the key is unknown, or its tenant is not in the policy. Both live as long as the
  // directory.
  struct Caller {
    const Key* key = nullptr;
    const TenantPolicy* tenant = nullptr;
  };
  Caller Find(const SecretHash& secret) const;
  // Whether it is a key for the events of all tenants, which is no tenant's.
  bool ReadsAll(const SecretHash& secret) const;
  const TenantPolicy* FindTenant(const SecretHash& secret) const { return Find(secret).tenant; }
};

// Revoked keys are left out, and keys that are no SHA-256.
std::shared_ptr<const Directory> MakeDirectory(int64_t revision, const PolicyDocument& policy,
                                               const std::vector<storage::ApiKey>& keys);

// The directory in force. Thread-safe.
class DirectoryHolder {
 public:
  std::shared_ptr<const Directory> Get() const {
    const std::lock_guard lock(mutex_);
    return directory_;
  }
  void Set(std::shared_ptr<const Directory> directory) {
    const std::lock_guard lock(mutex_);
    directory_.swap(directory);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Directory> directory_ = std::make_shared<Directory>();
};

}  // namespace sluice::ingest
