// A few connections for those who are not on the path of a message: stores of policy, keys, routes,
// events. The hot path (writers, readers, settlers) has connections of its own.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/connection.h"

namespace sluice::storage {

class Session;

// Thread-safe. Opens connections when needed, at most `size`; a broken one is thrown away. Must
// outlive the stores on it.
class ConnectionPool {
 public:
  ConnectionPool(ConnectionOptions options, int size);
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  // One round trip: for start-up and readiness.
  absl::Status Ping();

 private:
  friend class PooledSession;

  // Waits at most the connect timeout for a free one, then ResourceExhausted.
  absl::StatusOr<std::unique_ptr<Session>> Take();
  void GiveBack(std::unique_ptr<Session> session);

  const ConnectionOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Session>> idle_;
  int free_;
};

// FailedPrecondition unless commits wait for a synchronous standby, naming the setting: without one, what was answered OK may be
// gone after a fail-over.
absl::Status CheckSyncStandby(ConnectionPool& pool);

}  // namespace sluice::storage
