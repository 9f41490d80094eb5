// An operation on many entries (cancel, bounce, move …) as the core carries it out on the shards it owns: a walk over the index in
// small steps between turns. Entries accepted after the operation began are not touched; those in flight are asked back, and
// dealt with when they return.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "base/clock.h"
#include "mail/policy_document.h"
#include "scheduler/entry_index.h"

namespace sluice::scheduler {

enum class SweepKind : uint8_t { kCancel = 1, kBounce, kMove, kRetryNow, kReleaseHeld };

struct SweepOrder {
  int64_t operation = 0;
  SweepKind kind = SweepKind::kCancel;
  // `source` is that of the last attempt, `pool` what the routes name now.
  Match filter{};
  int64_t message_id = 0;  // Not 0: only this message's entries; the filter counts all the same.
  // With filter.provider or filter.site: the domains that are known to be there, also when the core does not know now.
  std::vector<std::string> domains{};
  std::string target_pool{}, reason{};
  Instant accepted_before{};
};

struct SweepCount {
  int64_t done = 0;      // Committed, where there is something to commit.
  int64_t too_late = 0;  // Ended before it could be dealt with.
};

struct SweepProgress {
  bool known = false;
  bool finished = false;
  std::map<int, SweepCount> shards;
};

// One under way. Belongs to the core.
struct Sweep {
  SweepOrder order;
  Match of_facts;  // The fields of the filter that stand in Facts.
  std::vector<int8_t> facts_match;  // By number of Facts: 1 yes, 0 no, -1 not known yet.
  absl::flat_hash_set<uint32_t> domains;
  uint32_t accepted_before = 0;  // Ticks.
  Slot at = 0;
  bool passed = false;
  std::vector<int64_t> later;  // In flight or being settled when we came by.
  SteadyInstant later_at{};
  int64_t pending = 0;  // Given to settling, not committed.
  std::map<int, SweepCount> shards;

  bool finished() const { return passed && later.empty() && pending == 0; }
};

}  // namespace sluice::scheduler
