// sluice-scheduler: every decision, every state change of a queue entry.
#include <unistd.h>

#include <random>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "scheduler/service.h"
#include "wire/service_main.h"

int main(int argc, char** argv) {
  sluice::scheduler::Options options;
  sluice::Config config("scheduler");
  options.Bind(config);
  return sluice::wire::RunService(
      argc, argv, "sluice-scheduler", "Decides which message leaves by which source, when; settles what came of it.",
      config, [&](sluice::ShutdownSignal& shutdown) { return sluice::scheduler::RunScheduler(options, shutdown); });
}
