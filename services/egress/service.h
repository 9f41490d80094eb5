// The process: what main starts and what it does when asked to stop.
#pragma once

#include "absl/status/status.h"
#include "base/shutdown.h"
#include "egress/options.h"

namespace sluice::egress {

// Starts everything, waits for `shutdown`, drains. An error is for a person, and means that nothing
// was started.
[[nodiscard]] absl::Status RunEgress(EgressOptions options, ShutdownSignal& shutdown);

}  // namespace sluice::egress
