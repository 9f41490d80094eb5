#include "scheduler/lease_keeper.h"

#include <algorithm>
#include <set>

#include "base/status.h"
#include "base/text.h"
#include "storage/assignment_store.h"
#include "storage/queue_store.h"
#include "storage/shard_lease.h"

namespace sluice::scheduler {
namespace {
constexpr auto kEgressMayLive = std::chrono::minutes(1);
}

LeaseKeeper::LeaseKeeper(LeaseOptions options, storage::ConnectionOptions connection,
                         storage::AssignmentStore& assignments, const Clock& clock, const Logger& log,
                         LeaseEvents events)
    : options_(std::move(options)),
      connection_(std::move(connection)),
      assignments_(assignments),
      clock_(clock),
      log_(log),
      events_(std::move(events)),
      nonce_(options_.seed & 0xfffff),
      thread_([this] { Run(); }) {}

LeaseKeeper::~LeaseKeeper() { Stop(false); }

void LeaseKeeper::Stop(bool give_up) {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    give_up_ = give_up;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

std::vector<std::pair<int, int64_t>> LeaseKeeper::Held() const { return {held_.begin(), held_.end()}; }

void LeaseKeeper::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    if (const absl::Status status = Round(); !status.ok()) {
      log_.Warn("lease_round_failed", {{"error", View(status.message())}});
      leases_.reset();
      numbers_.reset();
    }
    lock.lock();
    wake_.wait_for(lock, options_.take_every, [&] { return stop_; });
  }
  if (!give_up_ || leases_ == nullptr || held_.empty()) return;
  if (const absl::Status status = leases_->Release(Held(), options_.owner); !status.ok()) {
    log_.Warn("lease_release_failed", {{"error", View(status.message())}});
  }
}

absl::Status LeaseKeeper::Round() {
  if (leases_ == nullptr) {
    ASSIGN_OR_RETURN(leases_, storage::OpenShardLeases(connection_));
    renewed_at_ = SteadyInstant{};
  }
  if (clock_.Steady() - renewed_at_ >= options_.renew_every) {
    RETURN_IF_ERROR(Renew());
    ASSIGN_OR_RETURN(const Duration skew, leases_->Skew(clock_.Now()));
    events_.skew(skew);
  }
  return taking_ ? Take() : absl::OkStatus();
}

absl::Status LeaseKeeper::Renew() {
  if (held_.empty()) {
    renewed_at_ = clock_.Steady();
    return absl::OkStatus();
  }
  const SteadyInstant before = clock_.Steady();
  ASSIGN_OR_RETURN(const std::vector<int> extended, leases_->Renew(Held(), options_.owner, options_.length));
  renewed_at_ = before;
  const std::set<int> ours(extended.begin(), extended.end());
  std::vector<int> lost;
  for (auto it = held_.begin(); it != held_.end();) {
    if (ours.contains(it->first)) {
      ++it;
      continue;
    }
    if (it->first == storage::kControlShard) {
      events_.control(false);
    } else {
      lost.push_back(it->first);
    }
    it = held_.erase(it);
  }
  if (!lost.empty()) events_.lost(lost);
  events_.extended(before + options_.length - options_.margin);
  return absl::OkStatus();
}

absl::Status LeaseKeeper::TakeControl() {
  ASSIGN_OR_RETURN(const std::vector<storage::Lease> taken,
                   leases_->Take({storage::kControlShard}, options_.owner, options_.control_endpoint, options_.length,
                                 ++nonce_ & 0xfffff, 1));
  for (const storage::Lease& lease : taken) {
    held_[lease.shard] = lease.epoch;
    events_.control(true);
  }
  return absl::OkStatus();
}

absl::Status LeaseKeeper::Take() {
  ASSIGN_OR_RETURN(const std::vector<storage::Lease> all, leases_->List());
  const auto shards = std::count_if(all.begin(), all.end(), [](const auto& l) { return l.shard != storage::kControlShard; });
  if (shards != counted_) events_.counted(counted_ = static_cast<int>(shards));
  std::vector<int> wanted;
  for (const storage::Lease& lease : all) {
    if (held_.contains(lease.shard) || !(lease.expired || lease.owner.empty())) continue;
    if (lease.shard == storage::kControlShard) {
      RETURN_IF_ERROR(TakeControl());
    } else {
      wanted.push_back(lease.shard);
    }
  }
  const bool control = held_.contains(storage::kControlShard);
  const int most = options_.most_shards + static_cast<int>(control) - static_cast<int>(held_.size());
  if (wanted.empty() || most <= 0) return absl::OkStatus();
  if (numbers_ == nullptr) {
    ASSIGN_OR_RETURN(numbers_, storage::OpenSettler(connection_));
  }
  const SteadyInstant before = clock_.Steady();
  ASSIGN_OR_RETURN(const std::vector<storage::Lease> taken,
                   leases_->Take(wanted, options_.owner, options_.endpoint, options_.length, ++nonce_ & 0xfffff, most));
  if (taken.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<storage::SourceAssignment> assignments, assignments_.List());
  std::set<std::string> egresses;
  // Control may have been dead for a while, so a lease of an assignment that ended lately says nothing about its egress.
  for (const storage::SourceAssignment& assignment : assignments) {
    if (assignment.lease_until > clock_.Now() - kEgressMayLive) egresses.insert(assignment.egress);
  }
  // The earliest of what is held counts; a control lease alone says nothing about shards.
  if (held_.empty() || (control && held_.size() == 1)) events_.extended(before + options_.length - options_.margin);
  for (const storage::Lease& lease : taken) {
    ASSIGN_OR_RETURN(const int64_t last_seq, numbers_->LastSeq(lease.shard));
    held_[lease.shard] = lease.epoch;
    events_.taken(lease.shard, lease.epoch, last_seq, {egresses.begin(), egresses.end()});
  }
  log_.Info("leases_taken", {{"count", taken.size()}, {"held", held_.size()}});
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
