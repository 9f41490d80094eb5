// Which processes run and which policy revision each acts on. Aliveness is judged by the database's clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

struct ServiceNode {
  std::string id;    // Unique per process.
  std::string kind;  // `ingest`, `scheduler`.
  std::string endpoint;
  int64_t policy_revision = 0;
  // On the database's clock: what was committed before is in force there.
  Instant acted_at{};
  // Of schedulers: what it and its egresses act on, and egresses that it still waits for.
  int64_t constraint_generation = 0;
  std::string waits_for{};
};

// Thread-safe.
class NodeStore {
 public:
  virtual ~NodeStore() = default;
  // Alive for six seconds from now; call it every one or two.
  virtual absl::Status Beat(const ServiceNode& node) = 0;
  virtual absl::Status Leave(const std::string& id) = 0;
  virtual absl::StatusOr<Instant> DatabaseNow() = 0;
  // Those alive, in order of id.
  virtual absl::StatusOr<std::vector<ServiceNode>> Alive() = 0;
};
std::unique_ptr<NodeStore> MakeNodeStore(ConnectionPool& pool);

}  // namespace sluice::storage
