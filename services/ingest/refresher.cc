#include "ingest/refresher.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace sluice::ingest {
namespace {

// Beyond this, due times and expiries would be visibly wrong.
constexpr Duration kMostSkew = std::chrono::seconds(1);
// Nudges do not make rounds come faster than this.
constexpr Duration kLeastPause = std::chrono::milliseconds(100);

}  // namespace

Refresher::Refresher(Sources sources, DirectoryHolder& directory, OnShards on_shards,
                     const Clock& clock, const Logger& log)
    : sources_(std::move(sources)),
      directory_(directory),
      on_shards_(std::move(on_shards)),
      clock_(clock),
      log_(log) {}

Refresher::~Refresher() { Stop(); }

absl::Status Refresher::Tick() {
  absl::Status status = RefreshShards();
  if (!status.ok()) leases_.reset();
  status.Update(RefreshDirectory());
  if (sources_.check_database != nullptr) status.Update(sources_.check_database());
  if (status.ok() && sources_.beat != nullptr) status.Update(sources_.beat(revision_, round_began_));
  const bool is_ready = status.ok() && clocks_agree_;
  if (is_ready != ready_.exchange(is_ready)) {
    log_.Info(is_ready ? "ready" : "not_ready", {{"reason", View(status.message())}});
  }
  return status;
}

absl::Status Refresher::RefreshShards() {
  if (leases_ == nullptr) {
    ASSIGN_OR_RETURN(leases_, sources_.open_leases());
  }
  const Instant now = clock_.Now();
  ASSIGN_OR_RETURN(const Duration skew, leases_->Skew(now));
  round_began_ = now + skew;
  clocks_agree_ = skew < kMostSkew && skew > -kMostSkew;
  if (!clocks_agree_)
    log_.Error("clock_skew", {{"seconds", static_cast<double>(skew.count()) * 1e-6}});
  ASSIGN_OR_RETURN(const std::vector<storage::Lease> leases, leases_->List());
  std::vector<int> shards;
  std::map<int, std::string> owners;
  for (const storage::Lease& lease : leases) {
    if (lease.shard == storage::kControlShard) continue;
    shards.push_back(lease.shard);
    if (!lease.owner.empty() && !lease.expired && !lease.endpoint.empty())
      owners.emplace(lease.shard, lease.endpoint);
  }
  if (shards.empty())
    return absl::UnavailableError(
        "the database has no shards yet: start a scheduler, it makes them");
  on_shards_(std::move(shards), std::move(owners));
  return absl::OkStatus();
}

absl::Status Refresher::RefreshDirectory() {
  ASSIGN_OR_RETURN(const int64_t revision, sources_.policies.CurrentRevision());
  if (revision != revision_) {
    ASSIGN_OR_RETURN(const std::optional<storage::StoredPolicy> stored,
                     sources_.policies.Current());
    if (stored.has_value()) {
      ASSIGN_OR_RETURN(policy_, sources_.parse_policy(stored->document_json));
      revision_ = stored->revision.revision;
      log_.Info("policy", {{"revision", revision_}});
    }
  }
  ASSIGN_OR_RETURN(const std::vector<storage::ApiKey> keys, sources_.keys.LoadAll());
  if (sources_.follow_suppressions != nullptr) RETURN_IF_ERROR(sources_.follow_suppressions());
  const bool has_quota = std::any_of(policy_.tenants.begin(), policy_.tenants.end(), [](const auto& t) { return t.pending.has_value(); });
  if (has_quota && sources_.follow_pending != nullptr) RETURN_IF_ERROR(sources_.follow_pending());
  directory_.Set(MakeDirectory(revision_, policy_, keys));
  return absl::OkStatus();
}

void Refresher::Start(Duration interval, std::function<void(bool ready)> on_ready) {
  thread_ =
      std::thread([this, interval, on_ready = std::move(on_ready)] { Run(interval, on_ready); });
}

void Refresher::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Refresher::Nudge() {
  {
    const std::lock_guard lock(mutex_);
    nudged_ = true;
  }
  changed_.notify_all();
}

void Refresher::Run(Duration interval, const std::function<void(bool ready)>& on_ready) {
  std::string last_error;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    nudged_ = false;
    lock.unlock();
    const absl::Status status = Tick();
    on_ready(ready_);
    // Once for each trouble, not each second.
    if (std::string error(View(status.message())); error != last_error) {
      if (!status.ok()) log_.Warn("refresh_failed", {{"error", error}});
      last_error = std::move(error);
    }
    lock.lock();
    changed_.wait_for(lock, kLeastPause, [this] { return stopping_; });
    changed_.wait_for(lock, interval - kLeastPause, [this] { return stopping_ || nudged_; });
  }
}

}  // namespace sluice::ingest
