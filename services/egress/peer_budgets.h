// How many connections one source may have at once to one address of a peer, over all its paths: some providers count by the machine
// that answers, and a customer's MX does not tell which one that is. Belongs to one thread.
#pragma once

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "egress/connection_budget.h"

namespace sluice::egress {

class PeerBudgets {
 public:
  // Takes one of `most`; or null: notes that `path` wants one and asks the connection there that is idle longest to end. What is given
  // lives until it is given back.
  ConnectionBudget* Take(const std::string& address, size_t most, Path& path);
  // Returns a path that wants one, or null.
  Path* GiveBack(const std::string& address);
  // The path goes away.
  void Forget(Path& path);

  size_t used(const std::string& address) const;

 private:
  // Only those in use or wanted.
  absl::flat_hash_map<std::string, std::unique_ptr<ConnectionBudget>> by_address_;
};

}  // namespace sluice::egress
