// Ready entries by flow (tenant × stream × pool × site × priority) over the fair queue, and what each flow that cannot be served
// waits for. A lane is the flows of one tenant, stream, pool and priority.
//
// A new policy makes every flow stale at once: none of them is served again, their entries are filed anew a few at a time
// (NextStale, or when their turn comes). Parked flows, lanes and tenants are in no ring: they cost nothing until they are woken.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "policy/fair_queue.h"
#include "scheduler/entry_index.h"

namespace sluice::scheduler {

using FlowNumber = uint32_t;
inline constexpr FlowNumber kNoFlow = UINT32_MAX;

struct FlowKey {
  uint32_t tenant = 0, stream = 0, pool = 0, site = 0;
  uint8_t priority = 1;
  uint8_t engagement = 0;  // Class 0 to 3, where the pool warms somebody up; best first.
};

// What somebody who cannot be served waits for.
enum class Parked : uint8_t {
  kNot,
  kCredit,  // Lane: the egresses of its pool have to take more.
  kTenant,  // Lane: its tenant has its share of their credit in flight.
  kRate,    // Tenant: its rate.
  kPath,    // Flow: its site's paths are full.
  kDown,    // Flow: no path to its site can connect.
  kProbe,   // Flow: enough is in flight on paths that have yet to deliver.
  kPool,    // Flow: no member of its pool can send.
  kLimit,   // Flow: limits of the sources that could send let no more of it begin soon.
  kConstraint,  // Flow: constraints hold it, or all of its pool that could send.
  kGrant,   // Flow: grants are being drawn.
  kWarmup,  // Flow: its pool's warming sources have no allowance now.
  kShared,  // Flow: a rate that holds for several sources together.
};

// Not thread-safe.
class Flows {
 public:
  // Files a ready entry; a flow that was empty gets its turn.
  // `first`: before the others of its flow.
  void Add(EntryIndex& index, Slot slot, const FlowKey& key, bool first = false);

  struct Turn {
    FlowNumber flow = kNoFlow;
    int most = 0;  // Entries.
  };
  // Whose turn it is, until Served; kNoFlow when nobody can be served.
  Turn Next();
  FlowKey Key(FlowNumber number) const;
  EntryList& Ready(FlowNumber number) { return flows_[number].ready; }
  // `count` entries were taken off Ready of the flow of Next; whatever it waits for now, at `limit_group` where that is a limit (of
  // kShared, its number). `keeps_place`: first of those that wait for that: lighter mail would let heavy mail wait for ever.
  void Served(int count, Parked why, uint64_t limit_group = 0, uint32_t provider = 0, bool keeps_place = false);

  // At most `most` lanes, first come first.
  void WakeCredit(int64_t most);
  void WakeProbes(int64_t most);
  void WakeSite(uint32_t site);
  // A flow waits for the site as no path to it can connect.
  bool IsDown(uint32_t site) const { return down_sites_.contains(site); }
  // There is room for `count` more of the group: so many flows of each pool, first come first.
  void WakeLimit(uint64_t group, int64_t count);
  // Of some groups a turn, in turns: who was woken for room may have had another reason not to use it.
  void WakeSomeLimits();
  // Somebody can send again: whatever the members waited for. Who is bound or let go may reach a site that others cannot.
  void WakePools();
  void WakeConstraints();
  void WakeGrants();
  // At most `most` flows of (pool, provider), best mail first; true when some still wait.
  bool WakeWarmup(uint32_t pool, uint32_t provider, int64_t most);
  void WakeAllWarmup();
  // At most `most` flows that wait for the shared rate, high ones first but for every fifth; answers how many.
  int64_t WakeShared(uint64_t limit, int64_t most);
  bool AwaitsShared(uint64_t limit) const { return parked_shared_.contains(limit); }
  void WakeAllShared();
  // At least one flow of (pool, provider) waits for an allowance.
  bool WaitsForWarmup(uint32_t pool, uint32_t provider) const { return parked_warmup_.contains(WarmupKey(pool, provider)); }
  // Calls use(pool, provider, entries) for what waits for an allowance; those cancelled meanwhile are counted until their turn.
  void ForEachWarmupWaiting(absl::FunctionRef<void(uint32_t pool, uint32_t provider, int64_t entries)> use) const;
  // Wakes what waits for its tenant's share or rate where `may(tenant)`.
  template <class May>
  void WakeTenants(May may);
  bool HasTurns() const { return queue_.HasTurns(); }
  size_t size() const { return numbers_.size(); }
  bool HasSite(uint32_t site) const { return site < site_flows_.size() && site_flows_[site] > 0; }
  // Flows of the tenant, stale ones included, those to sites that are down not.
  uint32_t CountOf(uint32_t tenant) const { return tenant < tenant_flows_.size() ? tenant_flows_[tenant] : 0; }

