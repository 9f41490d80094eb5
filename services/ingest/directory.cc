#include "ingest/directory.h"

#include <openssl/sha.h>

#include <algorithm>

namespace sluice::ingest {

SecretHash HashSecret(std::string_view secret) {
  SecretHash hash;
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), hash.data());
  return hash;
}

Directory::Caller Directory::Find(const SecretHash& secret) const {
  const auto key = keys.find(secret);
  if (key == keys.end()) return {};
  const auto tenant = tenants.find(key->second.tenant);
  if (tenant == tenants.end()) return {};
  return {.key = &key->second, .tenant = &tenant->second};
}

bool Directory::ReadsAll(const SecretHash& secret) const {
  const auto key = keys.find(secret);
  return key != keys.end() && key->second.tenant == storage::kAllTenants;
}

std::shared_ptr<const Directory> MakeDirectory(int64_t revision, const PolicyDocument& policy,
                                               const std::vector<storage::ApiKey>& keys) {
  auto directory = std::make_shared<Directory>();
  directory->is_loaded = true;
  directory->revision = revision;
  for (const TenantPolicy& tenant : policy.tenants) directory->tenants.emplace(tenant.name, tenant);
  for (const StreamPolicy& stream : policy.streams) directory->streams.emplace(stream.name, stream);
  for (const std::string& header : policy.tag_headers) {
    std::string& name = directory->tag_headers.emplace_back(header);
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  for (const storage::ApiKey& key : keys) {
    SecretHash hash;
    if (key.revoked_at.has_value() || key.secret_hash.size() != hash.size()) continue;
    std::copy(key.secret_hash.begin(), key.secret_hash.end(), hash.begin());
    directory->keys.emplace(hash, Directory::Key{.id = key.id, .tenant = key.tenant, .limits = key.limits});
  }
  return directory;
}

}  // namespace sluice::ingest
