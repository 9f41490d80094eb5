// Takes, renews and gives up the leases of shards and of `control`. Validity is counted on our monotonic clock from before each
// call, less a margin, so that this process always stops earlier than PostgreSQL lets another begin.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/log.h"
#include "storage/connection.h"

namespace sluice::storage {
class AssignmentStore;
class Settler;
class ShardLeases;
struct Lease;
}  // namespace sluice::storage

namespace sluice::scheduler {

struct LeaseOptions {
  std::string owner;     // Unique per process.
  std::string endpoint;          // Where ingest dials our Intake.
  std::string control_endpoint;  // Where sluicectl dials our Admin.
  Duration length = std::chrono::seconds(10);
  Duration margin = std::chrono::seconds(2);
  Duration renew_every = std::chrono::seconds(2);
  Duration take_every = std::chrono::milliseconds(500);
  int most_shards = 127;
  uint32_t seed = 1;
};

// Called on the keeper's thread.
struct LeaseEvents {
  std::function<void(int shard, int64_t epoch, int64_t last_seq, std::vector<std::string> egresses)> taken;
  std::function<void(SteadyInstant valid_until)> extended;
  std::function<void(std::vector<int> shards)> lost;
  std::function<void(bool held)> control;
  std::function<void(int shards)> counted;  // All there are.
  // PostgreSQL's clock minus ours.
  std::function<void(Duration skew)> skew;
};

class LeaseKeeper {
 public:
  LeaseKeeper(LeaseOptions options, storage::ConnectionOptions connection, storage::AssignmentStore& assignments,
              const Clock& clock, const Logger& log, LeaseEvents events);
  ~LeaseKeeper();
  // Takes nothing any more; what is held is renewed still.
  void StopTaking() { taking_ = false; }
  // Ends the thread. With `give_up` the leases are free at once; without, they run out.
  void Stop(bool give_up);

 private:
  void Run();
  absl::Status Round();
  absl::Status Renew();
  absl::Status Take();
  absl::Status TakeControl();
  std::vector<std::pair<int, int64_t>> Held() const;

  const LeaseOptions options_;
  const storage::ConnectionOptions connection_;
  storage::AssignmentStore& assignments_;
  const Clock& clock_;
  const Logger& log_;
  const LeaseEvents events_;

  std::unique_ptr<storage::ShardLeases> leases_;
  std::unique_ptr<storage::Settler> numbers_;  // For the last event number of a shard.
  std::map<int, int64_t> held_;                // Shard (or control) → epoch.
  SteadyInstant renewed_at_{};
  int counted_ = 0;
  uint32_t nonce_;
  std::atomic<bool> taking_{true};

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false, give_up_ = false;
  std::thread thread_;
};

}  // namespace sluice::scheduler
