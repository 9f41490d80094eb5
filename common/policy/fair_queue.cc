#include "policy/fair_queue.h"

#include <algorithm>

#include "base/check.h"

namespace sluice {

template <class Node>
void FairQueue::PushBack(std::vector<Node>& nodes, Ring& ring, uint32_t number) {
  nodes[number].next = kNone;
  if (ring.tail == kNone) {
    ring.head = number;
  } else {
    nodes[ring.tail].next = number;
  }
  ring.tail = number;
}

template <class Node>
uint32_t FairQueue::PopFront(std::vector<Node>& nodes, Ring& ring) {
  const uint32_t number = ring.head;
  ring.head = nodes[number].next;
  if (ring.head == kNone) ring.tail = kNone;
  return number;
}

void FairQueue::OpenLane(uint32_t number, uint32_t tenant, bool high) {
  if (number >= lanes_.size()) lanes_.resize(number + 1);
  if (tenant >= tenants_.size()) tenants_.resize(tenant + 1);
  LaneNode& lane = lanes_[number];
  SLUICE_CHECK(lane.flows.empty() && !lane.in);
  lane = LaneNode();
  lane.tenant = tenant;
  lane.high = high;
}

void FairQueue::Add(uint32_t number, uint32_t lane) {
  if (number >= flows_.size()) flows_.resize(number + 1);
  FlowNode& flow = flows_[number];
  if (flow.in) return;
  flow = {.lane = lane, .in = true};
  PushBack(flows_, lanes_[lane].flows, number);
  EnterLane(lane);
}

void FairQueue::EnterLane(uint32_t number) {
  LaneNode& lane = lanes_[number];
  if (lane.in || lane.parked || lane.flows.empty()) return;
  lane.in = true;
  lane.left = kQuantum;
  PushBack(lanes_, tenants_[lane.tenant].lanes[lane.high ? 1 : 0], number);
  EnterTenant(lane.tenant);
}

void FairQueue::EnterTenant(uint32_t number) {
  TenantNode& tenant = tenants_[number];
  if (tenant.in || tenant.parked || (tenant.lanes[0].empty() && tenant.lanes[1].empty())) return;
  tenant.in = true;
  tenant.left = kQuantum;
  PushBack(tenants_, ring_, number);
}

int FairQueue::ClassOf(const TenantNode& tenant) {
  if (tenant.lanes[1].empty()) return 0;
  return tenant.lanes[0].empty() || tenant.high_left > 0 ? 1 : 0;
}

// Only what is served while the other class waits counts.
void FairQueue::Charge(TenantNode& tenant, int count) const {
  if (tenant.lanes[0].empty() || tenant.lanes[1].empty()) return;
  if (class_ == 1) {
    tenant.high_left -= count;
    return;
  }
  tenant.normal_left -= count;
  if (tenant.normal_left > 0) return;
  tenant.normal_left = kQuantum;
  tenant.high_left = kQuantum * kHighQuanta;
}

FairQueue::Turn FairQueue::Next() {
  if (ring_.empty()) return {};
  const TenantNode& tenant = tenants_[ring_.head];
  class_ = ClassOf(tenant);
  const LaneNode& lane = lanes_[tenant.lanes[static_cast<size_t>(class_)].head];
  const FlowNode& flow = flows_[lane.flows.head];
  return {.flow = lane.flows.head, .most = std::min({tenant.left, lane.left, int{flow.left}})};
}

void FairQueue::Served(int count, Then then) {
  const uint32_t tenant_number = ring_.head;
  TenantNode& tenant = tenants_[tenant_number];
  Ring& lanes = tenant.lanes[static_cast<size_t>(class_)];
  const uint32_t lane_number = lanes.head;
  LaneNode& lane = lanes_[lane_number];
  FlowNode& flow = flows_[lane.flows.head];
  SLUICE_CHECK(count >= 0 && count <= flow.left && (count > 0 || then != Then::kMore));
  Charge(tenant, count);
  flow.left = static_cast<uint8_t>(flow.left - count);
  lane.left -= count;
  tenant.left -= count;

  if (then == Then::kGone || flow.left == 0) {
    const uint32_t number = PopFront(flows_, lane.flows);
    flow.left = kQuantum;
    flow.in = then != Then::kGone;
    if (flow.in) PushBack(flows_, lane.flows, number);
  }
  lane.parked = then == Then::kLaneParked;
  if (lane.parked || lane.flows.empty() || lane.left <= 0) {
    PopFront(lanes_, lanes);
    lane.left = kQuantum;
    lane.in = !lane.parked && !lane.flows.empty();
    if (lane.in) PushBack(lanes_, lanes, lane_number);
  }
  tenant.parked = then == Then::kTenantParked;
  const bool has_lanes = !tenant.lanes[0].empty() || !tenant.lanes[1].empty();
  if (tenant.parked || !has_lanes || tenant.left <= 0) {
    PopFront(tenants_, ring_);
    tenant.left = kQuantum;
    tenant.in = !tenant.parked && has_lanes;
    if (tenant.in) PushBack(tenants_, ring_, tenant_number);
  }
}

void FairQueue::WakeLane(uint32_t number) {
  if (!lanes_[number].parked) return;
  lanes_[number].parked = false;
  EnterLane(number);
}

void FairQueue::WakeTenant(uint32_t number) {
  if (!TenantIsParked(number)) return;
  tenants_[number].parked = false;
  EnterTenant(number);
}

}  // namespace sluice
