// What status and metrics see of the core: a copy.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "policy/constraints.h"
#include "scheduler/census.h"

namespace sluice::scheduler {

struct CoreSnapshot {
  int64_t entries = 0, in_flight = 0, unsettled = 0, content_bytes = 0, flows = 0, unrouted = 0, held = 0, kept_back = 0;
  int64_t warmup_waiting = 0, down_paths = 0;
  int64_t facts = 0, texts = 0, domains = 0, sites = 0;  // Known.
  int64_t policy_revision = 0;
  QueueDepths queue;  // Null: not counted yet.
  std::vector<std::pair<ConstraintCause, int64_t>> constraints;  // In force.
  std::vector<int> shards;
  bool releasing = false;
  struct EgressState {
    std::string id, version;
    bool connected = false;
    int64_t in_flight = 0;
    Duration silent{};
  };
  std::vector<EgressState> egresses;
};

}  // namespace sluice::scheduler
