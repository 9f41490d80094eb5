#include "egress/custody.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace sluice::egress {
namespace {

// The first `most` of `from`, removed there.
template <class T>
std::vector<T> TakeFront(std::vector<T>& from, size_t most) {
  if (from.size() <= most) return std::exchange(from, {});
  const auto middle = from.begin() + static_cast<std::ptrdiff_t>(most);
  std::vector<T> taken(from.begin(), middle);
  from.erase(from.begin(), middle);
  return taken;
}

// A report says all that a notice not yet written would say.
void Forget(std::vector<QueueEntryId>& begun, QueueEntryId id) {
  const auto found = std::find(begun.rbegin(), begun.rend(), id);
  if (found == begun.rend()) return;
  *found = begun.back();
  begun.pop_back();
}

}  // namespace

void Custody::Step::Perform() {
  if (write.has_value()) sink->Write(*std::move(write));
  if (flush_at.has_value()) sink->FlushAt(*flush_at);
}

std::shared_ptr<Session> Custody::Open() {
  const std::lock_guard lock(mutex_);
  auto session = std::make_shared<Session>(++last_session_);
  accounts_[last_session_].session = session;
  reports_.Open(last_session_);
  return session;
}

void Custody::Attach(const Session& session, std::shared_ptr<DeliverSink> sink) {
  Step step;
  {
    const std::lock_guard lock(mutex_);
    Account* account = Find(session.number());
    if (account == nullptr) return;
    account->sink = std::move(sink);
    account->needs_inventory = true;
    step = NextLocked(*account);
  }
  step.Perform();
}

void Custody::Close(Session& session) {
  std::vector<Step> steps;
  std::shared_ptr<DeliverSink> last_of_sink;  // may be the last reference: freed without the lock
  {
    const std::lock_guard lock(mutex_);
    session.End();
    Account* account = Find(session.number());
    if (account == nullptr) return;
    last_of_sink = std::move(account->sink);
    accounts_.erase(session.number());
    reports_.Close(session.number());
    steps = NextOfAllLocked();
  }
  for (Step& step : steps) step.Perform();
}

void Custody::OwnShards(const Session& session, std::span<const int> shards) {
  std::vector<Step> steps;
  {
    const std::lock_guard lock(mutex_);
    reports_.OwnShards(session.number(), shards);
    if (Account* account = Find(session.number())) account->needs_inventory = true;
    steps = NextOfAllLocked();
  }
  for (Step& step : steps) step.Perform();
}

void Custody::StartDrain() {
  const std::lock_guard lock(mutex_);
  is_draining_ = true;
}

std::optional<ReturnReason> Custody::Admit(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  ++held_;
  if (is_draining_) return ReturnReason::kDrain;
  // Twice at once can only come from two schedulers, of which one has lost the shard.
  if (held_ > most_held_ || begun_.contains(entry.id)) return ReturnReason::kLease;
  return std::nullopt;
}

bool Custody::TryBegin(Entry& entry) {
  if (entry.is_begun) return true;
  Step step;
  {
    const std::lock_guard lock(mutex_);
    const Session& session = *entry.session;
    if (is_draining_ || !session.Holds(clock_.Steady()) || clock_.Now() >= entry.not_after ||
        !reports_.MayBegin(session.number(), ShardOf(entry.id)) ||
        !begun_.insert(entry.id).second) {
      return false;
    }
    entry.is_begun = true;
    Account* account = Find(session.number());
    SLUICE_CHECK(account != nullptr);  // Its lease holds, so it was not closed.
    account->begun.push_back(entry.id);
    step = NextLocked(*account);
  }
  step.Perform();
  return true;
}

void Custody::Report(const Entry& entry, ReportPtr report) {
  SLUICE_CHECK(entry.is_begun);
  std::vector<Step> steps;
  {
    const std::lock_guard lock(mutex_);
    begun_.erase(entry.id);
    if (Account* account = Find(entry.session->number())) Forget(account->begun, entry.id);
    reports_.Add(std::move(report));
    steps = NextOfAllLocked();
  }
  for (Step& step : steps) step.Perform();
}

void Custody::Return(const Entry& entry, ReturnReason reason, std::string detail) {
  SLUICE_CHECK(!entry.is_begun);
  Step step;
  {
    const std::lock_guard lock(mutex_);
    --held_;
    Account* account = Find(entry.session->number());
    if (account == nullptr) return;
    account->returns.push_back({entry.id, entry.attempt_id, reason, std::move(detail)});
    step = NextLocked(*account);
  }
  step.Perform();
}

void Custody::AskContent(const Session& session, MessageId message) {
  Step step;
  {
    const std::lock_guard lock(mutex_);
    Account* account = Find(session.number());
    if (account == nullptr) return;
    account->content_needed.push_back(message);
    step = NextLocked(*account);
  }
  step.Perform();
}

