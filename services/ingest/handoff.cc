#include "ingest/handoff.h"

#include <set>
#include <utility>
#include <vector>

namespace sluice::ingest {

void Handoff::Offer(CommittedBatch batch) {
  HandoffQueue::Pushed pushed = HandoffQueue::Pushed::kDropped;
  {
    const std::lock_guard lock(mutex_);
    const auto owner = owners_.find(batch.shard);
    if (owner != owners_.end()) pushed = links_.at(owner->second)->queue().Push(std::move(batch));
  }
  switch (pushed) {
    case HandoffQueue::Pushed::kWithoutContent:
      ++counts_.stripped_batches;
      [[fallthrough]];
    case HandoffQueue::Pushed::kWhole:
      ++counts_.handed_batches;
      break;
    case HandoffQueue::Pushed::kDropped:
      ++counts_.dropped_batches;
      break;
  }
}

void Handoff::SetOwners(const std::map<int, std::string>& owners) {
  std::set<std::string> wanted;
  for (const auto& [shard, endpoint] : owners) wanted.insert(endpoint);
  // Closed outside the lock: ending a stream may take a moment.
  std::vector<std::unique_ptr<HandoffLink>> unwanted;
  const std::lock_guard lock(mutex_);
  for (auto link = links_.begin(); link != links_.end();) {
    if (wanted.contains(link->first)) {
      ++link;
      continue;
    }
    log_.Info("handoff_closed", {{"endpoint", link->first}});
    unwanted.push_back(std::move(link->second));
    link = links_.erase(link);
  }
  for (const std::string& endpoint : wanted) {
    if (links_.contains(endpoint)) continue;
    log_.Info("handoff_opened", {{"endpoint", endpoint}});
    links_.emplace(endpoint, open_link_(endpoint));
  }
  owners_ = owners;
}

}  // namespace sluice::ingest
