// What routing asks of an entry, interned: entries of one kind of mail share one number.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/check.h"
#include "scheduler/names.h"

namespace sluice::scheduler {

// Numbers of Names.
struct Facts {
  uint32_t tenant = 0, stream = 0, campaign = 0, sender_domain = 0, tags = 0;
  uint32_t pool = 0;  // Moved there by an operator; the empty name = by the routes.
  friend bool operator==(const Facts&, const Facts&) = default;
  template <class H>
  friend H AbslHashValue(H h, const Facts& f) {
    return H::combine(std::move(h), f.tenant, f.stream, f.campaign, f.sender_domain, f.tags, f.pool);
  }
};

// Content partitions as small numbers. Never forgets: there are a few a day. Not thread-safe.
class Parts {
 public:
  uint16_t Number(int32_t part) {
    const auto [it, fresh] = numbers_.try_emplace(part, static_cast<uint16_t>(parts_.size()));
    if (fresh) {
      SLUICE_CHECK(parts_.size() < UINT16_MAX);
      parts_.push_back(part);
    }
    return it->second;
  }
  int32_t operator[](uint16_t number) const { return parts_[number]; }

 private:
  std::vector<int32_t> parts_;
  absl::flat_hash_map<int32_t, uint16_t> numbers_;
};

// Not thread-safe.
class FactsTable {
 public:
  static constexpr size_t kMost = size_t{1} << 24;  // An entry has 24 bits for it.
  uint32_t Number(const Facts& facts) {
    const auto [it, fresh] = numbers_.try_emplace(facts, static_cast<uint32_t>(all_.size()));
    if (fresh) {
      SLUICE_CHECK(all_.size() < kMost);
      all_.push_back(facts);
    }
    return it->second;
  }
  const Facts& operator[](uint32_t number) const { return all_[number]; }

 private:
  std::vector<Facts> all_;
  absl::flat_hash_map<Facts, uint32_t> numbers_;
};

}  // namespace sluice::scheduler
