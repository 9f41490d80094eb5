// The suppressions in memory: some 25 bytes each, half a microsecond a question, nothing at all
// while there are none. Follows the table by the versions of its changes.
//
// Chosen by measurement over a look-up in the transaction that accepts (README of services/ingest).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <shared_mutex>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "storage/suppression_store.h"

namespace sluice::storage {

// Thread-safe; Follow one at a time.
class SuppressionSet {
 public:
  // For `tenant` or for all. `address` is a valid mailbox in any letter case.
  bool Contains(std::string_view tenant, std::string_view address) const;
  // Takes over what changed since the last call; everything at first, and again after so long a
  // pause that removals may have been forgotten. On an error what is known stays in force.
  absl::Status Follow(SuppressionStore& store, SteadyInstant now);
  // Everything was read at least once.
  bool is_loaded() const { return is_loaded_; }
  int64_t size() const { return size_; }

 private:
  // Many small tables: growing one stops the readers of one for a moment, not all.
  static constexpr size_t kParts = 64;
  struct Part {
    mutable std::shared_mutex mutex;
    absl::flat_hash_set<uint64_t> keys;
  };
  const Part& PartOf(uint64_t key) const { return parts_[key >> 58]; }
  bool ContainsKey(uint64_t key) const;
  void Apply(const SuppressionChange& change);
  // Takes over what `fresh` has in place of all that is here.
  void Adopt(SuppressionSet& fresh);

  std::array<Part, kParts> parts_;
  std::atomic<int64_t> size_{0};
  std::atomic<bool> is_loaded_{false};
  int64_t version_ = 0;
  SteadyInstant followed_at_{};
};

}  // namespace sluice::storage
