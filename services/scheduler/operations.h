// Carries out the operations that are open in PostgreSQL on the shards of this process: gives them to the core, writes down how far
// it has come, begins again where a shard came from elsewhere. A thread of its own.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "scheduler/core_loop.h"
#include "storage/operation_store.h"

namespace sluice::scheduler {

class Operations {
 public:
  Operations(storage::OperationStore& store, CoreLoop& loop, const Logger& log);
  ~Operations() { Stop(); }
  void Stop();
  // The next round comes at once. Thread-safe.
  void Hurry();

 private:
  void Run();
  absl::Status Round();
  absl::Status Carry(const storage::OperationRow& operation);
  absl::Status Begin(const storage::OperationRow& operation, const std::vector<int>& loaded);
  absl::Status Note(int64_t operation, const SweepProgress& progress);

  storage::OperationStore& store_;
  CoreLoop& loop_;
  const Logger& log_;
  // By operation: what was counted on a shard before its present walk.
  std::map<int64_t, std::map<int, SweepCount>> before_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false, hurry_ = false;
  std::thread thread_;
};

}  // namespace sluice::scheduler
