// CorePorts over PostgreSQL and DNS: each kind of question has its thread and its connection, reopened when it breaks. Answers go
// to the core through its mailbox.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/log.h"
#include "net/dns.h"
#include "scheduler/core.h"
#include "scheduler/core_ports.h"
#include "scheduler/mailbox.h"
#include "scheduler/worker_thread.h"
#include "storage/queue_store.h"
#include "storage/route_store.h"
#include "storage/suppression_set.h"

namespace sluice::scheduler {

class StoragePorts final : public CorePorts {
 public:
  StoragePorts(storage::ConnectionOptions connection, storage::RouteStore& routes,
               const storage::SuppressionSet& suppressions, storage::WarmupLedger& ledger, Resolver& resolver, Mailbox& mailbox,
               const Clock& clock, const Logger& log);
  ~StoragePorts() override;
  // Before the first question.
  void Attach(Core& core) { core_ = &core; }

  void Resolve(uint32_t domain, const std::string& name) override;
  void Fetch(std::vector<FetchRequest> requests) override;
  void LoadShard(int shard, int64_t epoch) override;
  void Tail(std::vector<int> shards, std::vector<Mark> marks) override;
  void LoadRange(int shard, int64_t epoch, int64_t first, int64_t last) override;
  void CheckWriters(std::vector<int64_t> writers) override;
  void TrimBatches(std::vector<Mark> marks, std::vector<int64_t> gone, Instant before) override;
  void Settle(std::vector<storage::ShardEpoch> shards, std::vector<storage::Settlement> settlements) override;
  void TakeInbox(std::vector<storage::ShardEpoch> shards, int most, Instant now) override;
  bool IsSuppressed(std::string_view tenant, std::string_view recipient) const override {
    return suppressions_.Contains(tenant, recipient);
  }
  void StoreRoute(std::string domain, std::string site, std::string provider, Instant now) override;
  void Draw(std::vector<storage::GrantRequest> requests) override;
  void Record(std::vector<storage::LedgerCounts> counts) override;

 private:
  absl::StatusOr<storage::QueueReader*> Reader(std::unique_ptr<storage::QueueReader>& reader);
  void DoLoadShard(int shard, int64_t epoch);
  void DoLoadRange(int shard, int64_t epoch, int64_t first, int64_t last);
  void DoFetch(const std::vector<FetchRequest>& requests);
  using NumberingTransaction = std::function<absl::StatusOr<storage::SettleResult>()>;
  absl::StatusOr<storage::SettleResult> Number(const std::vector<storage::ShardEpoch>& shards,
                                               const NumberingTransaction& transaction);
  absl::StatusOr<storage::SettleResult> TryNumber(const std::vector<storage::ShardEpoch>& shards,
                                                  const NumberingTransaction& transaction);
  void FlushRoutes();
  template <class F>
  void Post(F call) {
    mailbox_.Post([this, call = std::move(call)]() mutable { call(*core_); });
  }
  void Backoff();

  const storage::ConnectionOptions connection_;
  storage::RouteStore& routes_;
  const storage::SuppressionSet& suppressions_;
  storage::WarmupLedger& ledger_;
  Resolver& resolver_;
  Mailbox& mailbox_;
  const Clock& clock_;
  const Logger& log_;
  Core* core_ = nullptr;
  std::atomic<bool> stopping_{false};

  std::unique_ptr<storage::QueueReader> load_reader_, fetch_reader_;
  std::unique_ptr<storage::Settler> settler_;
  bool in_doubt_ = false;  // The last commit's fate is unknown.

  std::mutex routes_mutex_;
  std::vector<storage::DomainRoute> pending_routes_;
  bool routes_posted_ = false;

  // Last: their jobs use what stands above.
  WorkerThread loads_, fetches_, settles_, slow_, grants_;
};

}  // namespace sluice::scheduler
