#include "scheduler/control/pending_keeper.h"

#include <optional>
#include <vector>

#include "base/status.h"

namespace sluice::scheduler {
namespace {
constexpr auto kEvery = std::chrono::milliseconds(900);
constexpr auto kPatience = std::chrono::seconds(2);
}

absl::Status PendingKeeper::Round(const PolicyDocument& policy) {
  std::vector<std::string> tenants;
  for (const TenantPolicy& tenant : policy.tenants) {
    if (tenant.pending) tenants.push_back(tenant.name);
  }
  if (tenants.empty() || clock_.Steady() < at_) return absl::OkStatus();
  const Instant now = clock_.Now();
  auto counted = mailbox_.Ask([&core = core_, tenants = std::move(tenants)] { return core.Pending(tenants); }, kPatience);
  if (!counted) return absl::DeadlineExceededError("the core does not answer");
  std::vector<storage::ShardPending> rows;
  std::map<std::pair<int, std::string>, std::pair<int64_t, int64_t>> all;
  for (storage::ShardPending& row : *counted) {
    const std::pair<int, std::string> key(row.shard, row.tenant);
    const std::pair<int64_t, int64_t> value(row.epoch, row.entries);
    all.emplace(key, value);
    const auto told = told_.find(key);
    if (!row.tenant.empty() && told != told_.end() && told->second == value) continue;
    row.counted_at = now;
    rows.push_back(std::move(row));
  }
  if (!rows.empty()) RETURN_IF_ERROR(store_.Put(rows));
  told_ = std::move(all);
  at_ = clock_.Steady() + kEvery;
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
