// A hash index over numbered things kept elsewhere: finds a number by a key that only the owner of the things can compare.
// About six bytes a number; it grows a 256th at a time, so that no insertion waits for the whole.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace sluice::scheduler {

// Not thread-safe. `HashOf(number)` is the hash under which a number was inserted.
class NumberSet {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // The number under `hash` for which `is(number)`; kNone when there is none.
  template <class Is>
  uint32_t Find(uint64_t hash, Is is) const;
  // It must not be there.
  template <class HashOf>
  void Insert(uint64_t hash, uint32_t number, HashOf hash_of);
  void Erase(uint64_t hash, uint32_t number);
  size_t size() const { return size_; }

 private:
  static constexpr uint8_t kEmpty = 0, kErased = 1;
  static constexpr size_t kLeast = 16;

  struct Part {
    std::vector<uint8_t> tags;  // kEmpty, kErased, or bits of the hash: most misses end here.
    std::vector<uint32_t> numbers;
    uint32_t used = 0, live = 0;  // `used` counts erased ones, too.
  };
  static size_t PartOf(uint64_t hash) { return hash >> 56; }
  static uint8_t TagOf(uint64_t hash) { return static_cast<uint8_t>(hash >> 48) | 2; }
  static size_t Start(uint64_t hash, size_t capacity) {
    return static_cast<size_t>(((hash & 0xffffffff) * capacity) >> 32);
  }
  static void Put(Part& part, uint64_t hash, uint32_t number) {
    size_t at = Start(hash, part.tags.size());
    while (part.tags[at] > kErased) at = at + 1 < part.tags.size() ? at + 1 : 0;
    if (part.tags[at] == kEmpty) ++part.used;
    part.tags[at] = TagOf(hash);
    part.numbers[at] = number;
    ++part.live;
  }
  template <class HashOf>
  static void Resize(Part& part, HashOf hash_of);

  std::array<Part, 256> parts_;
  size_t size_ = 0;
};

template <class Is>
uint32_t NumberSet::Find(uint64_t hash, Is is) const {
  const Part& part = parts_[PartOf(hash)];
  if (part.tags.empty()) return kNone;
  const uint8_t tag = TagOf(hash);
  for (size_t at = Start(hash, part.tags.size()); part.tags[at] != kEmpty;) {
    if (part.tags[at] == tag && is(part.numbers[at])) return part.numbers[at];
    at = at + 1 < part.tags.size() ? at + 1 : 0;
  }
  return kNone;
}

template <class HashOf>
void NumberSet::Insert(uint64_t hash, uint32_t number, HashOf hash_of) {
  Part& part = parts_[PartOf(hash)];
  if ((part.used + 1) * 8 > part.tags.size() * 7) Resize(part, hash_of);
  Put(part, hash, number);
  ++size_;
}

inline void NumberSet::Erase(uint64_t hash, uint32_t number) {
  Part& part = parts_[PartOf(hash)];
  const size_t capacity = part.tags.size();
  size_t at = Start(hash, capacity);
  while (part.tags[at] == kErased || part.numbers[at] != number) at = at + 1 < capacity ? at + 1 : 0;
  const bool last = part.tags[at + 1 < capacity ? at + 1 : 0] == kEmpty;
  part.tags[at] = last ? kEmpty : kErased;
  if (last) --part.used;
  --part.live;
  --size_;
}

template <class HashOf>
void NumberSet::Resize(Part& part, HashOf hash_of) {
  const Part before = std::move(part);
  const size_t capacity = std::max(kLeast, size_t{before.live} * 10 / 7);
  part = Part();
  part.tags.assign(capacity, kEmpty);
  part.numbers.assign(capacity, 0);
  for (size_t at = 0; at < before.tags.size(); ++at) {
    if (before.tags[at] > kErased) Put(part, hash_of(before.numbers[at]), before.numbers[at]);
  }
}

}  // namespace sluice::scheduler
