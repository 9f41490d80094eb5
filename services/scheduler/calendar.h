// Entries that are due later, in buckets of one second.
#pragma once

#include <map>

#include "scheduler/entry_index.h"

namespace sluice::scheduler {

// Not thread-safe.
class Calendar {
 public:
  // `slot` must be in no list; its place becomes waiting.
  void Add(EntryIndex& index, Slot slot);
  // Takes one entry that is due at `now`; kNoSlot = none.
  Slot PopDue(EntryIndex& index, Instant now);
  // When the next bucket is due; Instant::max() = nothing waits.
  Instant NextDue() const;

 private:
  std::map<uint32_t, EntryList> buckets_;  // By the bucket's end in ticks: nothing is early.
};

}  // namespace sluice::scheduler
