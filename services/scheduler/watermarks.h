// Which committed batches of each (shard, writer) are known, from hand-off and tail alike: a mark at or below which
// everything is known, plus the few numbers seen above it. What is known is never taken again, however late it
// comes: that is what keeps settled entries from rising.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

namespace sluice::scheduler {

struct Mark {
  int shard = 0;
  int64_t writer = 0;
  int64_t seq = 0;
};

// Not thread-safe.
class Watermarks {
 public:
  // From the snapshot in which the shard was loaded.
  void Set(int shard, int64_t writer, int64_t seq);
  void ForgetShard(int shard);

  // A writer is known once PostgreSQL has confirmed that it lives (or the snapshot named it): a late hand-off of a writer long
  // gone must not count as news.
  bool IsKnown(int64_t writer) const { return known_.contains(writer); }
  void Know(int64_t writer) { known_.insert(writer); }
  void Retire(int64_t writer);
  std::vector<int64_t> Known() const { return {known_.begin(), known_.end()}; }

  // True when the batch is news; from then on it is known.
  bool Take(int shard, int64_t writer, int64_t seq);
  // Numbers are missing below one that was seen: the tail has to be read.
  bool HasGaps() const { return gaps_ > 0; }
  // Marks of all (shard, writer) pairs of the shards.
  std::vector<Mark> All() const;

 private:
  struct State {
    int64_t mark = 0;
    std::set<int64_t> above;
  };
  absl::flat_hash_map<std::pair<int, int64_t>, State> states_;
  absl::flat_hash_set<int64_t> known_;
  int gaps_ = 0;
};

}  // namespace sluice::scheduler
