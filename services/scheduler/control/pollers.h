// The pollers that a configuration asks for, with what they need.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "net/dns.h"
#include "scheduler/control/poller.h"
#include "scheduler/options.h"

namespace sluice::scheduler {

struct Pollers {
  // Before the pollers, which use it.
  std::unique_ptr<Resolver> resolver;
  std::vector<std::unique_ptr<Poller>> all;
};
// InvalidArgument, NotFound: a file of secrets that cannot be read, named without its content.
absl::StatusOr<Pollers> MakePollers(const Options& options, const Clock& clock, const Logger& log);

}  // namespace sluice::scheduler