  // All flows are stale from now on.
  void NewPolicy();
  bool IsStale(FlowNumber number) const { return lanes_[flows_[number].lane].generation != generation_; }
  // A stale flow that holds entries; kNoFlow when none is left. Drop it when its Ready is empty.
  FlowNumber NextStale();
  void DropStale(FlowNumber number);

 private:
  using LaneNumber = uint32_t;
  struct Lane {
    uint32_t tenant = 0, stream = 0, pool = 0, generation = 0;
    uint32_t flows = 0;
    uint8_t priority = 1, engagement = 0;
    friend bool operator==(const Lane& a, const Lane& b) {
      return a.tenant == b.tenant && a.stream == b.stream && a.pool == b.pool && a.generation == b.generation &&
             a.priority == b.priority && a.engagement == b.engagement;
    }
    template <class H>
    friend H AbslHashValue(H h, const Lane& l) {
      return H::combine(std::move(h), l.tenant, l.stream, l.pool, l.generation, l.priority, l.engagement);
    }
  };
  struct Flow {
    LaneNumber lane = 0;
    uint32_t site = 0;
    uint32_t count = 0;
    EntryList ready{};
    Parked parked = Parked::kNot;
    bool in_use = false;
    bool emptied = false;  // By DropStale, while it was in a ring.
  };
  static uint64_t WarmupKey(uint32_t pool, uint32_t provider) { return uint64_t{pool} << 32 | provider; }
  static uint64_t KeyOf(LaneNumber lane, uint32_t site) { return uint64_t{lane} << 32 | site; }
  LaneNumber LaneOf(const FlowKey& key);
  FlowNumber Get(const FlowKey& key);
  void Forget(FlowNumber number);
  void Wake(FlowNumber number, Parked why);

  FairQueue queue_;
  uint32_t generation_ = 0;
  std::vector<Lane> lanes_;
  std::vector<LaneNumber> free_lanes_;
  absl::flat_hash_map<Lane, LaneNumber> lane_numbers_;
  std::vector<Flow> flows_;
  std::vector<FlowNumber> free_;
  absl::flat_hash_map<uint64_t, FlowNumber> numbers_;  // By lane and site.
  std::vector<uint32_t> tenant_flows_, site_flows_;
  size_t stale_at_ = SIZE_MAX;  // The sweep over stale flows; past the end = done.
  FlowNumber turn_ = kNoFlow;

  std::deque<LaneNumber> parked_credit_;
  std::deque<FlowNumber> parked_probe_;
  std::vector<FlowNumber> parked_pool_, parked_constraint_;
  std::vector<FlowNumber> parked_grant_;
  static constexpr size_t kRanks = 8;  // Priority, then engagement.
  absl::flat_hash_map<uint64_t, std::array<std::deque<FlowNumber>, kRanks>> parked_warmup_;  // By pool and provider.
  // By group and pool. A group is in limit_turns_ while it is here.
  absl::flat_hash_map<uint64_t, std::map<uint32_t, std::deque<FlowNumber>>> parked_limit_;
  std::deque<uint64_t> limit_turns_;
  struct ByPriority {
    std::deque<FlowNumber> normal, high;
    int high_in_row = 0;
  };
  absl::flat_hash_map<uint64_t, ByPriority> parked_shared_;  // By limit.
  std::vector<LaneNumber> parked_tenant_;
  std::vector<uint32_t> parked_rate_;  // Tenants.
  absl::flat_hash_map<uint32_t, std::vector<FlowNumber>> parked_site_;
  absl::flat_hash_set<uint32_t> down_sites_;  // Where some of those wait with kDown.
};

template <class May>
void Flows::WakeTenants(May may) {
  std::erase_if(parked_rate_, [&](uint32_t tenant) {
    if (!may(tenant)) return false;
    queue_.WakeTenant(tenant);
    return true;
  });
  std::erase_if(parked_tenant_, [&](LaneNumber lane) {
    if (!may(lanes_[lane].tenant)) return false;
    queue_.WakeLane(lane);
    return true;
  });
}

}  // namespace sluice::scheduler
