#include "ingest/directory.h"

#include <openssl/sha.h>

#include <algorithm>

namespace sluice::ingest {

SecretHash HashSecret(std::string_view secret) {
  SecretHash hash;
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), hash.data());
  return hash;
}

bool TenantRules::MaySendAs(std::string_view domain) const {
  return std::any_of(sender_domains.begin(), sender_domains.end(), [&](std::string_view own) {
    if (!domain.ends_with(own)) return false;
    return domain.size() == own.size() || domain[domain.size() - own.size() - 1] == '.';
  });
}

const TenantRules* Directory::FindTenant(const SecretHash& secret) const {
  const auto key = keys.find(secret);
  if (key == keys.end()) return nullptr;
  const auto tenant = tenants.find(key->second);
  return tenant == tenants.end() ? nullptr : &tenant->second;
}

}  // namespace sluice::ingest
