#include "policy/signing.h"

namespace sluice {

std::vector<SigningKey> SigningKeysOf(const PolicyDocument& policy) {
  std::vector<SigningKey> keys;
  for (const TenantPolicy& tenant : policy.tenants) {
    for (const DkimKey& key : policy.dkim_keys) {
      if (!MaySendAs(tenant, key.domain)) continue;
      keys.push_back({.tenant = tenant.name,
                      .domain = key.domain,
                      .selector = key.selector,
                      .key = key.key,
                      .algorithm = key.algorithm});
    }
  }
  return keys;
}

}  // namespace sluice
