// Ready entries by flow (tenant × stream × pool × site × priority), and whose turn it is: tenants in turn, each with its flows in
// turn; high priority before normal, but every fifth turn is normal's. A flow that cannot be served is parked at what it waits
// for and comes back when that changes.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "scheduler/entry_index.h"

namespace sluice::scheduler {

using FlowNumber = uint32_t;
inline constexpr FlowNumber kNoFlow = UINT32_MAX;

struct FlowKey {
  uint32_t tenant = 0, stream = 0, pool = 0, site = 0;
  uint8_t priority = 1;
  friend bool operator==(const FlowKey&, const FlowKey&) = default;
  template <class H>
  friend H AbslHashValue(H h, const FlowKey& k) {
    return H::combine(std::move(h), k.tenant, k.stream, k.pool, k.site, k.priority);
  }
};

// What a parked flow waits for.
enum class Parked : uint8_t {
  kNot,
  kCredit,  // Some egress has to take more.
  kPath,    // Its site's paths are full.
  kPool,    // No member of its pool can send.
};

struct Flow {
  FlowKey key;
  EntryList ready;
  Parked parked = Parked::kNot;
  bool in_turn = false;
  bool in_use = false;
};

// Not thread-safe.
class Flows {
 public:
  // Files a ready entry; a flow that was empty gets its turn.
  void Add(EntryIndex& index, Slot slot, const FlowKey& key);
  void AddFront(EntryIndex& index, Slot slot, const FlowKey& key);
  Flow& operator[](FlowNumber number) { return flows_[number]; }

  // The flow whose turn it is, taken out of the round; kNoFlow when none can be served.
  FlowNumber NextTurn();
  // After serving: back into the round, or forgotten when empty.
  void Requeue(FlowNumber number);
  void Park(FlowNumber number, Parked why);
  // At most `most`: one that finds the credit gone parks again at the end.
  void WakeCredit(int64_t most);
  void WakeSite(uint32_t site);
  void WakePools();
  bool HasTurns() const { return turns_[0].count + turns_[1].count > 0; }
  size_t size() const { return numbers_.size(); }
  // Takes every ready entry out of every flow (a new policy files them anew).
  std::vector<Slot> TakeAll(EntryIndex& index);

 private:
  struct Round {
    std::deque<uint32_t> tenants;
    absl::flat_hash_map<uint32_t, std::deque<FlowNumber>> flows;
    size_t count = 0;
  };
  FlowNumber Get(const FlowKey& key);
  void Activate(FlowNumber number);
  FlowNumber Pop(Round& round);
  void Wake(FlowNumber number, Parked why);

  std::vector<Flow> flows_;
  std::vector<FlowNumber> free_;
  absl::flat_hash_map<FlowKey, FlowNumber> numbers_;
  std::array<Round, 2> turns_;  // Normal, high.
  int high_turns_ = 0;
  std::deque<FlowNumber> parked_credit_;
  std::vector<FlowNumber> parked_pool_;
  absl::flat_hash_map<uint32_t, std::vector<FlowNumber>> parked_site_;
};

}  // namespace sluice::scheduler
