#include "egress/trace.h"

#include <algorithm>
#include <utility>

#include "mail/smtp_reply.h"

namespace sluice::egress {

void Trace::Watch(const std::string& watcher, std::vector<TraceFilter> filters) {
  const std::lock_guard lock(mutex_);
  if (filters.size() > kMostFilters) filters.resize(kMostFilters);
  if (filters.empty()) {
    filters_.erase(watcher);
  } else {
    filters_[watcher] = std::move(filters);
  }
  if (filters_.empty()) lines_.clear();
  is_on_.store(!filters_.empty(), std::memory_order_relaxed);
}

std::vector<std::string> Trace::Watchers() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> watchers;
  for (const auto& [watcher, filters] : filters_) watchers.push_back(watcher);
  return watchers;
}

bool Trace::Matches(std::string_view source, std::string_view domain) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(filters_.begin(), filters_.end(), [&](const auto& item) {
    return std::any_of(item.second.begin(), item.second.end(),
                       [&](const TraceFilter& filter) { return filter.Matches(source, domain); });
  });
}

void Trace::Add(const TraceSubject& subject, TraceDirection direction, std::string_view text) {
  TracedLine line{.at = clock_.Now(), .subject = subject, .direction = direction, .text = {}};
  AppendSanitised(line.text, text, kMostLineBytes);
  const std::lock_guard lock(mutex_);
  if (filters_.empty()) return;
  if (lines_.size() < kMostLines) {
    lines_.push_back(std::move(line));
  } else {
    ++dropped_;
  }
}

TraceHook TraceOf(Trace& trace, TraceSubject subject) {
  if (!trace.is_on() || !trace.Matches(subject.source, subject.domain)) return {};
  return [&trace, subject = std::move(subject)](TraceDirection direction, std::string_view line) {
    trace.Add(subject, direction, line);
  };
}

std::deque<TracedLine> Trace::Take(int64_t& dropped) {
  const std::lock_guard lock(mutex_);
  dropped = std::exchange(dropped_, 0);
  return std::exchange(lines_, {});
}

}  // namespace sluice::egress
