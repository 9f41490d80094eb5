// Tenants' rates of the policy: how many entries may leave now. A rate holds for the whole system; this scheduler acts on the
// part of it that its shards are of all shards. A shard has one owner, so the parts never add up to more than the rate, and a
// part lapses with the lease that it comes from.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "mail/policy_document.h"
#include "policy/rate.h"
#include "scheduler/names.h"

namespace sluice::scheduler {

// Not thread-safe.
class TenantRates {
 public:
  // What was saved up is kept: an edit grants no fresh burst.
  void SetPolicy(const PolicyDocument& policy, Names& names, SteadyInstant now);
  void SetShare(int owned, int total, SteadyInstant now);
  // Takes up to `most` for entries of the tenant that leave now; all of them when it has no rate.
  int Take(uint32_t tenant, int most, SteadyInstant now);
  // Taken and not used.
  void Return(uint32_t tenant, int count, SteadyInstant now);
  bool May(uint32_t tenant, SteadyInstant now) const;

 private:
  struct Limit {
    Rate rate;  // Of the whole system.
    TokenBucket bucket;
  };
  Rate Share(const Rate& rate) const;

  int owned_ = 1, total_ = 1;
  absl::flat_hash_map<uint32_t, Limit> limits_;  // By tenant.
};

}  // namespace sluice::scheduler
