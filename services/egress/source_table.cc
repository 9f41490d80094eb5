#include "egress/source_table.h"

#include <algorithm>
#include <utility>

namespace sluice::egress {

std::vector<size_t> SourceTable::Place(const std::vector<AssignedSource>& sources) {
  std::vector<size_t> load(thread_count_);
  for (const AssignedSource& source : sources) {
    const auto known = placed_->find(source.name.value());
    if (known != placed_->end()) ++load[known->second];
  }
  auto next = std::make_shared<Map>();
  std::vector<size_t> homes;
  for (const AssignedSource& source : sources) {
    const auto known = placed_->find(source.name.value());
    size_t home = 0;
    if (known != placed_->end()) {
      home = known->second;
    } else {
      home = static_cast<size_t>(std::min_element(load.begin(), load.end()) - load.begin());
      ++load[home];
    }
    next->emplace(source.name.value(), home);
    homes.push_back(home);
  }
  placed_ = std::move(next);
  return homes;
}

void SourceTable::Publish() {
  const std::lock_guard lock(mutex_);
  published_ = placed_;
}

std::shared_ptr<const SourceTable::Map> SourceTable::Read() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

}  // namespace sluice::egress
