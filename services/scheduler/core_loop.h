// The thread that runs the core: takes what the mailbox holds, makes the calls, gives the core its turn.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "scheduler/core.h"
#include "scheduler/mailbox.h"

namespace sluice::scheduler {

class CoreLoop {
 public:
  CoreLoop(Core& core, Mailbox& mailbox);
  ~CoreLoop() { Stop(); }
  void Stop();
  // A copy made by the core's thread; empty after a few seconds without an answer.
  CoreSnapshot Snapshot() const;
  // Runs `call` on the core's thread and waits; false after `patience`.
  bool Run(std::function<void(Core&)> call, Duration patience) const;

 private:
  Core& core_;
  Mailbox& mailbox_;
  std::thread thread_;
};

}  // namespace sluice::scheduler
