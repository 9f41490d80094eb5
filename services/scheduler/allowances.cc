#include "scheduler/allowances.h"

#include <algorithm>

#include "policy/warmup_pace.h"

namespace sluice::scheduler {
namespace {

constexpr std::string_view kOther = "other";
// Grants end this long before their day does, so that an RCPT command arrives within it; a twentieth of a test's short day.
constexpr Duration kMargin = std::chrono::seconds(2);

PacedCap PaceOf(const storage::LedgerPace& row) {
  return {.cap = row.cap, .used = row.used, .opens_at = row.opens_at, .closes_at = row.closes_at};
}

bool IsEmpty(const storage::LedgerCounts& c) {
  return c.returned == 0 && c.attempted == 0 && c.accepted == 0 && c.deferred == 0 && c.throttled == 0 && c.bounced == 0 &&
         c.blocked == 0 && c.complained == 0;
}

void AddTo(storage::LedgerCounts& to, const storage::LedgerCounts& from) {
  to.returned += from.returned;
  to.attempted += from.attempted;
  to.accepted += from.accepted;
  to.deferred += from.deferred;
  to.throttled += from.throttled;
  to.bounced += from.bounced;
  to.blocked += from.blocked;
  to.complained += from.complained;
}

}  // namespace

std::vector<uint16_t> Allowances::Set(std::vector<WarmingSource> sources, const storage::LedgerDay& day) {
  day_ = day;
  std::vector<uint16_t> lowered;
  if (Update(sources, lowered)) return lowered;
  for (Account& account : accounts_) {
    GiveUp(account);
    CountsOf(account, 0);
  }
  accounts_.clear();
  by_source_.clear();
  by_provider_.clear();
  asked_.clear();
  for (WarmingSource& source : sources) {
    if (by_source_.size() <= source.source) by_source_.resize(source.source + size_t{1});
    const bool is_known = !source.columns.empty();
    if (!is_known) source.columns.push_back({.provider = std::string(kOther)});
    for (WarmupColumn& column : source.columns) {
      by_source_[source.source].push_back(accounts_.size());
      Account& account = accounts_.emplace_back();
      account.address = source.address;
      account.column = std::move(column.provider);
      account.source = source.source;
      account.needs_grants = column.needs_grants;
      account.lowered = column.lowered;
      account.is_known = is_known;
    }
  }
  return lowered;
}

// True when the accounts are those of `sources`: they take the new facts and keep what they hold.
bool Allowances::Update(const std::vector<WarmingSource>& sources, std::vector<uint16_t>& lowered) {
  size_t at = 0;
  for (const WarmingSource& source : sources) {
    for (const WarmupColumn& column : source.columns) {
      if (at >= accounts_.size()) return false;
      const Account& account = accounts_[at++];
      if (account.source != source.source || account.address != source.address || account.column != column.provider) return false;
    }
    if (source.columns.empty()) return false;
  }
  if (at != accounts_.size()) return false;
  at = 0;
  for (const WarmingSource& source : sources) {
    bool is_lowered = false;
    for (const WarmupColumn& column : source.columns) {
      Account& account = accounts_[at++];
      account.needs_grants = column.needs_grants;
      if (column.lowered <= account.lowered) continue;
      account.lowered = column.lowered;
      account.none_until = {};
      GiveUp(account);
      is_lowered = true;
    }
    if (is_lowered) lowered.push_back(source.source);
  }
  return true;
}

void Allowances::GiveUp(Account& account) {
  if (account.held <= 0) return;
  CountsOf(account, account.grant.day).returned += account.held;
  account.held = 0;
}

storage::LedgerCounts& Allowances::CountsOf(Account& account, int64_t day) {
  if (account.counts.day != day) {
    if (!IsEmpty(account.counts)) ready_counts_.push_back(account.counts);
    account.counts = {.day = day, .address = account.address, .provider = account.column};
  }
  return account.counts;
}

const Allowances::Account* Allowances::Find(uint16_t source, uint32_t provider) const {
  const auto it = by_provider_.find(Key(source, provider));
  return it == by_provider_.end() ? nullptr : &accounts_[it->second];
}

Allowances::Account* Allowances::Find(uint16_t source, uint32_t provider, std::string_view name) {
  if (!IsWarming(source)) return nullptr;
  const auto [it, is_new] = by_provider_.try_emplace(Key(source, provider), 0);
  if (is_new) {
    const std::vector<size_t>& mine = by_source_[source];
    const auto find = [&](std::string_view column) {
      return std::find_if(mine.begin(), mine.end(), [&](size_t i) { return accounts_[i].column == column; });
    };
    auto found = find(name);
    if (found == mine.end()) found = find(kOther);
    it->second = found == mine.end() ? mine.front() : *found;
    accounts_[it->second].providers.push_back(provider);
  }
  return &accounts_[it->second];
}

Allowance Allowances::Look(uint16_t source, uint32_t provider, std::string_view name, Instant now) {
  Account* account = Find(source, provider, name);
  if (account == nullptr || !account->needs_grants) return Allowance::kFree;
  if (!account->is_known) return Allowance::kNone;
  account->is_wanted = true;
  if (account->held > 0 && now < account->grant.not_after) return Allowance::kReady;
  if (now < account->none_until) return Allowance::kNone;
  if (!account->waiting_since) account->waiting_since = now;
  return now - *account->waiting_since < kPatience ? Allowance::kAsking : Allowance::kNone;
}

Grant Allowances::Take(uint16_t source, uint32_t provider, Instant now) {
  const auto it = by_provider_.find(Key(source, provider));
  if (it == by_provider_.end()) return {};
  Account& account = accounts_[it->second];
  if (!account.needs_grants) return {};
  --account.held;
  account.used_at = now;
  return account.grant;
}

void Allowances::Conclude(uint16_t source, uint32_t provider, int64_t grant_day, const storage::LedgerCounts& counts, Instant now) {
  const auto it = by_provider_.find(Key(source, provider));
  if (it == by_provider_.end()) return;
  Account& account = accounts_[it->second];
  storage::LedgerCounts& row = CountsOf(account, grant_day != 0 ? grant_day : day_.day);
  AddTo(row, counts);
  if (grant_day == 0 || counts.attempted > 0) return;
  if (account.held > 0 && account.grant.day == grant_day && now < account.grant.not_after) {
    ++account.held;
  } else {
    ++row.returned;
  }
}

bool Allowances::WantsMore(Account& account, Instant now) {
  if (account.held > 0 && (now >= account.grant.not_after || now - account.used_at >= kIdle)) GiveUp(account);
  if (!account.needs_grants || !account.is_wanted || now < account.none_until) return false;
  return account.held * 2 < account.chunk;
}

std::vector<storage::GrantRequest> Allowances::TakeRequests(Instant now) {
  if (asked_at_.has_value() || accounts_.empty()) return {};
  requests_.clear();
  asked_.clear();
  // Begins at another account each time: where an address's total runs short, the first are served first.
  ask_from_ = (ask_from_ + 1) % accounts_.size();
  for (size_t i = 0; i < accounts_.size() && requests_.size() < kMostRequests; ++i) {
    const size_t at = (ask_from_ + i) % accounts_.size();
    Account& account = accounts_[at];
    if (!WantsMore(account, now)) continue;
    account.is_wanted = false;
    asked_.push_back(at);
    requests_.push_back({.address = account.address, .provider = account.column, .wanted = account.chunk - account.held});
  }
  if (!requests_.empty()) asked_at_ = now;
  return requests_;
}

bool Allowances::Receive(Account& account, const storage::Granted& granted, const storage::LedgerDay& day, Instant now) {
  account.waiting_since.reset();
  // The database's clock is read after we asked, so its times come no later on ours than this.
  const auto ours = [&](Instant at) { return *asked_at_ + (at - day.now); };
  if (!granted.is_open) {
    account.none_until = now + kAskAgain;
    account.is_wanted = true;
    return false;
  }
  account.chunk = std::min(DrawChunk(granted.provider.cap), DrawChunk(granted.total.cap));
  if (granted.count < account.chunk) {
    account.is_wanted = true;
    const auto next = NextGrantAt(PaceOf(granted.provider), day.now);
    const auto next_total = NextGrantAt(PaceOf(granted.total), day.now);
    // Used up: a cap is not raised within its day, but what others give back is there again.
    account.none_until = next && next_total ? ours(std::max(*next, *next_total)) : now + kAskAgain;
  }
  if (granted.count <= 0) return false;
  if (account.held > 0 && account.grant.day != day.day) GiveUp(account);
  const Duration margin = std::min<Duration>(kMargin, (day.ends_at - day.starts_at) / 20);
  account.grant = {.day = day.day, .not_after = ours(day.ends_at) - margin};
  account.held += granted.count;
  account.used_at = now;
  return true;
}

bool Allowances::OnDrawn(const storage::GrantAnswer& answer, Instant now) {
  bool any = false;
  for (size_t i = 0; i < answer.grants.size() && i < requests_.size(); ++i) {
    if (i < asked_.size()) {
      any = Receive(accounts_[asked_[i]], answer.grants[i], answer.day, now) || any;
    } else if (answer.grants[i].count > 0) {
      ready_counts_.push_back({.day = answer.day.day,
                               .address = requests_[i].address,
                               .provider = requests_[i].provider,
                               .returned = answer.grants[i].count});
    }
  }
  asked_at_.reset();
  return any;
}

void Allowances::OnDrawFailed(Instant now) {
  // Nobody knows what the ledger would say now: what is held stops, too. It counts as spent unless the day lasts to give it back.
  for (Account& account : accounts_) {
    if (!account.needs_grants) continue;
    account.is_wanted = account.is_wanted || account.waiting_since.has_value();
    account.waiting_since.reset();
    account.none_until = now + kAskAgain;
    GiveUp(account);
  }
  asked_at_.reset();
}

std::vector<storage::LedgerCounts> Allowances::TakeCounts(Instant now, bool all) {
  if (!all && now - recorded_at_ < kRecordEvery) return {};
  recorded_at_ = now;
  for (Account& account : accounts_) CountsOf(account, 0);
  return std::exchange(ready_counts_, {});
}

void Allowances::OnRecordFailed(std::vector<storage::LedgerCounts> counts) {
  constexpr size_t kMostKept = 100'000;
  if (ready_counts_.size() + counts.size() > kMostKept) return;  // Lost counts only make the judgement see less.
  ready_counts_.insert(ready_counts_.end(), std::make_move_iterator(counts.begin()), std::make_move_iterator(counts.end()));
}

}  // namespace sluice::scheduler
