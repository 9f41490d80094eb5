// The scheduler service as a whole: builds its parts, runs until asked to stop, hands over in peace.
#pragma once

#include "absl/status/status.h"
#include "base/shutdown.h"
#include "scheduler/options.h"

namespace sluice::scheduler {

absl::Status RunScheduler(Options options, ShutdownSignal& shutdown);

}  // namespace sluice::scheduler
