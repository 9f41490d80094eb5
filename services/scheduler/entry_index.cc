#include "scheduler/entry_index.h"

#include "base/check.h"

namespace sluice::scheduler {
namespace {
constexpr int64_t kTickMicros = 10'000;
constexpr int64_t kEpochMicros = 1'767'225'600LL * 1'000'000;  // 2026-01-01T00:00:00Z
}  // namespace

uint32_t ToTicks(Instant at) {
  const int64_t micros = ToMicros(at) - kEpochMicros;
  if (micros <= 0) return 0;
  const int64_t ticks = (micros + kTickMicros - 1) / kTickMicros;
  return ticks >= UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(ticks);
}

Instant FromTicks(uint32_t ticks) { return FromMicros(kEpochMicros + int64_t{ticks} * kTickMicros); }

Slot EntryIndex::Add(const Entry& entry) {
  const auto [it, fresh] = slots_.try_emplace(entry.id, kNoSlot);
  if (!fresh) return kNoSlot;
  Slot slot;
  if (free_.empty()) {
    slot = static_cast<Slot>(entries_.size());
    SLUICE_CHECK(slot != kNoSlot);
    entries_.push_back(entry);
  } else {
    slot = free_.back();
    free_.pop_back();
    entries_[slot] = entry;
  }
  entries_[slot].in_list = false;
  it->second = slot;
  return slot;
}

Slot EntryIndex::Find(int64_t id) const {
  const auto it = slots_.find(id);
  return it == slots_.end() ? kNoSlot : it->second;
}

void EntryIndex::End(Slot slot) {
  Entry& entry = entries_[slot];
  SLUICE_CHECK(slots_.erase(entry.id) == 1);
  if (entry.in_list) {
    entry.place = Place::kEnded;
    return;
  }
  entry.place = Place::kFree;
  free_.push_back(slot);
}

bool EntryIndex::TakenOff(Slot slot) {
  Entry& entry = entries_[slot];
  entry.in_list = false;
  if (entry.place != Place::kEnded) return true;
  entry.place = Place::kFree;
  free_.push_back(slot);
  return false;
}

void EntryList::PushBack(EntryIndex& index, Slot slot) {
  Entry& entry = index[slot];
  SLUICE_CHECK(!entry.in_list);
  entry.in_list = true;
  entry.next = kNoSlot;
  if (tail == kNoSlot) {
    head = slot;
  } else {
    index[tail].next = slot;
  }
  tail = slot;
}

void EntryList::PushFront(EntryIndex& index, Slot slot) {
  Entry& entry = index[slot];
  SLUICE_CHECK(!entry.in_list);
  entry.in_list = true;
  entry.next = head;
  head = slot;
  if (tail == kNoSlot) tail = slot;
}

void EntryList::Append(EntryIndex& index, EntryList& other) {
  if (other.empty()) return;
  if (empty()) {
    *this = other;
  } else {
    index[tail].next = other.head;
    tail = other.tail;
  }
  other = EntryList();
}

Slot EntryList::Pop(EntryIndex& index) {
  while (head != kNoSlot) {
    const Slot slot = head;
    head = index[slot].next;
    if (head == kNoSlot) tail = kNoSlot;
    if (index.TakenOff(slot)) return slot;
  }
  return kNoSlot;
}

}  // namespace sluice::scheduler
