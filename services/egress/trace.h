// What somebody watches of the dialogs: filters per scheduler, lines gathered in a bounded buffer until the control thread takes
// them. Costs one relaxed load a transaction while nobody watches.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/smtp_session.h"

namespace sluice::egress {

struct TraceFilter {
  std::string source, domain;  // empty: any
  bool Matches(std::string_view of_source, std::string_view of_domain) const {
    return (source.empty() || source == of_source) && (domain.empty() || domain == of_domain);
  }
};

// Whose dialog it is.
struct TraceSubject {
  int64_t connection = 0;
  std::string source, domain, mx_host, mx_address;
};

struct TracedLine {
  Instant at{};
  TraceSubject subject;
  TraceDirection direction = TraceDirection::kNote;
  std::string text;
};

// Thread-safe.
class Trace {
 public:
  // Lines kept until they are taken; those beyond are counted.
  static constexpr size_t kMostLines = 4096;
  static constexpr size_t kMostLineBytes = 512;
  static constexpr size_t kMostFilters = 64;

  explicit Trace(const Clock& clock) : clock_(clock) {}

  // The filters of one watcher (a scheduler) from now on; none: it watches no more.
  void Watch(const std::string& watcher, std::vector<TraceFilter> filters);
  std::vector<std::string> Watchers() const;

  bool is_on() const { return is_on_.load(std::memory_order_relaxed); }
  bool Matches(std::string_view source, std::string_view domain) const;
  void Add(const TraceSubject& subject, TraceDirection direction, std::string_view text);
  int64_t NextConnection() { return ++last_connection_; }

  // What has been gathered, and how much was left out.
  std::deque<TracedLine> Take(int64_t& dropped);

 private:
  const Clock& clock_;
  std::atomic<bool> is_on_{false};
  std::atomic<int64_t> last_connection_{0};
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<TraceFilter>> filters_;  // by watcher
  std::deque<TracedLine> lines_;
  int64_t dropped_ = 0;
};

// The hook for one dialog; empty when nobody watches it.
TraceHook TraceOf(Trace& trace, TraceSubject subject);

}  // namespace sluice::egress
