#include "scheduler/calendar.h"

namespace sluice::scheduler {
namespace {
constexpr uint32_t kTicksPerSecond = 100;
}

void Calendar::Add(EntryIndex& index, Slot slot) {
  Entry& entry = index[slot];
  entry.place = Place::kWaiting;
  // The bucket's end: nothing is early.
  const uint32_t second = entry.due / kTicksPerSecond + (entry.due % kTicksPerSecond != 0 ? 1 : 0);
  std::unique_ptr<Page>& page = pages_[second / kSeconds];
  if (page == nullptr) page = std::make_unique<Page>();
  page->buckets[second % kSeconds].PushBack(index, slot);
  page->used.set(second % kSeconds);
}

Slot Calendar::PopDue(EntryIndex& index, Instant now) {
  while (!pages_.empty()) {
    const auto first = pages_.begin();
    Page& page = *first->second;
    const size_t bucket = page.used._Find_first();
    if (bucket < kSeconds) {
      const uint64_t second = uint64_t{first->first} * kSeconds + bucket;
      if (second * kTicksPerSecond <= UINT32_MAX && FromTicks(static_cast<uint32_t>(second * kTicksPerSecond)) > now) {
        return kNoSlot;
      }
      const Slot slot = page.buckets[bucket].Pop(index);
      if (page.buckets[bucket].empty()) page.used.reset(bucket);
      if (slot != kNoSlot) return slot;
      continue;
    }
    pages_.erase(first);
  }
  return kNoSlot;
}

}  // namespace sluice::scheduler
