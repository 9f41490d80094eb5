#include "scheduler/control/share_keeper.h"

#include <set>

#include "base/status.h"
#include "policy/shared_limit.h"

namespace sluice::scheduler {
namespace {

constexpr auto kPatience = std::chrono::seconds(2);
constexpr auto kLease = std::chrono::seconds(10);
// Less than an egress waits before it asks another.
constexpr auto kQuestionLife = std::chrono::seconds(2);
// Holders stop using what they have so much earlier.
constexpr auto kMargin = std::chrono::seconds(2);

}  // namespace

absl::Status ShareKeeper::Round(const PolicyDocument& policy, bool has_control) {
  Limits limits;
  for (const SharedLimit& shared : SharedLimitsOf(policy.shaping)) limits.emplace(KeyOf(shared), TermsOf(shared));
  if (limits.empty() && !had_limits_) {
    for (const auto& [egress, told] : TakeEgresses()) told.answer({}, kLease - kMargin);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(Exchange(limits));
  if (has_control) RETURN_IF_ERROR(store_.Plan(limits));
  had_limits_ = !limits.empty();
  return absl::OkStatus();
}

void ShareKeeper::Told(const std::string& egress, EgressUses uses) {
  uses.came_at = clock_.Steady();
  const std::lock_guard lock(mutex_);
  egresses_.insert_or_assign(egress, std::move(uses));
}

std::map<std::string, EgressUses> ShareKeeper::TakeEgresses() {
  std::map<std::string, EgressUses> egresses;
  {
    const std::lock_guard lock(mutex_);
    egresses.swap(egresses_);
  }
  // It has asked another scheduler since, and may have more by now than it said here.
  std::erase_if(egresses, [now = clock_.Steady()](const auto& item) { return now - item.second.came_at > kQuestionLife; });
  return egresses;
}

absl::Status ShareKeeper::Exchange(const Limits& limits) {
  auto shares = mailbox_.Ask([&core = core_] { return core.Shares(); }, kPatience);
  if (!shares) return absl::DeadlineExceededError("the core does not answer");
  const std::map<std::string, EgressUses> egresses = TakeEgresses();
  std::set<std::string> holders = {id_};
  std::map<std::string, std::string> egress_of;
  std::vector<storage::ShareUse> uses = News(*std::move(shares));
  for (const auto& [egress, told] : egresses) {
    for (const storage::ShareUse& use : told.uses) {
      if (!limits.contains(use.rate_key)) continue;  // By another policy than ours.
      holders.insert(use.holder);
      egress_of[use.holder] = egress;
      uses.push_back(use);
    }
  }
  std::vector<std::string> keys;
  for (const auto& [key, terms] : limits) keys.push_back(key);
  const SteadyInstant before = clock_.Steady();
  auto given = store_.Exchange({holders.begin(), holders.end()}, uses, keys, kLease);
  if (!given.ok()) {
    told_.clear();  // Told again, whatever of it was stored.
    return given.status();
  }
  std::map<std::string, std::vector<storage::OwnShare>> by_egress;
  std::vector<storage::OwnShare> own;
  for (storage::OwnShare& share : *given) {
    (share.row.holder == id_ ? own : by_egress[egress_of[share.row.holder]]).push_back(std::move(share));
  }
  for (const auto& [egress, told] : egresses) told.answer(by_egress[egress], kLease - kMargin);
  Give(own, before + kLease - kMargin);
  return absl::OkStatus();
}

std::vector<storage::ShareUse> ShareKeeper::News(std::vector<ShareNow> shares) {
  std::vector<storage::ShareUse> news;
  for (ShareNow& now : shares) {
    const std::pair<int64_t, bool> state(now.used, now.wants);
    auto& told = told_.try_emplace(now.limit, -1, false).first->second;
    if (told == state && !now.lowered_to) continue;
    told = state;
    news.push_back(
        {.holder = id_, .rate_key = std::move(now.limit), .used = now.used, .wants = now.wants, .lowered_to = now.lowered_to});
  }
  return news;
}

void ShareKeeper::Give(const std::vector<storage::OwnShare>& own, SteadyInstant until) {
  std::set<std::string> keys;
  std::vector<GivenShare> given;
  for (const auto& [key, row] : own) {
    keys.insert(key);
    given.push_back({.limit = key, .most = row.most, .target = row.target, .of = row.of});
  }
  // A row that went with a lapsed lease is made again.
  std::erase_if(told_, [&](const auto& item) { return !keys.contains(item.first); });
  mailbox_.Post([&core = core_, given = std::move(given), until] { core.GiveShares(given, until); });
}

}  // namespace sluice::scheduler
