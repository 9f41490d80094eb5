// Shares of limits that several keep together (policy/rate_share.h). Leases count on the database's clock.
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

// What a holder says of one limit.
struct ShareUse {
  std::string holder, rate_key;
  int64_t used = 0;
  bool wants = false;
  // It has come down to this many, and others may have the rest.
  std::optional<int64_t> lowered_to = {};
};

struct OwnShare {
  std::string rate_key;
  ShareRow row;
};

// Thread-safe.
class ShareStore {
 public:
  virtual ~ShareStore() = default;
  // Tells what changed, keeps the holders alive for `lease` from now, and answers what they have of these limits.
  virtual absl::StatusOr<std::vector<OwnShare>> Exchange(const std::vector<std::string>& holders, const std::vector<ShareUse>& uses,
                                                         const std::vector<std::string>& rate_keys, Duration lease) = 0;
  // Gives the shares of these limits out anew (PlanShares), and forgets limits that are not among them.
  // Several may do so at once.
  virtual absl::Status Plan(const std::map<std::string, ShareTerms>& limits) = 0;
};
std::unique_ptr<ShareStore> MakeShareStore(ConnectionPool& pool);

}  // namespace sluice::storage
