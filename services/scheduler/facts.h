// What routing asks of an entry, interned: entries of one kind of mail share one number.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "scheduler/names.h"

namespace sluice::scheduler {

// Numbers of Names.
struct Facts {
  uint32_t tenant = 0, stream = 0, campaign = 0, sender_domain = 0, tags = 0;
  friend bool operator==(const Facts&, const Facts&) = default;
  template <class H>
  friend H AbslHashValue(H h, const Facts& f) {
    return H::combine(std::move(h), f.tenant, f.stream, f.campaign, f.sender_domain, f.tags);
  }
};

// Not thread-safe.
class FactsTable {
 public:
  uint32_t Number(const Facts& facts) {
    const auto [it, fresh] = numbers_.try_emplace(facts, static_cast<uint32_t>(all_.size()));
    if (fresh) all_.push_back(facts);
    return it->second;
  }
  const Facts& operator[](uint32_t number) const { return all_[number]; }

 private:
  std::vector<Facts> all_;
  absl::flat_hash_map<Facts, uint32_t> numbers_;
};

}  // namespace sluice::scheduler
