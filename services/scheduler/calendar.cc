#include "scheduler/calendar.h"

namespace sluice::scheduler {
namespace {
constexpr uint32_t kBucketTicks = 100;
}

void Calendar::Add(EntryIndex& index, Slot slot) {
  Entry& entry = index[slot];
  entry.place = Place::kWaiting;
  const uint32_t rounded = entry.due > UINT32_MAX - kBucketTicks
                               ? UINT32_MAX
                               : (entry.due + kBucketTicks - 1) / kBucketTicks * kBucketTicks;
  buckets_[rounded].PushBack(index, slot);
}

Slot Calendar::PopDue(EntryIndex& index, Instant now) {
  while (!buckets_.empty()) {
    const auto first = buckets_.begin();
    if (FromTicks(first->first) > now) return kNoSlot;
    const Slot slot = first->second.Pop(index);
    if (slot != kNoSlot) return slot;
    buckets_.erase(first);
  }
  return kNoSlot;
}

Instant Calendar::NextDue() const {
  return buckets_.empty() ? Instant::max() : FromTicks(buckets_.begin()->first);
}

}  // namespace sluice::scheduler
