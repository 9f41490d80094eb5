#include "scheduler/allowances.h"

#include <algorithm>

#include "policy/warmup_pace.h"

namespace sluice::scheduler {
namespace {

constexpr std::string_view kOther = "other";
// Grants end this long before their day does, so that an RCPT command arrives within it; a twentieth of a test's short day.
constexpr Duration kMargin = std::chrono::seconds(2);
// An answer that grants nothing is believed so long at least, whatever clocks and rounding say.
constexpr Duration kBreath = std::chrono::milliseconds(10);

PacedCap PaceOf(const storage::LedgerPace& row) {
  return {.cap = row.cap, .used = row.used, .opens_at = row.opens_at, .closes_at = row.closes_at,
          .stopped_until = row.stopped_until};
}

// A 200th of what the day is open: a chunk's time, several times over.
Duration GatherOf(const storage::LedgerPace& row, Duration most) {
  return std::clamp<Duration>((row.closes_at - row.opens_at) / 200, kBreath, most);
}

// The first shared time that is not before `at`.
Instant Together(Instant at, Duration gather) {
  const int64_t every = gather.count();
  return FromMicros((ToMicros(at) + every - 1) / every * every);
}

// What the pace would let others draw now.
int64_t RoomOf(const storage::LedgerPace& row, Instant now) { return PaceAllows(PaceOf(row), now) - row.used; }

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

std::vector<uint16_t> Allowances::Set(const std::vector<WarmingSource>& sources, const storage::LedgerDay& day) {
  static const std::vector<WarmupColumn> kUnknown = {{.provider = std::string(kOther)}};
  day_ = day;
  for (Account& account : accounts_) account.is_ours = false;
  warming_.assign(warming_.size(), false);
  std::vector<uint16_t> lowered;
  for (const WarmingSource& source : sources) {
    if (warming_.size() <= source.source) warming_.resize(source.source + size_t{1});
    warming_[source.source] = true;
    const bool is_known = !source.columns.empty();
    bool is_lowered = false;
    for (const WarmupColumn& column : is_known ? source.columns : kUnknown) {
      Account& account = AccountFor(source, column.provider);
      if (!Adopt(account, column, is_known)) continue;
      GiveUp(account);
      is_lowered = true;
    }
    if (is_lowered) lowered.push_back(source.source);
  }
  by_provider_.clear();
  gone_ = 0;
  for (Account& account : accounts_) {
    account.providers.clear();
    if (account.is_ours || account.address.empty()) continue;
    GiveUp(account);
    ++gone_;
  }
  return lowered;
}

void Allowances::ForgetGone(const absl::flat_hash_set<uint32_t>& in_flight) {
  for (uint32_t number = 0; number < accounts_.size(); ++number) {
    Account& account = accounts_[number];
    const bool is_asked = asked_at_ && std::find(asked_.begin(), asked_.end(), number) != asked_.end();
    if (account.is_ours || account.address.empty() || is_asked || in_flight.contains(number)) continue;
    CountsOf(account, 0);
    std::erase(by_source_[account.source], number);
    account = {};
    free_.push_back(number);
    --gone_;
  }
}

Allowances::Account& Allowances::AccountFor(const WarmingSource& source, std::string_view column) {
  if (by_source_.size() <= source.source) by_source_.resize(source.source + size_t{1});
  std::vector<uint32_t>& mine = by_source_[source.source];
  const auto found = std::find_if(mine.begin(), mine.end(), [&](uint32_t i) {
    return accounts_[i].address == source.address && accounts_[i].column == column;
  });
  if (found != mine.end()) return accounts_[*found];
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(accounts_.size()));
    accounts_.emplace_back();
  }
  mine.push_back(free_.back());
  Account& account = accounts_[free_.back()];
  free_.pop_back();
  account.address = source.address;
  account.column = column;
  account.source = source.source;
  return account;
}

// True when what it holds is to be given up.
bool Allowances::Adopt(Account& account, const WarmupColumn& column, bool is_known) {
  const bool is_new = account.lowered < 0;
  const bool is_lowered = !is_new && column.lowered > account.lowered;
  if (is_lowered || (account.is_stopped && !column.is_stopped)) account.none_until = {};
  account.is_ours = true;
  account.is_known = is_known;
  account.needs_grants = column.needs_grants;
  account.is_stopped = column.is_stopped;
  account.lowered = std::max(account.lowered, column.lowered);
  return is_lowered;
}

