// Shares of rates that several schedulers keep together (policy/rate_share.h). Leases count on the database's clock.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "policy/rate_share.h"

namespace sluice::storage {

class ConnectionPool;

// What a scheduler says of one rate.
struct ShareUse {
  std::string rate_key;
  int64_t used = 0;
  bool wants = false;
  // It has come down to this many, and others may have the rest.
  std::optional<int64_t> lowered_to = {};
};

// Thread-safe.
class ShareStore {
 public:
  virtual ~ShareStore() = default;
  // Tells what changed, keeps the scheduler alive for `lease` from now, and answers what it has of these rates.
  virtual absl::StatusOr<std::map<std::string, ShareRow>> Exchange(const std::string& scheduler, const std::vector<ShareUse>& uses,
                                                                   const std::vector<std::string>& rate_keys, Duration lease) = 0;
  // Gives the shares of these rates out anew (PlanShares), and forgets rates that are not among them.
  // Several may do so at once.
  virtual absl::Status Plan(const std::map<std::string, Rate>& rates) = 0;
};
std::unique_ptr<ShareStore> MakeShareStore(ConnectionPool& pool);

}  // namespace sluice::storage
