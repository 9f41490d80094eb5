// Between those who watch live dialogs and the egresses that tell of them: what is watched, and which line goes to whom.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "sluice/v1/dispatch.pb.h"
#include "sluice/v1/trace.pb.h"

namespace sluice::scheduler {

// Thread-safe. Callbacks run one at a time and must not call back.
class TraceHub {
 public:
  static constexpr size_t kMostWatchers = 16;

  using Sink = std::function<void(v1::TraceResponse)>;
  using Tell = std::function<void(const v1::TraceOrder&)>;

  // `tell` hears what is watched now, and whenever that changes. Once, before anybody watches.
  void SetTell(Tell tell);
  // `sink` gets the lines that match from now on. The watcher's number; none: there are too many.
  std::optional<int64_t> Watch(v1::TraceFilter filter, Sink sink);
  // Its sink is not called any more when this returns.
  void Unwatch(int64_t watcher);
  void Spread(const v1::TraceLines& lines);

 private:
  struct Watcher {
    v1::TraceFilter filter;
    Sink sink;
  };

  void TellNow();

  std::mutex mutex_;
  Tell tell_ = [](const v1::TraceOrder&) {};
  int64_t last_ = 0;
  std::map<int64_t, Watcher> watchers_;
};

}  // namespace sluice::scheduler
