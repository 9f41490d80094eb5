// SIGTERM and SIGINT as a value to wait for.
#pragma once

namespace sluice {

// Construct first thing in main, before any thread: blocks SIGTERM and SIGINT in this thread and all
// that it starts, and ignores SIGPIPE.
class ShutdownSignal {
 public:
  ShutdownSignal();
  // Returns when the process was asked to stop.
  void Wait();
};

}  // namespace sluice
