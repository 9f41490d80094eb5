#include "scheduler/operations.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <set>

#include "base/status.h"
#include "base/text.h"
#include "sluice/v1/policy.pb.h"
#include "wire/policy_convert.h"

namespace sluice::scheduler {
namespace {

constexpr auto kRoundEvery = std::chrono::milliseconds(500);
constexpr auto kCorePatience = std::chrono::seconds(5);
constexpr int kMostAtOnce = 8;

SweepKind KindOf(const std::string& kind) {
  if (kind == "bounce") return SweepKind::kBounce;
  if (kind == "move") return SweepKind::kMove;
  if (kind == "retry_now") return SweepKind::kRetryNow;
  if (kind == "release_held") return SweepKind::kReleaseHeld;
  return SweepKind::kCancel;
}

}  // namespace

Operations::Operations(storage::OperationStore& store, CoreLoop& loop, const Logger& log)
    : store_(store), loop_(loop), log_(log), thread_([this] { Run(); }) {}

void Operations::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Operations::Hurry() {
  {
    const std::lock_guard lock(mutex_);
    hurry_ = true;
  }
  wake_.notify_one();
}

void Operations::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    if (const absl::Status status = Round(); !status.ok()) {
      log_.Warn("operations_round_failed", {{"error", View(status.message())}});
    }
    lock.lock();
    wake_.wait_for(lock, kRoundEvery, [&] { return stop_ || hurry_; });
    hurry_ = false;
  }
}

absl::Status Operations::Round() {
  ASSIGN_OR_RETURN(const std::vector<storage::OperationRow> open, store_.Open(kMostAtOnce));
  std::set<int64_t> known;
  for (const storage::OperationRow& operation : open) {
    known.insert(operation.id);
    RETURN_IF_ERROR(Carry(operation));
  }
  // Stopped, or ended by all.
  std::erase_if(before_, [&](const auto& item) {
    if (known.contains(item.first)) return false;
    loop_.Run([id = item.first](Core& core) { core.StopSweep(id); }, kCorePatience);
    return true;
  });
  return store_.EndFinished();
}

absl::Status Operations::Carry(const storage::OperationRow& operation) {
  struct Seen {
    SweepProgress progress;
    std::vector<int> loaded;
  };
  const auto seen = std::make_shared<Seen>();
  const bool answered = loop_.Run(
      [seen, id = operation.id](Core& core) {
        seen->progress = core.ProgressOf(id);
        seen->loaded = core.LoadedShards();
      },
      kCorePatience);
  if (!answered) return absl::DeadlineExceededError("the core does not answer");
  if (!seen->progress.known) return Begin(operation, seen->loaded);
  return Note(operation.id, seen->progress);
}

absl::Status Operations::Begin(const storage::OperationRow& operation, const std::vector<int>& loaded) {
  ASSIGN_OR_RETURN(const std::vector<storage::OperationShard> shards, store_.Shards(operation.id));
  std::vector<int> left = loaded;
  std::map<int, SweepCount>& before = before_[operation.id];
  for (const storage::OperationShard& shard : shards) {
    before[shard.shard] = {shard.done, shard.too_late};
    if (shard.ended) std::erase(left, shard.shard);
  }
  if (left.empty()) return absl::OkStatus();
  v1::Match filter;
  if (!google::protobuf::util::JsonStringToMessage(operation.filter_json, &filter).ok()) {
    return absl::InternalError(Cat("the filter of operation ", operation.id, " cannot be read"));
  }
  SweepOrder order;
  order.operation = operation.id;
  order.kind = KindOf(operation.kind);
  order.filter = wire::FromProto(filter);
  order.message_id = operation.message_id;
  order.target_pool = operation.target_pool;
  order.reason = operation.reason;
  order.accepted_before = operation.started_at;
  if (!order.filter.provider.empty() || !order.filter.site.empty()) {
    ASSIGN_OR_RETURN(order.domains, store_.DomainsOf(order.filter.provider, order.filter.site));
  }
  log_.Info("operation_begun", {{"operation", operation.id}, {"kind", operation.kind}, {"shards", left.size()}});
  loop_.Run([order = std::move(order), left](Core& core) { core.StartSweep(order, left); }, kCorePatience);
  return absl::OkStatus();
}

absl::Status Operations::Note(int64_t operation, const SweepProgress& progress) {
  std::vector<storage::OperationShard> shards;
  for (const auto& [shard, count] : progress.shards) {
    const SweepCount& before = before_[operation][shard];
    shards.push_back({shard, before.done + count.done, before.too_late + count.too_late, progress.finished});
  }
  RETURN_IF_ERROR(store_.SetProgress(operation, shards));
  if (progress.finished) {
    loop_.Run([operation](Core& core) { core.StopSweep(operation); }, kCorePatience);
    before_.erase(operation);
  }
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
