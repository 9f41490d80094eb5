// Whose turn it is, by deficit round robin on three levels: tenants share alike; a tenant's lanes (one a stream, pool and
// priority) share what is the tenant's; a lane's flows (one a site) share what is the lane's. Pure: it knows numbers, no entries
// and no time.
//
//  - A tenant gets its share however many flows or entries others have: the quantum is counted in entries, and a flow that runs
//    dry passes the rest of its turn on within its lane, then within its tenant.
//  - High lanes of a tenant go before its normal ones, but of five quanta one is the normal ones': they never starve. Priority
//    never reaches beyond the tenant.
//  - Who cannot be served is out of every ring and costs nothing: a flow by itself, a lane with all its flows, a tenant with all
//    its lanes. What is left of the order inside is kept.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace sluice {

// Not thread-safe. Numbers of flows, lanes and tenants are dense and the caller's.
class FairQueue {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr int kQuantum = 16;      // Entries.
  static constexpr int kHighQuanta = 4;    // Of high lanes in a row while normal ones wait.

  // A lane belongs to one tenant for good; again with others only while it holds no flow.
  void OpenLane(uint32_t lane, uint32_t tenant, bool high);
  // The flow has work and may be served. Nothing when it is in its lane already.
  void Add(uint32_t flow, uint32_t lane);

  struct Turn {
    uint32_t flow = kNone;
    int most = 0;  // Entries.
  };
  // Whose turn it is: the same until Served says what became of it. kNone: nobody can be served.
  Turn Next();

  enum class Then : uint8_t {
    kMore,          // It has more: stays until its quantum is used.
    kGone,          // The flow leaves: it has no more, or is parked.
    kLaneParked,    // The lane leaves with its flows, this one first.
    kTenantParked,  // The tenant leaves with its lanes.
  };
  // `count` entries of the flow of Next were served; 0 only with one of the other three.
  void Served(int count, Then then);

  // Nothing when it is not parked. They come back at the end of their ring.
  void WakeLane(uint32_t lane);
  void WakeTenant(uint32_t tenant);
  bool LaneIsParked(uint32_t lane) const { return lanes_[lane].parked; }
  bool TenantIsParked(uint32_t tenant) const { return tenant < tenants_.size() && tenants_[tenant].parked; }
  // False: Next answers kNone.
  bool HasTurns() const { return ring_.head != kNone; }

 private:
  struct Ring {
    uint32_t head = kNone, tail = kNone;
    bool empty() const { return head == kNone; }
  };
  struct FlowNode {
    uint32_t next = kNone, lane = kNone;
    uint8_t left = kQuantum;
    bool in = false;
  };
  struct LaneNode {
    uint32_t next = kNone, tenant = kNone;
    Ring flows;
    int left = kQuantum;
    bool high = false, in = false, parked = false;
  };
  struct TenantNode {
    uint32_t next = kNone;
    std::array<Ring, 2> lanes;  // Normal, high.
    int left = kQuantum;
    int high_left = kQuantum * kHighQuanta, normal_left = kQuantum;
    bool in = false, parked = false;
  };

  template <class Node>
  static void PushBack(std::vector<Node>& nodes, Ring& ring, uint32_t number);
  template <class Node>
  static uint32_t PopFront(std::vector<Node>& nodes, Ring& ring);
  void EnterLane(uint32_t lane);
  void EnterTenant(uint32_t tenant);
  static int ClassOf(const TenantNode& tenant);
  void Charge(TenantNode& tenant, int count) const;

  std::vector<FlowNode> flows_;
  std::vector<LaneNode> lanes_;
  std::vector<TenantNode> tenants_;
  Ring ring_;  // Of tenants.
  int class_ = 0;  // Of the lane that Next chose: what is added before Served must not change it.
};

}  // namespace sluice
