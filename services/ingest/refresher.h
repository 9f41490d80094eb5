// Keeps up to date what ingest must know of the database's small tables, by asking once a second:
// policy and keys (the directory), the shards and who owns them. During an outage what was known
// stays in force.
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

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "ingest/directory.h"
#include "storage/key_store.h"
#include "storage/policy_store.h"
#include "storage/shard_lease.h"

namespace sluice::ingest {

class Refresher {
 public:
  struct Sources {
    storage::PolicyStore& policies;
    storage::KeyStore& keys;
    std::function<absl::StatusOr<std::unique_ptr<storage::ShardLeases>>()> open_leases;
    std::function<absl::StatusOr<PolicyDocument>(std::string_view json)> parse_policy;
    // Brings the suppressions in memory up to date; nobody is admitted before this worked once.
    std::function<absl::Status()> follow_suppressions = nullptr;
    // Brings what is known of waiting entries up to date; only where a tenant has a quota of them.
    std::function<absl::Status()> follow_pending = nullptr;
    // What must hold of the database before anything is taken, such as a synchronous standby.
    std::function<absl::Status()> check_database = nullptr;
    // Says that this process acts on `revision` and on everything committed before `acted_at` (database's clock).
    std::function<absl::Status(int64_t revision, Instant acted_at)> beat = nullptr;
  };
  // Every shard there is, and for those with a living owner the address of its Intake.
  using OnShards = std::function<void(std::vector<int> shards, std::map<int, std::string> owners)>;

  Refresher(Sources sources, DirectoryHolder& directory, OnShards on_shards, const Clock& clock,
            const Logger& log);
  ~Refresher();
  Refresher(const Refresher&) = delete;
  Refresher& operator=(const Refresher&) = delete;

  // One round, on the caller's thread; not together with Start.
  absl::Status Tick();
  // Rounds at this interval on a thread of its own, until Stop; after each, `on_ready` hears
  // whether this process may take submissions.
  void Start(Duration interval, std::function<void(bool ready)> on_ready);
  void Stop();
  // The next round comes at once, or soon after the last. Thread-safe.
  void Nudge();
  // The last round worked, there are shards, and the clocks agree. Thread-safe.
  bool ready() const { return ready_; }

 private:
  void Run(Duration interval, const std::function<void(bool ready)>& on_ready);
  absl::Status RefreshShards();
  absl::Status RefreshDirectory();

  const Sources sources_;
  DirectoryHolder& directory_;
  const OnShards on_shards_;
  const Clock& clock_;
  const Logger& log_;
  std::unique_ptr<storage::ShardLeases> leases_;
  bool clocks_agree_ = false;
  Instant round_began_{};  // On the database's clock.
  PolicyDocument policy_;
  int64_t revision_ = 0;
  std::atomic<bool> ready_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  bool nudged_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::ingest
