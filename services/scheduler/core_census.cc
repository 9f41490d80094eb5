// What waits for which pool and provider: see census.h.
#include "scheduler/core.h"

namespace sluice::scheduler {

void Core::TakeCensus(SteadyInstant steady) {
  const Census::Stretch stretch = census_.Next(static_cast<Slot>(index_.capacity()), steady);
  for (Slot slot = stretch.first; slot < stretch.end; ++slot) {
    const Entry& entry = index_[slot];
    if (entry.place == Place::kFree || entry.place == Place::kEnded || entry.place == Place::kSettling) continue;
    const int pool = RouteOf(entry).pool_index;
    const uint32_t site = domains_[entry.domain].site;
    census_.Count(pool < 0 ? Census::kNone : pools_.Number(pool),
                  site == kNoSite ? Census::kNone : domains_.site(site).provider_number, entry.accepted);
  }
  if (!census_.is_complete()) return;
  queue_depths_ = census_.Publish([&](uint32_t pool) { return pools_.name(pool); },
                                  [&](uint32_t provider) { return domains_.providers().Name(provider); }, steady);
}

std::vector<std::pair<ConstraintCause, int64_t>> Core::ConstraintCounts() const {
  std::vector<std::pair<ConstraintCause, int64_t>> counts;
  for (const ConstraintCause cause : kConstraintCauses) counts.emplace_back(cause, 0);
  const Instant now = clock_.Now();
  for (const auto& [cause, until] : constraint_ends_) {
    if (!until || *until > now) ++counts[static_cast<size_t>(cause)].second;
  }
  return counts;
}

}  // namespace sluice::scheduler