void Custody::Settle(const Session& session, int64_t through) {
  const std::lock_guard lock(mutex_);
  held_ -= reports_.Settle(session.number(), through);
}

void Custody::NotOwned(const Session& session, std::span<const int64_t> numbers) {
  std::vector<Step> steps;
  {
    const std::lock_guard lock(mutex_);
    reports_.NotOwned(session.number(), numbers);
    steps = NextOfAllLocked();
  }
  for (Step& step : steps) step.Perform();
}

void Custody::Written(const Session& session) {
  Step step;
  {
    const std::lock_guard lock(mutex_);
    Account* account = Find(session.number());
    if (account == nullptr) return;
    account->is_writing = false;
    step = NextLocked(*account);
  }
  step.Perform();
}

void Custody::Flush(const Session& session) {
  Step step;
  {
    const std::lock_guard lock(mutex_);
    Account* account = Find(session.number());
    if (account == nullptr) return;
    account->is_armed = false;
    if (!account->is_writing && account->sink != nullptr && UnwrittenCount(*account) > 0) {
      step = WriteLocked(*account, clock_.Steady());
    }
  }
  step.Perform();
}

CustodyStats Custody::Stats() const {
  const std::lock_guard lock(mutex_);
  CustodyStats stats{.held = held_, .begun = begun_.size(), .unacked = reports_.size()};
  for (const auto& [number, account] : accounts_) {
    if (account.sink == nullptr) continue;
    stats.unwritten += UnwrittenCount(account) + (account.is_writing ? 1 : 0);
  }
  return stats;
}

Custody::Account* Custody::Find(uint64_t session) {
  const auto found = accounts_.find(session);
  return found == accounts_.end() ? nullptr : &found->second;
}

size_t Custody::UnwrittenCount(const Account& account) const {
  return account.begun.size() + account.returns.size() + account.content_needed.size() +
         reports_.QueuedCount(account.session->number()) + account.inventory.size() +
         (account.needs_inventory ? 1 : 0);
}

Custody::Step Custody::NextLocked(Account& account) {
  const size_t count = UnwrittenCount(account);
  if (count == 0 || account.is_writing || account.sink == nullptr) return {};
  const SteadyInstant now = clock_.Steady();
  // A notice of a begin can wait for the report that mostly follows at once.
  const bool is_only_begun = count == account.begun.size();
  const bool is_quiet = now - account.last_write >= kFlushInterval;
  const bool is_urgent = account.needs_inventory || !account.inventory.empty();
  if (is_urgent || count >= kFlushCount || (is_quiet && !is_only_begun)) {
    return WriteLocked(account, now);
  }
  if (account.is_armed) return {};
  account.is_armed = true;
  const SteadyInstant from = is_quiet ? now : account.last_write;
  return {.sink = account.sink, .write = {}, .flush_at = from + kFlushInterval};
}

Custody::Step Custody::WriteLocked(Account& account, SteadyInstant now) {
  account.is_writing = true;
  account.last_write = now;
  // Taken at the moment it is written, and alone: what is reported later arrives later.
  if (account.inventory.empty() && std::exchange(account.needs_inventory, false)) {
    account.inventory = TakeInventoryLocked();
  }
  if (!account.inventory.empty()) {
    DeliverBatch batch;
    batch.inventory = std::move(account.inventory.front());
    account.inventory.pop_front();
    return {.sink = account.sink, .write = std::move(batch), .flush_at = {}};
  }
  DeliverBatch batch{.inventory = {},
                     .begun = TakeFront(account.begun, kMostPerBatch),
                     .reports = reports_.Take(account.session->number(), kMostPerBatch),
                     .returns = TakeFront(account.returns, kMostPerBatch),
                     .content_needed = TakeFront(account.content_needed, kMostPerBatch)};
  return {.sink = account.sink, .write = std::move(batch), .flush_at = {}};
}

std::deque<Inventory> Custody::TakeInventoryLocked() const {
  std::deque<Inventory> parts(1);
  const auto roomy = [&]() -> Inventory& {
    if (parts.back().begun.size() + parts.back().reported.size() >= kMostPerInventory) {
      parts.back().is_complete = false;
      parts.emplace_back();
    }
    return parts.back();
  };
  for (const QueueEntryId id : begun_) roomy().begun.push_back(id);
  for (const QueueEntryId id : reports_.Pending()) roomy().reported.push_back(id);
  return parts;
}

std::vector<Custody::Step> Custody::NextOfAllLocked() {
  std::vector<Step> steps;
  for (auto& [number, account] : accounts_) {
    Step step = NextLocked(account);
    if (step.sink != nullptr) steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace sluice::egress
