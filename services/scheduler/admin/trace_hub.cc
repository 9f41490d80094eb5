#include "scheduler/admin/trace_hub.h"

#include <utility>

namespace sluice::scheduler {
namespace {

bool Matches(const v1::TraceFilter& filter, const v1::TraceLine& line) {
  return (filter.source().empty() || filter.source() == line.source()) &&
         (filter.domain().empty() || filter.domain() == line.domain());
}

}  // namespace

void TraceHub::SetTell(Tell tell) {
  const std::lock_guard lock(mutex_);
  tell_ = std::move(tell);
}

std::optional<int64_t> TraceHub::Watch(v1::TraceFilter filter, Sink sink) {
  const std::lock_guard lock(mutex_);
  if (watchers_.size() == kMostWatchers) return std::nullopt;
  watchers_.emplace(++last_, Watcher{std::move(filter), std::move(sink)});
  TellNow();
  return last_;
}

void TraceHub::Unwatch(int64_t watcher) {
  const std::lock_guard lock(mutex_);
  if (watchers_.erase(watcher) > 0) TellNow();
}

void TraceHub::Spread(const v1::TraceLines& lines) {
  const std::lock_guard lock(mutex_);
  for (const auto& [number, watcher] : watchers_) {
    v1::TraceResponse response;
    response.set_dropped(lines.dropped());
    for (const v1::TraceLine& line : lines.lines()) {
      if (Matches(watcher.filter, line)) *response.add_lines() = line;
    }
    if (response.lines_size() > 0 || response.dropped() > 0) watcher.sink(std::move(response));
  }
}

void TraceHub::TellNow() {
  v1::TraceOrder order;
  for (const auto& [number, watcher] : watchers_) *order.add_filters() = watcher.filter;
  tell_(order);
}

}  // namespace sluice::scheduler
