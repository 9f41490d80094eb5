// Entries of each tenant in the index, by shard. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace sluice::scheduler {

class PendingCounts {
 public:
  void Add(int64_t entry_id, uint32_t tenant, int64_t more) {
    std::vector<int64_t>& counts = by_shard_[static_cast<int>(entry_id >> 56)];
    if (tenant >= counts.size()) counts.resize(tenant + 1, 0);
    counts[tenant] += more;
  }
  void ForgetShard(int shard) { by_shard_.erase(shard); }
  int64_t Of(int shard, uint32_t tenant) const {
    const auto counts = by_shard_.find(shard);
    return counts == by_shard_.end() || tenant >= counts->second.size() ? 0 : counts->second[tenant];
  }

 private:
  std::map<int, std::vector<int64_t>> by_shard_;  // By tenant: few, as Names numbers them.
};

}  // namespace sluice::scheduler
