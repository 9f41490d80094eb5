// The pollers that a configuration asks for, with what they need.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "net/dns.h"
#include "net/https_fetch.h"
#include "scheduler/control/poller.h"
#include "scheduler/options.h"
#include "storage/token_store.h"

namespace sluice::scheduler {

struct Pollers {
  // Before the pollers, which use them.
  std::unique_ptr<Resolver> resolver;
  std::unique_ptr<HttpsFetcher> fetcher;
  // Set to true, nobody waits for a web server any more.
  std::unique_ptr<std::atomic<bool>> cancel = std::make_unique<std::atomic<bool>>(false);
  std::vector<std::unique_ptr<Poller>> all;
};
// All outlive the pollers. InvalidArgument, NotFound: a file of secrets that cannot be read, named without its content.
absl::StatusOr<Pollers> MakePollers(const Options& options, storage::TokenStore& store, const Clock& clock, const Logger& log);

}  // namespace sluice::scheduler
