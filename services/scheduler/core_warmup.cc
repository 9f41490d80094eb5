// Warming sources in the core: grants are drawn before anything leaves by them, what became of each is counted, and mail waits for
// an allowance only where nobody else may send it.
#include <algorithm>
#include <map>

#include "base/text.h"
#include "scheduler/core.h"

namespace sluice::scheduler {
namespace {

constexpr int kDelivered = 1;
constexpr int kBounced = 3;
constexpr int64_t kEntriesATurn = 16;  // Of one flow, about: wakes no more flows than grants can serve.

bool IsThrottle(std::string_view reply_class) {
  return reply_class == "throttle" || reply_class == "conn_limit" || reply_class == "block_ip" || reply_class == "block_domain" ||
         reply_class == "dnsbl";
}
bool IsBlock(std::string_view reply_class) { return reply_class == "block_ip" || reply_class == "dnsbl"; }

}  // namespace

void Core::ForgetGoneAllowances() {
  if (!allowances_.HasGone()) return;
  absl::flat_hash_set<uint32_t> in_flight;
  for (const auto& [id, flight] : in_flight_) {
    if (flight.grant.account != kNoAccount) in_flight.insert(flight.grant.account);
  }
  allowances_.ForgetGone(in_flight);
}

void Core::SetWarmup(std::vector<WarmupBook::View> sources, const storage::LedgerDay& day) {
  ForgetGoneAllowances();
  const bool is_same = sources == warmup_ && day.day == warmup_day_.day;
  warmup_ = std::move(sources);
  warmup_day_ = day;
  if (is_same) return;
  std::vector<WarmingSource> warming;
  for (const WarmupBook::View& view : warmup_) {
    warming.push_back({.source = fleet_.SourceOf(view.source), .address = view.address, .columns = view.columns});
  }
  for (const uint16_t source : allowances_.Set(warming, day)) {
    Egress& egress = fleet_.egress(fleet_.source(source).egress);
    if (fleet_.CanSend(source)) egress.port->SendRecall(0, fleet_.source(source).name, {});
    log_.Info("warmup_recalled", {{"source", fleet_.source(source).name}});
  }
  // Who waited may go elsewhere now, or by this.
  flows_.WakeGrants();
  flows_.WakeAllWarmup();
}

void Core::WarmByPolicy(const PolicyDocument& policy) {
  std::vector<WarmupBook::View> sources;
  for (const SourcePolicy& source : policy.sources) {
    if (!source.warmup) continue;
    const auto known = std::find_if(warmup_.begin(), warmup_.end(), [&](const WarmupBook::View& view) {
      return view.source == source.name && view.address == source.address;
    });
    sources.push_back(known != warmup_.end() ? *known : WarmupBook::View{.source = source.name, .address = source.address, .columns = {}});
  }
  SetWarmup(std::move(sources), warmup_day_);
}

void Core::OnDrawn(const absl::StatusOr<storage::GrantAnswer>& answer) {
  const Instant now = clock_.Now();
  if (answer.ok()) {
    allowances_.OnDrawn(*answer, now);
  } else {
    allowances_.OnDrawFailed(now);
    log_.Warn("grants_not_drawn", {{"error", View(answer.status().message())}});
  }
  flows_.WakeGrants();
}

Choice Core::Choose(const FlowKey& key, const Target& target, uint16_t last_source, Instant now, IsHeld is_held) {
  const Choice choice = pools_.Pick(key.pool, target, last_source, now, is_held);
  if (choice.overflowed) CoreMetrics::Add(metrics_.overflowed);
  return choice;
}

bool Core::WakeWarmed(Instant now) {
  if (allowances_.IsLate(now)) flows_.WakeGrants();
  bool more = false;
  allowances_.ForEachReady(now, [&](uint16_t source, uint32_t provider, int64_t held) {
    if (!fleet_.CanSend(source)) return;
    pools_.ForEachWith(source, [&](uint32_t pool) {
      const bool waits = flows_.WakeWarmup(pool, provider, std::max<int64_t>(1, held / kEntriesATurn));
      more = more || (waits && held > 1);
    });
  });
  return more;
}

void Core::AskLedger(Instant now) {
  const auto waits = [&](uint16_t source, uint32_t provider) {
    bool any = false;
    if (!fleet_.CanSend(source)) return any;
    pools_.ForEachWith(source, [&](uint32_t pool) { any = any || flows_.WaitsForWarmup(pool, provider); });
    return any;
  };
  if (auto requests = allowances_.TakeRequests(now, waits); !requests.empty()) ports_.Draw(std::move(requests));
  const bool last = handing_over_ && in_flight_.empty();
  if (auto counts = allowances_.TakeCounts(now, last); !counts.empty()) ports_.Record(std::move(counts));
}

std::vector<storage::WarmupWaitingRow> Core::WarmupWaiting() {
  std::map<std::pair<std::string, std::string>, int64_t> sums;
  flows_.ForEachWarmupWaiting([&](uint32_t pool, uint32_t provider, int64_t entries) {
    std::vector<uint32_t> accounts;
    for (const Pools::Member& member : pools_.members(pool)) {
      const uint32_t account = allowances_.KnownAccountOf(member.source, provider);
      if (member.weight > 0 && account != kNoAccount) accounts.push_back(account);
    }
    for (size_t i = 0; i < accounts.size(); ++i) {
      const int64_t rest = entries % static_cast<int64_t>(accounts.size());
      const int64_t share = entries / static_cast<int64_t>(accounts.size()) + (static_cast<int64_t>(i) < rest ? 1 : 0);
      if (share > 0) sums[{allowances_.address(accounts[i]), allowances_.column(accounts[i])}] += share;
    }
  });
  std::vector<storage::WarmupWaitingRow> rows;
  for (const auto& [key, entries] : sums) rows.push_back({.address = key.first, .provider = key.second, .entries = entries});
  return rows;
}

void Core::ReturnGrant(InFlight& flight) {
  if (flight.grant.day == 0) return;
  allowances_.Conclude(flight.grant.account, flight.grant.day, {}, clock_.Now());
  flight.grant = {};
}

void Core::ConcludeGrant(const InFlight& flight, const AttemptReport& report) {
  if (flight.source == kNoSource) return;
  // What an inventory named was given out by somebody else: its grant is spent, its outcome counts today.
  const uint32_t account = flight.grant.account != kNoAccount
                               ? flight.grant.account
                               : allowances_.AccountOf(flight.source, flight.provider, domains_.site(flight.site).provider);
  if (account == kNoAccount) return;
  storage::LedgerCounts counts;
  if (report.rcpt_sent) {
    counts.attempted = 1;
    counts.accepted = report.disposition == kDelivered ? 1 : 0;
    counts.bounced = report.disposition == kBounced && !MovesOn(flight, report) ? 1 : 0;
    counts.deferred = 1 - counts.accepted - counts.bounced;
    counts.throttled = counts.deferred == 1 && IsThrottle(report.reply_class) ? 1 : 0;
  }
  // A refusal at connect or greeting says the same of the address.
  counts.blocked = report.disposition != kDelivered && IsBlock(report.reply_class) ? 1 : 0;
  allowances_.Conclude(account, flight.grant.day, counts, clock_.Now());
}

bool Core::MovesOn(const InFlight& flight, const AttemptReport& report) const {
  return flight.grant.day != 0 && report.disposition != kDelivered && IsBlock(report.reply_class) && pools_.overflow(flight.pool) != kNoPool;
}

uint8_t Core::EngagementClass(uint32_t pool, uint8_t engagement) const {
  return pools_.IsWarming(pool) ? static_cast<uint8_t>(std::min<int>(engagement, 99) / 25) : 0;
}

}  // namespace sluice::scheduler
