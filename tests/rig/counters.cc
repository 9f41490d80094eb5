#include "rig/counters.h"

namespace sluice::rig {

Counters& SourceTable::For(const std::string& source_ip) {
  const std::lock_guard lock(mutex_);
  const bool full = by_source_.size() >= kMaxSources && !by_source_.contains(source_ip);
  auto& counters = by_source_[full ? "other" : source_ip];
  if (!counters) counters = std::make_unique<Counters>();
  return *counters;
}

void SourceTable::AddTo(std::map<std::string, CountValues>& by_source) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [source, counters] : by_source_) {
    CountValues& values = by_source[source];
    for (size_t i = 0; i < kCountCount; ++i) values[i] += counters->Get(static_cast<Count>(i));
  }
}

}  // namespace sluice::rig
