// The common main of the three services: `--config FILE`, `--help` with every key, `--version`, `--probe ADDRESS`, one
// clear line and exit 1 when starting fails. What a service is, is in its own library.
#pragma once

#include <functional>
#include <string_view>

#include "absl/status/status.h"
#include "base/config.h"
#include "base/shutdown.h"

namespace sluice::wire {

// `run` is called with the configuration loaded; it starts everything, waits for `shutdown`, drains
// and answers. An error of `run` is printed as one line. Exit code: 0 ended as asked, 1 could not
// start or failed, 2 wrong usage.
int RunService(int argc, char** argv, std::string_view program, std::string_view description,
               Config& config, const std::function<absl::Status(ShutdownSignal& shutdown)>& run);

// The version that `--version` prints.
std::string_view Version();

}  // namespace sluice::wire
