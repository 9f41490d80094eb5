#include "scheduler/census.h"

#include <algorithm>
#include <tuple>

namespace sluice::scheduler {

Census::Stretch Census::Next(Slot capacity, SteadyInstant now) {
  if (now < begins_at_ || is_complete_) return {};
  if (at_ == 0) looked_at_ = std::max(looked_at_, now - std::chrono::seconds(1));
  const int64_t elapsed = std::chrono::duration_cast<std::chrono::microseconds>(now - looked_at_).count();
  const int64_t room = std::min(kMostPerTurn, elapsed * kMostPerSecond / 1'000'000);
  if (room <= 0) return {};
  looked_at_ = now;
  const Slot first = std::min(at_, capacity);
  at_ = static_cast<Slot>(std::min<int64_t>(capacity, int64_t{first} + room));
  is_complete_ = at_ >= capacity;
  return {.first = first, .end = at_};
}

void Census::Tally::Add(int64_t count, uint32_t accepted) {
  entries += count;
  oldest = std::min(oldest, accepted);
}

void Census::Count(uint32_t pool, uint32_t provider, uint32_t accepted) {
  const uint64_t key = uint64_t{pool} << 32 | provider;
  const auto found = tallies_.find(key);
  if (found != tallies_.end()) {
    found->second.Add(1, accepted);
  } else if (tallies_.size() < kMostKeys) {
    tallies_[key].Add(1, accepted);
  } else {
    beyond_.Add(1, accepted);
  }
}

QueueDepths Census::Shortened(std::vector<QueueDepth> rows) {
  std::sort(rows.begin(), rows.end(), [](const QueueDepth& a, const QueueDepth& b) {
    return a.entries != b.entries ? a.entries > b.entries : std::tie(a.pool, a.provider) < std::tie(b.pool, b.provider);
  });
  QueueDepth rest{.pool = "other", .provider = "other"};
  const auto add = [&](const QueueDepth& row) {
    rest.oldest = rest.entries == 0 ? row.oldest : std::min(rest.oldest, row.oldest);
    rest.entries += row.entries;
  };
  // A pool may be called `other`, too: one name, one row.
  std::erase_if(rows, [&](const QueueDepth& row) {
    if (row.pool != "other" || row.provider != "other") return false;
    add(row);
    return true;
  });
  for (size_t i = kMostRows; i < rows.size(); ++i) add(rows[i]);
  rows.resize(std::min(rows.size(), kMostRows));
  if (rest.entries > 0) rows.push_back(std::move(rest));
  return std::make_shared<const std::vector<QueueDepth>>(std::move(rows));
}

}  // namespace sluice::scheduler
