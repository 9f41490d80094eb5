#include "scheduler/tenant_rates.h"

#include <algorithm>
#include <utility>

namespace sluice::scheduler {

Rate TenantRates::Share(const Rate& rate) const {
  return {.count = rate.count, .per = std::max(Duration(1), rate.per * total_ / std::max(owned_, 1))};
}

void TenantRates::SetPolicy(const PolicyDocument& policy, Names& names, SteadyInstant now) {
  absl::flat_hash_map<uint32_t, Limit> before = std::exchange(limits_, {});
  for (const TenantPolicy& tenant : policy.tenants) {
    if (!tenant.rate.has_value()) continue;
    const uint32_t number = names.Number(tenant.name);
    const Rate share = Share(*tenant.rate);
    const auto old = before.find(number);
    if (old == before.end()) {
      limits_.emplace(number, Limit{*tenant.rate, TokenBucket(share, DefaultBurst(share), now)});
      continue;
    }
    old->second.rate = *tenant.rate;
    old->second.bucket.SetRate(share, DefaultBurst(share), now);
    limits_.emplace(number, std::move(old->second));
  }
}

void TenantRates::SetShare(int owned, int total, SteadyInstant now) {
  if (owned_ == owned && total_ == total) return;
  owned_ = owned;
  total_ = std::max(total, owned);
  for (auto& [tenant, limit] : limits_) {
    const Rate share = Share(limit.rate);
    limit.bucket.SetRate(share, DefaultBurst(share), now);
  }
}

int TenantRates::Take(uint32_t tenant, int most, SteadyInstant now) {
  const auto it = limits_.find(tenant);
  if (it == limits_.end()) return most;
  const int count = static_cast<int>(std::min<int64_t>(most, it->second.bucket.Available(now)));
  return count > 0 && it->second.bucket.TryTake(count, now) ? count : 0;
}

void TenantRates::Return(uint32_t tenant, int count, SteadyInstant now) {
  if (count <= 0) return;
  if (const auto it = limits_.find(tenant); it != limits_.end()) it->second.bucket.Return(count, now);
}

bool TenantRates::May(uint32_t tenant, SteadyInstant now) const {
  const auto it = limits_.find(tenant);
  return it == limits_.end() || it->second.bucket.Available(now) > 0;
}

}  // namespace sluice::scheduler
