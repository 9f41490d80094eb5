#include "scheduler/control/share_keeper.h"

#include "base/status.h"
#include "policy/shared_rate.h"

namespace sluice::scheduler {
namespace {

constexpr auto kPatience = std::chrono::seconds(2);
constexpr auto kLease = std::chrono::seconds(10);
// We stop using what we have so much earlier.
constexpr auto kMargin = std::chrono::seconds(2);

}  // namespace

absl::Status ShareKeeper::Round(const PolicyDocument& policy, bool has_control) {
  std::map<std::string, Rate> rates;
  for (const SharedRate& shared : SharedRatesOf(policy)) rates.emplace(KeyOf(shared), shared.rate);
  if (rates.empty() && !had_rates_) return absl::OkStatus();
  RETURN_IF_ERROR(Exchange(rates));
  if (has_control) RETURN_IF_ERROR(store_.Plan(rates));
  had_rates_ = !rates.empty();
  return absl::OkStatus();
}

absl::Status ShareKeeper::Exchange(const std::map<std::string, Rate>& rates) {
  auto shares = mailbox_.Ask([&core = core_] { return core.Shares(); }, kPatience);
  if (!shares) return absl::DeadlineExceededError("the core does not answer");
  std::vector<storage::ShareUse> uses;
  for (ShareNow& now : *shares) {
    const std::pair<int64_t, bool> state(now.used, now.wants);
    auto& told = told_.try_emplace(now.limit, -1, false).first->second;
    if (told == state && !now.lowered_to) continue;
    told = state;
    uses.push_back({.rate_key = std::move(now.limit), .used = now.used, .wants = now.wants, .lowered_to = now.lowered_to});
  }
  std::vector<std::string> keys;
  for (const auto& [key, rate] : rates) keys.push_back(key);
  const SteadyInstant before = clock_.Steady();
  auto own = store_.Exchange(id_, uses, keys, kLease);
  if (!own.ok()) {
    told_.clear();  // Told again, whatever of it was stored.
    return own.status();
  }
  // A row that went with a lapsed lease is made again.
  std::erase_if(told_, [&](const auto& item) { return !own->contains(item.first); });
  std::vector<GivenShare> given;
  for (const auto& [key, row] : *own) given.push_back({.limit = key, .most = row.most, .target = row.target, .of = row.of});
  mailbox_.Post([&core = core_, given = std::move(given), until = before + kLease - kMargin] { core.GiveShares(given, until); });
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
