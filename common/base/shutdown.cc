#include "base/shutdown.h"

#include <csignal>

#include "base/check.h"

namespace sluice {
namespace {
sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}
}  // namespace

ShutdownSignal::ShutdownSignal() {
  const sigset_t set = StopSignals();
  SLUICE_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  SLUICE_CHECK(std::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

void ShutdownSignal::Wait() {
  const sigset_t set = StopSignals();
  int signal = 0;
  while (sigwait(&set, &signal) != 0) {
  }
}

}  // namespace sluice
