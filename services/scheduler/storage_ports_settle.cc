// Transactions that number events, one after the other; what became of one whose commit broke off is found out before anything else.
#include <functional>

#include "base/status.h"
#include "base/text.h"
#include "scheduler/storage_ports.h"

namespace sluice::scheduler {

void StoragePorts::Settle(std::vector<storage::ShardEpoch> shards, std::vector<storage::Settlement> settlements) {
  settles_.Post([this, shards = std::move(shards), settlements = std::move(settlements)] {
    absl::StatusOr<storage::SettleResult> result =
        Number(shards, [&] { return settler_->Settle(shards, settlements); });
    if (!result.ok()) return Post([](Core& core) { core.OnSettleFailed(); });
    Post([result = *std::move(result)](Core& core) { core.OnSettled(result); });
  });
}

void StoragePorts::TakeInbox(std::vector<storage::ShardEpoch> shards, int most, Instant now) {
  settles_.Post([this, shards = std::move(shards), most, now] {
    absl::StatusOr<storage::SettleResult> result =
        Number(shards, [&] { return settler_->TakeInbox(shards, most, now); });
    if (!result.ok()) return Post([](Core& core) { core.OnInboxFailed(); });
    Post([result = *std::move(result)](Core& core) { core.OnInboxTaken(result); });
  });
}

absl::StatusOr<storage::SettleResult> StoragePorts::Number(const std::vector<storage::ShardEpoch>& shards,
                                                           const NumberingTransaction& transaction) {
  absl::StatusOr<storage::SettleResult> result = TryNumber(shards, transaction);
  while (!result.ok() && (result.status().code() == absl::StatusCode::kUnknown || in_doubt_) && !stopping_) {
    in_doubt_ = true;
    settler_.reset();
    log_.Warn("settle_in_doubt", {{"error", View(result.status().message())}});
    Backoff();
    result = TryNumber(shards, transaction);
  }
  if (!result.ok()) {
    log_.Warn("settle_failed", {{"error", View(result.status().message())}});
    settler_.reset();
  }
  return result;
}

// After a commit in doubt the transaction is judged by the event numbers: one that rose says that all of it was committed. One that
// wrote no event is simply made again.
absl::StatusOr<storage::SettleResult> StoragePorts::TryNumber(const std::vector<storage::ShardEpoch>& shards,
                                                              const NumberingTransaction& transaction) {
  if (settler_ == nullptr) {
    ASSIGN_OR_RETURN(settler_, storage::OpenSettler(connection_));
  }
  if (!in_doubt_) return transaction();
  storage::SettleResult committed;
  bool rose = false;
  for (const storage::ShardEpoch& shard : shards) {
    ASSIGN_OR_RETURN(const int64_t last, settler_->LastSeq(shard.shard));
    rose = rose || last > shard.last_seq;
    committed.shards.push_back({.shard = shard.shard, .held = true, .last_seq = last});
  }
  in_doubt_ = false;
  if (rose) return committed;
  return transaction();
}

}  // namespace sluice::scheduler
