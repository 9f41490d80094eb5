#include "policy/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace sluice {
namespace {

using Then = FairQueue::Then;
using ::testing::ElementsAre;

// Flows with backlogs over the queue: serves what it says and keeps count.
struct Served {
  struct Flow {
    uint32_t lane = 0;
    int backlog = 0;
  };
  FairQueue queue;
  std::map<uint32_t, Flow> flows;
  std::map<uint32_t, uint32_t> tenant_of;  // By lane.
  std::map<uint32_t, int> by_flow, by_lane, by_tenant;

  void Lane(uint32_t lane, uint32_t tenant, bool high = false) {
    queue.OpenLane(lane, tenant, high);
    tenant_of[lane] = tenant;
  }
  void Fill(uint32_t flow, uint32_t lane, int backlog) {
    flows[flow] = {lane, flows[flow].backlog + backlog};
    queue.Add(flow, lane);
  }
  // One turn of at most `most` entries; answers the flow.
  uint32_t Turn(int most = FairQueue::kQuantum) {
    const FairQueue::Turn turn = queue.Next();
    if (turn.flow == FairQueue::kNone) return turn.flow;
    Flow& flow = flows[turn.flow];
    const int count = std::min({turn.most, most, flow.backlog});
    flow.backlog -= count;
    by_flow[turn.flow] += count;
    by_lane[flow.lane] += count;
    by_tenant[tenant_of[flow.lane]] += count;
    queue.Served(count, flow.backlog == 0 ? Then::kGone : Then::kMore);
    return turn.flow;
  }
  void Serve(int entries) {
    for (int left = entries; left > 0 && queue.HasTurns();) {
      const int before = Total();
      Turn(left);
      left -= Total() - before;
    }
  }
  int Total() const {
    int total = 0;
    for (const auto& [flow, count] : by_flow) total += count;
    return total;
  }
};

TEST(FairQueueTest, NobodyHasATurnInAnEmptyQueue) {
  FairQueue queue;
  EXPECT_EQ(queue.Next().flow, FairQueue::kNone);
  EXPECT_FALSE(queue.HasTurns());
}

TEST(FairQueueTest, TenTenantsWithUnequalBacklogsGetATenthEach) {
  Served served;
  uint32_t flow = 0;
  for (uint32_t tenant = 0; tenant < 10; ++tenant) {
    served.Lane(tenant, tenant);
    // Tenant 0 has one deep flow, tenant 9 a thousand flows of a few entries.
    const uint32_t flows = tenant == 0 ? 1 : tenant * tenant * 12 + 1;
    for (uint32_t i = 0; i < flows; ++i) served.Fill(flow++, tenant, 200'000 / static_cast<int>(flows));
  }
  served.Serve(100'000);
  for (uint32_t tenant = 0; tenant < 10; ++tenant) {
    EXPECT_NEAR(served.by_tenant[tenant], 10'000, FairQueue::kQuantum) << tenant;
  }
}

TEST(FairQueueTest, ATrickleWaitsForOneQuantumOfEachOtherTenantHoweverDeepTheirBacklogs) {
  Served served;
  for (uint32_t tenant = 0; tenant < 5; ++tenant) {
    served.Lane(tenant, tenant);
    served.Fill(tenant, tenant, 1'000'000);
  }
  served.Lane(5, 5);
  served.Serve(1'000);
  served.Fill(5, 5, 1);
  const int before = served.Total();
  while (served.by_flow[5] == 0) served.Turn();
  EXPECT_LE(served.Total() - before, 5 * FairQueue::kQuantum + 1);
}

TEST(FairQueueTest, OfFiveQuantaOneIsTheNormalLanesWhileHighOnesAreFull) {
  Served served;
  served.Lane(0, 0, true);
  served.Lane(1, 0, false);
  served.Fill(0, 0, 100'000);
  served.Fill(1, 1, 100'000);
  served.Serve(50'000);
  EXPECT_NEAR(served.by_lane[1], 10'000, 5 * FairQueue::kQuantum);
}

TEST(FairQueueTest, APriorityDoesNotReachBeyondItsTenant) {
  Served served;
  served.Lane(0, 0, true);
  served.Lane(1, 1, false);
  served.Fill(0, 0, 100'000);
  served.Fill(1, 1, 100'000);
  served.Serve(50'000);
  EXPECT_NEAR(served.by_tenant[0], served.by_tenant[1], FairQueue::kQuantum);
}

TEST(FairQueueTest, LanesOfATenantShareAlikeHoweverManyFlowsOneHas) {
  Served served;
  served.Lane(0, 0);
  served.Lane(1, 0);
  for (uint32_t flow = 0; flow < 1'000; ++flow) served.Fill(flow, 0, 50);
  served.Fill(1'000, 1, 50'000);
  served.Serve(20'000);
  EXPECT_NEAR(served.by_lane[0], served.by_lane[1], FairQueue::kQuantum);
}

TEST(FairQueueTest, AFlowServedInPiecesKeepsItsTurnUntilItsQuantumIsUsed) {
  Served served;
  served.Lane(0, 0);
  served.Fill(0, 0, 100);
  served.Fill(1, 0, 100);
  std::vector<uint32_t> turns;
  for (int i = 0; i < 4; ++i) turns.push_back(served.Turn(FairQueue::kQuantum / 2));
  EXPECT_THAT(turns, ElementsAre(0, 0, 1, 1));
}

TEST(FairQueueTest, AParkedLaneComesBackWithItsFlowsInTheirOrder) {
  Served served;
  served.Lane(0, 0);
  served.Lane(1, 0);
  for (uint32_t flow = 0; flow < 3; ++flow) served.Fill(flow, 0, 100);
  served.Fill(9, 1, 1'000);
  EXPECT_EQ(served.Turn(), 0u);
  EXPECT_EQ(served.Turn(), 9u);
  EXPECT_EQ(served.queue.Next().flow, 1u);
  served.queue.Served(0, Then::kLaneParked);
  EXPECT_TRUE(served.queue.LaneIsParked(0));
  served.Fill(3, 0, 100);  // What comes to a parked lane waits with it.
  for (int i = 0; i < 5; ++i) EXPECT_EQ(served.Turn(), 9u);
  served.queue.WakeLane(0);
  served.by_flow.clear();
  while (served.by_flow[3] == 0) served.Turn();
  EXPECT_EQ(served.by_flow[1], FairQueue::kQuantum);
  EXPECT_EQ(served.by_flow[2], FairQueue::kQuantum);
}

TEST(FairQueueTest, AParkedTenantHasNoTurnUntilItIsWoken) {
  Served served;
  served.Lane(0, 0);
  served.Lane(1, 1);
  served.Fill(0, 0, 100);
  served.Fill(1, 1, 100);
  EXPECT_EQ(served.queue.Next().flow, 0u);
  served.queue.Served(3, Then::kTenantParked);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(served.Turn(), 1u);
  served.queue.WakeTenant(0);
  served.queue.WakeTenant(0);
  served.Turn();
  EXPECT_EQ(served.queue.Next().flow, 0u);
}

TEST(FairQueueTest, WhatIsAddedDuringATurnDoesNotTakeItsPlace) {
  Served served;
  served.Lane(0, 0, false);
  served.Lane(1, 0, true);
  served.Fill(0, 0, 100);
  EXPECT_EQ(served.queue.Next().flow, 0u);
  served.Fill(1, 1, 100);  // A high lane of the same tenant.
  served.queue.Served(4, Then::kMore);
  EXPECT_EQ(served.queue.Next().flow, 1u);
}

// Random arrivals, parks and wakes against what is promised at any moment: who can be served is served, each as often as every
// other, and nobody else is.
class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed) {
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      tenant_of_[lane] = Pick(kTenants);
      queue_.OpenLane(lane, tenant_of_[lane], Pick(2) == 1);
    }
  }

  void Step() {
    switch (Pick(6)) {
      case 0: {
        const uint32_t flow = Pick(kFlows);
        if (in_.contains(flow)) break;
        lane_of_[flow] = Pick(kLanes);
        in_.insert(flow);
        queue_.Add(flow, lane_of_[flow]);
        break;
      }
      case 1: {
        const uint32_t lane = Pick(kLanes);
        parked_lanes_.erase(lane);
        queue_.WakeLane(lane);
        break;
      }
      case 2: {
        const uint32_t tenant = Pick(kTenants);
        parked_tenants_.erase(tenant);
        queue_.WakeTenant(tenant);
        break;
      }
      default:
        Turn();
    }
    Check();
  }

 private:
  static constexpr uint32_t kTenants = 5, kLanes = 12, kFlows = 60;

  uint32_t Pick(uint32_t n) { return std::uniform_int_distribution<uint32_t>(0, n - 1)(random_); }
  bool CanBeServed(uint32_t flow) const {
    const uint32_t lane = lane_of_.at(flow);
    return !parked_lanes_.contains(lane) && !parked_tenants_.contains(tenant_of_.at(lane));
  }
  std::set<uint32_t> TenantsThatWait() const {
    std::set<uint32_t> waiting;
    for (const uint32_t flow : in_) {
      if (CanBeServed(flow)) waiting.insert(tenant_of_.at(lane_of_.at(flow)));
    }
    return waiting;
  }

  void Turn() {
    const FairQueue::Turn turn = queue_.Next();
    if (turn.flow == FairQueue::kNone) return;
    ASSERT_TRUE(in_.contains(turn.flow));
    ASSERT_TRUE(CanBeServed(turn.flow)) << "a parked one had a turn";
    ASSERT_GE(turn.most, 1);
    const uint32_t lane = lane_of_[turn.flow], tenant = tenant_of_[lane];
    const int count = 1 + static_cast<int>(Pick(static_cast<uint32_t>(turn.most)));
    const auto then = static_cast<Then>(Pick(4));
    if (then == Then::kGone) in_.erase(turn.flow);
    if (then == Then::kLaneParked) parked_lanes_.insert(lane);
    if (then == Then::kTenantParked) parked_tenants_.insert(tenant);
    queue_.Served(count, then);
    // Who waits all the while is passed by each other tenant for a quantum at most.
    const std::set<uint32_t> waiting = TenantsThatWait();
    std::erase_if(since_, [&](const auto& item) { return !waiting.contains(item.first); });
    for (const uint32_t waits : waiting) {
      if (waits == tenant) {
        since_[waits].clear();
      } else {
        since_[waits][tenant] += count;
        // Twice: one that leaves and comes back gets its quantum anew at the end of the ring.
        ASSERT_LE(since_[waits][tenant], 2 * FairQueue::kQuantum);
      }
    }
  }
  void Check() {
    ASSERT_EQ(queue_.HasTurns(), !TenantsThatWait().empty());
    for (const uint32_t lane : parked_lanes_) ASSERT_TRUE(queue_.LaneIsParked(lane));
  }

  std::mt19937_64 random_;
  FairQueue queue_;
  std::map<uint32_t, uint32_t> tenant_of_, lane_of_;
  std::set<uint32_t> in_, parked_lanes_, parked_tenants_;
  std::map<uint32_t, std::map<uint32_t, int>> since_;  // Waiting tenant → what others were served since its last turn.
};

TEST(FairQueueTest, HoldsItsPromisesUnderRandomArrivalsParksAndWakes) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Model model(seed);
    for (int step = 0; step < 3'000; ++step) {
      model.Step();
      if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace sluice
