// Who may submit what: tenants, streams and API keys as of one moment, immutable, shared by all
// threads. Refreshed as a whole from the policy and the key table; never reads either itself.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "mail/limits.h"

namespace sluice::ingest {

using SecretHash = std::array<uint8_t, 32>;
// SHA-256: keys are long random strings, so that a slow hash would protect nothing more.
SecretHash HashSecret(std::string_view secret);

struct StreamRules {
  int16_t priority = 1;  // 1 normal, 2 high.
  Duration expiry = limits::kDefaultExpiry;
};

struct TenantRules {
  std::string name;
  std::set<std::string, std::less<>> streams;
  // Lower-case A-labels; each covers its subdomains.
  std::vector<std::string> sender_domains;

  // `domain` is lower-case A-labels.
  bool MaySendAs(std::string_view domain) const;
};

struct Directory {
  int64_t revision = 0;
  std::unordered_map<std::string, TenantRules, StringHash, std::equal_to<>> tenants;
  std::unordered_map<std::string, StreamRules, StringHash, std::equal_to<>> streams;
  // Lower case; kept as tags.
  std::vector<std::string> tag_headers;
  // Secret → tenant; revoked keys are absent.
  std::map<SecretHash, std::string> keys;

  // Null when the key is unknown, or its tenant is not in the policy. Lives as long as the
  // directory.
  const TenantRules* FindTenant(const SecretHash& secret) const;
};

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
