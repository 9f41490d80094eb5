// Domains that are to be looked up: so many at once as DNS takes, tenants in turn, so that a tenant with a million domains delays
// nobody else's, and only as fast as their mail can be filed.
#pragma once

#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_map.h"

namespace sluice::scheduler {

// Not thread-safe. A domain may wait for several tenants, and more than once: what was looked up meanwhile is passed over by the
// caller.
class Lookups {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  void Add(uint32_t tenant, uint32_t domain) {
    std::deque<uint32_t>& mine = domains_[tenant];
    if (mine.empty()) turns_.push_back(tenant);
    mine.push_back(domain);
  }
  // The next domain of the next tenant for which `may(tenant)`; kNone when there is none.
  template <class May>
  uint32_t Next(May may) {
    for (size_t left = turns_.size(); left > 0; --left) {
      const uint32_t tenant = turns_.front();
      turns_.pop_front();
      if (!may(tenant)) {
        turns_.push_back(tenant);
        continue;
      }
      const auto it = domains_.find(tenant);
      const uint32_t domain = it->second.front();
      it->second.pop_front();
      if (it->second.empty()) {
        domains_.erase(it);
      } else {
        turns_.push_back(tenant);
      }
      return domain;
    }
    return kNone;
  }

 private:
  std::deque<uint32_t> turns_;
  absl::flat_hash_map<uint32_t, std::deque<uint32_t>> domains_;
};

}  // namespace sluice::scheduler
