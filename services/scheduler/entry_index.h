// Every entry of the owned shards in memory, 40 bytes each plus some six for its place by id. An entry is in exactly one place:
//
//   resolving ──▶ ready (in a flow) ──▶ in flight ──▶ settling ──▶ gone
//       ▲            ▲    waiting (due later)            │
//       └────────────┴──────────┴────────────────────────┘ deferred
//   unrouted: no route names it; waits for a policy that does.   kept back: a constraint names its campaign or domain.
//   held: waits for a person.
//
// The places resolving, unrouted, kept back, ready and waiting are lists through `next`; an entry that ends or goes elsewhere while it is in
// one is passed over when the list reaches it.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "scheduler/chunked.h"
#include "scheduler/number_set.h"

namespace sluice::scheduler {

using Slot = uint32_t;
inline constexpr Slot kNoSlot = UINT32_MAX;
// Of an entry: this and above are high.
inline constexpr int kHighPriority = 2;
inline constexpr uint16_t kNoSource = UINT16_MAX;
// As last source: a warming one was refused for its address; the pool's overflow is next.
inline constexpr uint16_t kMovesOn = UINT16_MAX - 1;

enum class Place : uint8_t { kFree, kResolving, kUnrouted, kKeptBack, kReady, kWaiting, kInFlight, kSettling, kHeld, kEnded };

// Centiseconds since 2026-01-01T00:00:00Z: 497 days in 32 bits. Rounded up, so that nothing is early.
uint32_t ToTicks(Instant at);
Instant FromTicks(uint32_t ticks);

struct Entry {
  int64_t id = 0;
  uint32_t domain = 0;  // A number of Domains.
  uint32_t accepted = 0, due = 0, expires = 0;
  Slot next = kNoSlot;
  uint16_t part = 0;  // Content partition: a number of Parts.
  uint16_t last_source = kNoSource;
  uint32_t facts : 24 = 0;     // Tenant, stream, campaign, sender domain, tags: a number of Facts.
  uint32_t engagement : 7 = 0;
  uint32_t in_list : 1 = 0;    // `next` is in use by a list that has not reached it yet.
  Place place : 4 = Place::kFree;
  uint32_t priority : 2 = 1;
  uint32_t crashes : 2 = 0;
  uint32_t recipient_index : 10 = 0;  // id - message id.
  uint32_t key_waits : 3 = 0;  // Times that an egress lacked a key for it.
  uint32_t attempts : 11 = 0;

  static constexpr int kMostAttempts = (1 << 11) - 1, kMostKeyWaits = 7;
  int64_t message_id() const { return id - recipient_index; }
};
static_assert(sizeof(Entry) == 40);

// In a place that is a list: what the list still holds of others is passed over when it comes to it.
constexpr bool IsListed(Place place) {
  return place == Place::kResolving || place == Place::kUnrouted || place == Place::kKeptBack || place == Place::kReady || place == Place::kWaiting;
}

// Not thread-safe.
class EntryIndex {
 public:
  // The slot of a new entry; kNoSlot when the id is known already.
  Slot Add(const Entry& entry);
  Slot Find(int64_t id) const;
  Entry& operator[](Slot slot) { return entries_[slot]; }
  const Entry& operator[](Slot slot) const { return entries_[slot]; }
  // Forgets the id; the slot is free at once, or when its list lets go of it (see TakenOff).
  void End(Slot slot);
  // The entry in a slot that no list holds: its own, or a new one while the old one stays behind as ended.
  Slot Detach(Slot slot);
  // A list has taken `slot` off: frees it if it had ended meanwhile. Answers whether the entry is the list's still.
  bool TakenOff(Slot slot);
  size_t size() const { return slots_.size(); }
  size_t capacity() const { return entries_.size(); }

 private:
  Slot Free(Slot slot);

  Chunked<Entry> entries_;
  Slot free_ = kNoSlot;  // Chained through `next`.
  NumberSet slots_;      // By id.
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

// Entries to be taken all at once, in four bytes: a ring, of which the last one is known.
struct EntryRing {
  Slot last = kNoSlot;
  void PushBack(EntryIndex& index, Slot slot);
  EntryList TakeAll(EntryIndex& index);
};

}  // namespace sluice::scheduler
