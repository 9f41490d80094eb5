#include "ingest/pending_quota.h"

namespace sluice::ingest {

void PendingQuota::ForgetBefore(Taken& taken, Instant at) {
  while (!taken.slices.empty() && taken.slices.front().first < at) {
    taken.sum -= taken.slices.front().second;
    taken.slices.pop_front();
  }
}

void PendingQuota::Counted(storage::Pending pending) {
  const std::lock_guard lock(mutex_);
  counted_ = std::move(pending);
  for (auto it = taken_.begin(); it != taken_.end();) {
    ForgetBefore(it->second, counted_.counted_at - kMargin);
    it = it->second.slices.empty() ? taken_.erase(it) : std::next(it);
  }
}

bool PendingQuota::Take(std::string_view tenant, int64_t most, int64_t recipients, Instant now) {
  const std::lock_guard lock(mutex_);
  if (counted_.counted_at == Instant()) return true;
  const auto counted = counted_.entries.find(tenant);
  const auto before = taken_.find(tenant);
  const int64_t waiting = (counted == counted_.entries.end() ? 0 : counted->second) + (before == taken_.end() ? 0 : before->second.sum);
  if (waiting + recipients > most) return false;
  Taken& taken = before == taken_.end() ? taken_[std::string(tenant)] : before->second;
  if (taken.slices.empty() || now - taken.slices.back().first >= kSlice) taken.slices.emplace_back(now, 0);
  taken.slices.back().second += recipients;
  taken.sum += recipients;
  return true;
}

}  // namespace sluice::ingest
