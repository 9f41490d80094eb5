// Suppressions as array parameters of sql::kAddSuppressions, for whoever adds them in a transaction of
// its own. Internal: shows pqxx.
#pragma once

#include <vector>

#include "mail/suppression.h"
#include "storage/rows.h"

namespace sluice::storage {

inline std::string_view BytesView(const AddressHash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

inline Parameters SuppressionParameters(const std::vector<Suppression>& suppressions) {
  BinaryArray<Bytes> hash;
  BinaryArray<Text> tenant, address, reason, detail;
  BinaryArray<Instant> created_at, expires_at;
  for (const Suppression& one : suppressions) {
    hash.Add(BytesView(HashAddress(one.address)));
    tenant.Add(one.tenant);
    address.Add(one.address);
    reason.Add(ToString(one.reason));
    detail.Add(one.detail);
    created_at.Add(one.created_at);
    one.expires_at ? expires_at.Add(*one.expires_at) : expires_at.AddNull();
  }
  Parameters parameters;
  parameters.Add(hash).Add(tenant).Add(address).Add(reason).Add(detail);
  parameters.Add(created_at).Add(expires_at);
  return parameters;
}

}  // namespace sluice::storage
