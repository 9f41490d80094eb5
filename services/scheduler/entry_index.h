// Every entry of the owned shards in memory, 48 bytes each plus its place in the id map. An entry is in exactly one place:
//
//   resolving ──▶ ready (in a flow) ──▶ in flight ──▶ settling ──▶ gone
//       ▲            ▲    waiting (due later)            │
//       └────────────┴──────────┴────────────────────────┘ deferred
//   unrouted: no route names it; waits for a policy that does.   kept back: a constraint names its campaign or domain.
//   held: waits for a person.
//
// The places resolving, unrouted, kept back, ready and waiting are lists through `next`; an entry that ends while it is in one is marked ended
// and dropped when the list reaches it.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"

namespace sluice::scheduler {

using Slot = uint32_t;
inline constexpr Slot kNoSlot = UINT32_MAX;
inline constexpr uint16_t kNoSource = UINT16_MAX;

enum class Place : uint8_t { kFree, kResolving, kUnrouted, kKeptBack, kReady, kWaiting, kInFlight, kSettling, kHeld, kEnded };

// Centiseconds since 2026-01-01T00:00:00Z: 497 days in 32 bits. Rounded up, so that nothing is early.
uint32_t ToTicks(Instant at);
Instant FromTicks(uint32_t ticks);

struct Entry {
  int64_t id = 0;
  uint32_t facts = 0;   // Tenant, stream, campaign, sender domain, tags: a number of Facts.
  uint32_t domain = 0;  // A number of Domains.
  uint32_t part = 0;    // Content partition.
  uint32_t due = 0;
  uint32_t expires = 0;
  Slot next = kNoSlot;
  uint16_t recipient_index = 0;  // id - message id.
  uint16_t attempts = 0;
  uint16_t last_source = kNoSource;
  uint8_t crashes = 0;
  uint8_t priority = 1;
  uint8_t engagement = 0;
  Place place = Place::kFree;
  uint8_t key_waits = 0;  // Times that an egress lacked a key for it.
  bool in_list = false;  // `next` is in use by a list that has not reached it yet.

  int64_t message_id() const { return id - recipient_index; }
};
static_assert(sizeof(Entry) <= 48);

// Not thread-safe.
class EntryIndex {
 public:
  // The slot of a new entry; kNoSlot when the id is known already.
  Slot Add(const Entry& entry);
  Slot Find(int64_t id) const;
  Entry& operator[](Slot slot) { return entries_[slot]; }
  const Entry& operator[](Slot slot) const { return entries_[slot]; }
  // Forgets the id; the slot is free at once, or when its list lets go of it (see Release).
  void End(Slot slot);
  // A list has taken `slot` off: frees it if it had ended meanwhile. Answers whether the entry still lives.
  bool TakenOff(Slot slot);
  size_t size() const { return slots_.size(); }
  size_t capacity() const { return entries_.size(); }

 private:
  std::vector<Entry> entries_;
  std::vector<Slot> free_;
  absl::flat_hash_map<int64_t, Slot> slots_;
};

// First in, first out, through Entry::next.
struct EntryList {
  Slot head = kNoSlot, tail = kNoSlot;
  bool empty() const { return head == kNoSlot; }
  void PushBack(EntryIndex& index, Slot slot);
  void PushFront(EntryIndex& index, Slot slot);
  // The first entry that still lives, taken off; kNoSlot when none is left.
  Slot Pop(EntryIndex& index);
  // Takes all of `other` over, behind its own.
  void Append(EntryIndex& index, EntryList& other);
};

}  // namespace sluice::scheduler
