#include "scheduler/entry_index.h"

#include "base/check.h"

namespace sluice::scheduler {
namespace {
constexpr int64_t kTickMicros = 10'000;
// Spreads consecutive ids over all bits (the finalizer of splitmix64).
uint64_t HashOf(int64_t id) {
  auto x = static_cast<uint64_t>(id);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

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
  if (Find(entry.id) != kNoSlot) return kNoSlot;
  Slot slot = free_;
  if (slot == kNoSlot) {
    slot = static_cast<Slot>(entries_.size());
    SLUICE_CHECK(slot != kNoSlot);
    entries_.Add();
  } else {
    free_ = entries_[slot].next;
  }
  entries_[slot] = entry;
  entries_[slot].in_list = 0;
  slots_.Insert(HashOf(entry.id), slot, [&](Slot other) { return HashOf(entries_[other].id); });
  return slot;
}

Slot EntryIndex::Find(int64_t id) const {
  return slots_.Find(HashOf(id), [&](Slot slot) { return entries_[slot].id == id; });
}

Slot EntryIndex::Free(Slot slot) {
  entries_[slot].place = Place::kFree;
  entries_[slot].next = free_;
  return free_ = slot;
}

void EntryIndex::End(Slot slot) {
  Entry& entry = entries_[slot];
  slots_.Erase(HashOf(entry.id), slot);
  if (entry.in_list != 0) {
    entry.place = Place::kEnded;
  } else {
    Free(slot);
  }
}

Slot EntryIndex::Detach(Slot slot) {
  if (entries_[slot].in_list == 0) return slot;
  const Entry copy = entries_[slot];
  End(slot);
  return Add(copy);
}

bool EntryIndex::TakenOff(Slot slot) {
  Entry& entry = entries_[slot];
  entry.in_list = 0;
  if (entry.place == Place::kEnded) Free(slot);
  return IsListed(entry.place);
}

void EntryList::PushBack(EntryIndex& index, Slot slot) {
  slot = index.Detach(slot);
  Entry& entry = index[slot];
  entry.in_list = 1;
  entry.next = kNoSlot;
  if (tail == kNoSlot) {
    head = slot;
  } else {
    index[tail].next = slot;
  }
  tail = slot;
}

void EntryList::PushFront(EntryIndex& index, Slot slot) {
  slot = index.Detach(slot);
  Entry& entry = index[slot];
  entry.in_list = 1;
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

void EntryRing::PushBack(EntryIndex& index, Slot slot) {
  slot = index.Detach(slot);
  index[slot].in_list = 1;
  index[slot].next = last == kNoSlot ? slot : index[last].next;
  if (last != kNoSlot) index[last].next = slot;
  last = slot;
}

EntryList EntryRing::TakeAll(EntryIndex& index) {
  if (last == kNoSlot) return {};
  EntryList list{.head = index[last].next, .tail = last};
  index[last].next = kNoSlot;
  last = kNoSlot;
  return list;
}

}  // namespace sluice::scheduler
