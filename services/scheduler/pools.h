// Pools of the policy in force over the fleet's sources: which member sends the next entry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "mail/policy_document.h"
#include "policy/rotation.h"
#include "scheduler/fleet.h"
#include "scheduler/flows.h"

namespace sluice::scheduler {

struct Choice {
  uint16_t source = kNoSource;
  Parked parked = Parked::kNot;  // Why there is none.
};

// Not thread-safe.
class Pools {
 public:
  explicit Pools(Fleet& fleet) : fleet_(fleet) {}
  // Members that stay keep their turn.
  void SetPolicy(const PolicyDocument& policy);
  size_t size() const { return pools_.size(); }
  const std::string& name(uint32_t pool) const { return pools_[pool].name; }
  // A retry keeps its source while that can send; else smooth weighted rotation over the members that can. A member that is
  // only busy keeps its turn, so that weights hold under load; one whose path fails, or cannot send, drops out until it recovers.
  Choice Pick(uint32_t pool, uint32_t provider, uint32_t site, uint32_t tenant, uint16_t last_source);

 private:
  struct Pool {
    std::string name;
    std::vector<uint16_t> sources;
    std::vector<RotationMember> members;
    struct Turn {
      Rotation rotation;
      int waiting = -1;  // Picked, and found busy: its turn is still to come.
    };
    absl::flat_hash_map<uint32_t, Turn> turns;  // By provider.
  };
  Fleet& fleet_;
  std::vector<Pool> pools_;
  std::vector<uint8_t> eligible_;  // Scratch.
};

}  // namespace sluice::scheduler