void Allowances::Return(Account& account, int64_t day, int64_t count) {
  if (count <= 0) return;
  CountsOf(account, day).returned += count;
  has_returns_ = true;
}

void Allowances::GiveUp(Account& account) { Return(account, account.grant.day, std::exchange(account.held, 0)); }

storage::LedgerCounts& Allowances::CountsOf(Account& account, int64_t day) {
  if (account.counts.day != day) {
    if (!IsEmpty(account.counts)) ready_counts_.push_back(account.counts);
    account.counts = {.day = day, .address = account.address, .provider = account.column};
  }
  return account.counts;
}

Allowances::Account* Allowances::Find(uint16_t source, uint32_t provider) {
  const auto it = by_provider_.find(Key(source, provider));
  return it == by_provider_.end() ? nullptr : &accounts_[it->second];
}

Allowances::Account* Allowances::Find(uint16_t source, uint32_t provider, std::string_view name) {
  if (!IsWarming(source)) return nullptr;
  if (Account* known = Find(source, provider)) return known;
  uint32_t at = kNoAccount;
  for (const uint32_t i : by_source_[source]) {
    const Account& account = accounts_[i];
    if (!account.is_ours) continue;
    if (account.column == name) {
      at = i;
      break;
    }
    if (at == kNoAccount || account.column == kOther) at = i;
  }
  by_provider_[Key(source, provider)] = at;
  accounts_[at].providers.push_back(provider);
  return &accounts_[at];
}

uint32_t Allowances::AccountOf(uint16_t source, uint32_t provider, std::string_view name) {
  return Find(source, provider, name) == nullptr ? kNoAccount : by_provider_.at(Key(source, provider));
}

uint32_t Allowances::KnownAccountOf(uint16_t source, uint32_t provider) const {
  const auto it = by_provider_.find(Key(source, provider));
  return it == by_provider_.end() ? kNoAccount : it->second;
}

Allowance Allowances::Look(uint16_t source, uint32_t provider, std::string_view name, Instant now) {
  const Account* account = Find(source, provider, name);
  if (account == nullptr || !account->needs_grants) return Allowance::kFree;
  if (!account->is_known || account->is_stopped) return Allowance::kNone;
  if (account->held > 0 && now < account->grant.not_after) return Allowance::kReady;
  if (now < account->none_until) return Allowance::kNone;
  return account->waiting_since && now - *account->waiting_since >= kPatience ? Allowance::kNone : Allowance::kAsking;
}

void Allowances::Want(uint16_t source, uint32_t provider, Instant now) {
  Account* account = Find(source, provider);
  if (account == nullptr) return;
  account->is_wanted = true;
  if (!account->waiting_since) account->waiting_since = now;
}

Grant Allowances::Take(uint16_t source, uint32_t provider, Instant now) {
  const auto it = by_provider_.find(Key(source, provider));
  if (it == by_provider_.end() || !IsWarming(source)) return {};
  Account& account = accounts_[it->second];
  Grant grant{.account = it->second};
  if (!account.needs_grants) return grant;
  grant.day = account.grant.day;
  grant.not_after = account.grant.not_after;
  --account.held;
  account.used_at = now;
  // Where grants come by the dozen, the next are there before these are gone.
  if (account.chunk > 1 && account.held * 2 < account.chunk) account.is_wanted = true;
  return grant;
}

void Allowances::Conclude(uint32_t number, int64_t grant_day, const storage::LedgerCounts& counts, Instant now) {
  if (number == kNoAccount) return;
  Account& account = accounts_[number];
  AddTo(CountsOf(account, grant_day != 0 ? grant_day : day_.day), counts);
  if (grant_day == 0 || counts.attempted > 0) return;
  if (account.held > 0 && account.grant.day == grant_day && now < account.grant.not_after) {
    ++account.held;
  } else {
    Return(account, grant_day, 1);
  }
}

bool Allowances::WantsMore(Account& account, Instant now, Waits waits) {
  if (account.held > 0 && (now >= account.grant.not_after || now - account.used_at >= account.idle)) GiveUp(account);
  if (!account.is_ours || !account.is_known || !account.needs_grants || account.is_stopped || now < account.none_until) return false;
  if (account.held * 2 >= account.chunk) return false;
  return account.is_wanted || std::any_of(account.providers.begin(), account.providers.end(),
                                          [&](uint32_t provider) { return waits(account.source, provider); });
}

