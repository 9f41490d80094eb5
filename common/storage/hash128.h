// Sixteen bytes of a hash, kept as a uuid in the database.
#pragma once

#include <compare>
#include <cstdint>

namespace sluice::storage {

struct Hash128 {
  uint64_t high = 0;
  uint64_t low = 0;
  friend auto operator<=>(const Hash128&, const Hash128&) = default;
};

}  // namespace sluice::storage
