// Entries that are due later, in buckets of one second. Buckets stand in pages of some minutes, so that neither an entry nor a
// second costs a node.
#pragma once

#include <array>
#include <bitset>
#include <map>
#include <memory>

#include "scheduler/entry_index.h"

namespace sluice::scheduler {

// Not thread-safe.
class Calendar {
 public:
  // `slot` must be in no list; its place becomes waiting.
  void Add(EntryIndex& index, Slot slot);
  // Takes one entry that is due at `now`; kNoSlot = none.
  Slot PopDue(EntryIndex& index, Instant now);

 private:
  static constexpr size_t kSeconds = 512;
  struct Page {
    std::array<EntryList, kSeconds> buckets;
    std::bitset<kSeconds> used;
  };
  std::map<uint32_t, std::unique_ptr<Page>> pages_;  // By second / kSeconds.
};

}  // namespace sluice::scheduler
