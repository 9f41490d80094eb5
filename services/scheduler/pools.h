// Pools of the policy in force over the fleet's sources: which member sends the next entry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "mail/policy_document.h"
#include "policy/rotation.h"
#include "scheduler/allowances.h"
#include "scheduler/fleet.h"
#include "scheduler/flows.h"

namespace sluice::scheduler {

inline constexpr uint32_t kNoPool = UINT32_MAX;

struct Choice {
  uint16_t source = kNoSource;
  uint32_t pool = kNoPool;         // Whose member it is: the pool asked for, or an overflow of it.
  Parked parked = Parked::kNot;    // Why there is none.
  bool overflowed = false;         // For want of an allowance.
};
// Where an entry goes, and whose it is.
struct Target {
  uint32_t provider = 0, site = 0, tenant = 0;
  std::string_view provider_name;
  uint64_t limit_group = 0;
};

// Something keeps `source` back from what is about to leave through `pool`: a constraint.
using IsHeld = absl::FunctionRef<bool(uint32_t pool, uint16_t source)>;

// Not thread-safe.
class Pools {
 public:
  Pools(Fleet& fleet, Allowances& allowances) : fleet_(fleet), allowances_(allowances) {}
  // A pool keeps its number as long as the process lives, and members that stay keep their turn.
  void SetPolicy(const PolicyDocument& policy);
  // Pools of the policy in force.
  size_t size() const { return by_index_.size(); }
  // Of the pool at this index of the policy.
  uint32_t Number(int policy_index) const { return by_index_[static_cast<size_t>(policy_index)]; }
  const std::string& name(uint32_t pool) const { return pools_[pool].name; }
  // It takes new mail: a member of it with a weight above 0.
  bool HasMember(uint32_t pool, uint16_t source) const;
  // With any weight.
  bool IsMember(uint32_t pool, uint16_t source) const;
  // `to` is `from` or an overflow of it.
  bool Reaches(uint32_t from, uint32_t to) const;
  // A retry keeps its source while that can send; else smooth weighted rotation over the members that can. A member that is
  // only busy keeps its turn, so that weights hold under load; one that is held, whose path fails, that has no allowance
  // or cannot send, drops out until it recovers: then reserves step in, and where all who could send are held or without
  // allowance, the overflow. One whose limits have no room (`limit_group` of the site) drops out, too, so that it holds nobody up.
  Choice Pick(uint32_t pool, const Target& target, uint16_t last_source, Instant now, IsHeld is_held);

  struct Member {
    uint16_t source = kNoSource;
    int weight = 0;
    bool reserve = false;
  };
  std::vector<Member> members(uint32_t pool) const;
  // kNoPool: none.
  uint32_t overflow(uint32_t pool) const { return pools_[pool].overflow; }
  bool IsWarming(uint32_t pool) const;
  // Calls use(pool) for each pool that has the source.
  template <class Use>
  void ForEachWith(uint16_t source, Use use) const {
    for (uint32_t pool = 0; pool < pools_.size(); ++pool) {
      for (const uint16_t member : pools_[pool].sources) {
        if (member == source) use(pool);
      }
    }
  }

 private:
  struct Pool {
    std::string name;
    uint32_t overflow = kNoPool;
    std::vector<uint16_t> sources;
    std::vector<RotationMember> members;
    struct Turn {
      Rotation rotation;
      int waiting = -1;  // Picked, and found busy: its turn is still to come.
    };
    absl::flat_hash_map<uint32_t, Turn> turns;  // By provider.
  };
  uint32_t NumberOf(const std::string& name);
  void Fill(Pool& pool, const PoolPolicy& given);
  Choice PickFrom(uint32_t number, const Target& target, uint16_t last_source, Instant now, IsHeld is_held);
  Parked WhyBusy(uint16_t source, const Target& target);

  Fleet& fleet_;
  Allowances& allowances_;
  std::vector<Pool> pools_;
  absl::flat_hash_map<std::string, uint32_t> numbers_;
  std::vector<uint32_t> by_index_;
  std::vector<uint8_t> eligible_;  // Scratch.
};

}  // namespace sluice::scheduler