std::vector<storage::GrantRequest> Allowances::TakeRequests(Instant now, Waits waits) {
  if (asked_at_.has_value() || accounts_.empty()) return {};
  requests_.clear();
  asked_.clear();
  // Begins at another account each time: where an address's total runs short, the first are served first.
  ask_from_ = (ask_from_ + 1) % accounts_.size();
  const bool draws_ahead = now >= ahead_at_;
  if (draws_ahead) ahead_at_ = Together(now + Duration(1), gather_);
  for (size_t i = 0; i < accounts_.size() && requests_.size() < kMostRequests; ++i) {
    const size_t at = (ask_from_ + i) % accounts_.size();
    Account& account = accounts_[at];
    if (!WantsMore(account, now, waits)) continue;
    if (!draws_ahead && account.held * 4 >= account.chunk) continue;
    account.is_wanted = false;
    asked_.push_back(static_cast<uint32_t>(at));
    requests_.push_back({.address = account.address, .provider = account.column, .wanted = account.chunk - account.held});
  }
  if (!requests_.empty()) asked_at_ = now;
  return requests_;
}

bool Allowances::Receive(Account& account, int64_t wanted, const storage::Granted& granted, const storage::LedgerDay& day, Instant now) {
  account.waiting_since.reset();
  if (!granted.is_open) {
    account.none_until = now + kAskAgain;
    return false;
  }
  // The database's clock is read after we asked, so its times come no later on ours than this.
  const auto ours = [&](Instant at) { return *asked_at_ + (at - day.now); };
  account.chunk = std::min(DrawChunk(granted.provider.cap), DrawChunk(granted.total.cap));
  const auto next = NextGrantAt(PaceOf(granted.provider), day.now);
  const auto next_total = NextGrantAt(PaceOf(granted.total), day.now);
  // Used up: a cap is not raised within its day, but what others give back is there again.
  account.none_until = next && next_total ? ours(std::max(*next, *next_total)) : now + kAskAgain;
  gather_ = GatherOf(granted.provider, kGather);
  if (granted.count < wanted) {
    account.none_until = Together(std::clamp<Instant>(account.none_until, now + kBreath, now + kAskAtLatest), gather_);
  }
  if (granted.count <= 0) return false;
  if (!account.is_ours || account.is_stopped) {
    Return(account, day.day, granted.count);
    return false;
  }
  if (account.held > 0 && account.grant.day != day.day) GiveUp(account);
  const Duration margin = std::min<Duration>(kMargin, (day.ends_at - day.starts_at) / 20);
  account.grant = {.day = day.day, .not_after = ours(day.ends_at) - margin};
  account.held += granted.count;
  const int64_t room = std::min(RoomOf(granted.provider, day.now), RoomOf(granted.total, day.now));
  account.idle = account.chunk > 1 && room >= 4 * account.chunk ? kIdleInPlenty : kIdle;
  account.used_at = now;
  return true;
}

bool Allowances::OnDrawn(const storage::GrantAnswer& answer, Instant now) {
  bool any = false;
  for (size_t i = 0; i < answer.grants.size() && i < asked_.size(); ++i) {
    any = Receive(accounts_[asked_[i]], requests_[i].wanted, answer.grants[i], answer.day, now) || any;
  }
  asked_at_.reset();
  return any;
}

void Allowances::OnDrawFailed(Instant now) {
  // Nobody knows what the ledger would say now: what is held stops, too. It counts as spent unless the day lasts to give it back.
  for (Account& account : accounts_) {
    if (!account.needs_grants) continue;
    account.is_wanted = false;
    account.waiting_since.reset();
    account.none_until = now + kAskAgain;
    GiveUp(account);
  }
  asked_at_.reset();
}

std::vector<storage::LedgerCounts> Allowances::TakeCounts(Instant now, bool all) {
  if (!all && now - recorded_at_ < (has_returns_ ? kReturnEvery : kRecordEvery)) return {};
  recorded_at_ = now;
  has_returns_ = false;
  for (Account& account : accounts_) CountsOf(account, 0);
  return std::exchange(ready_counts_, {});
}

void Allowances::OnRecordFailed(std::vector<storage::LedgerCounts> counts) {
  constexpr size_t kMostKept = 100'000;
  if (ready_counts_.size() + counts.size() > kMostKept) return;  // Lost counts only make the judgement see less.
  ready_counts_.insert(ready_counts_.end(), std::make_move_iterator(counts.begin()), std::make_move_iterator(counts.end()));
}

}  // namespace sluice::scheduler
