#include "scheduler/control/warmup_keeper.h"

#include <algorithm>
#include <set>

#include "base/status.h"
#include "base/text.h"

namespace sluice::scheduler {
namespace {

constexpr auto kBlocksWithin = std::chrono::hours(1);
constexpr auto kBlocksSeenEvery = std::chrono::seconds(5);

bool IsDue(const storage::WarmupStateRow& row, int64_t today) {
  if (row.phase == ToString(WarmupPhase::kCold)) return !row.start_day || *row.start_day <= today;
  return row.judged_day < today - 1;
}

Judgement GuardOf(const WarmupState& state, int64_t cap) {
  return {.decision = WarmupDecision::kGuard,
          .state = state,
          .why = "collapsed",
          .evidence = Cat("sends far less than it used to: ", cap, " today, twice the best of the last seven days")};
}

bool Lowers(WarmupDecision decision) {
  return decision == WarmupDecision::kRegress || decision == WarmupDecision::kSuspend || decision == WarmupDecision::kSlow ||
         decision == WarmupDecision::kDecay;
}

}  // namespace

absl::StatusOr<WarmupView> WarmupKeeper::Follow(const PolicyDocument& policy) {
  const bool any = std::any_of(policy.sources.begin(), policy.sources.end(), [](const SourcePolicy& s) { return s.warmup.has_value(); });
  if (!any) return WarmupView();
  ASSIGN_OR_RETURN(day_, ledger_.Today());
  RETURN_IF_ERROR(Reload());
  return WarmupView{.sources = book_.ViewFor(policy, day_.day, day_.now), .day = day_};
}

absl::Status WarmupKeeper::Reload() {
  ASSIGN_OR_RETURN(const int64_t stamp, store_.Stamp());
  if (stamp != stamp_) {
    ASSIGN_OR_RETURN(std::vector<storage::WarmupStateRow> states, store_.States());
    ASSIGN_OR_RETURN(const std::vector<storage::WarmupPlanRow> plans, store_.Plans());
    book_.SetPlans(plans);
    book_.SetStates(std::move(states));
    stamp_ = stamp;
  } else if (ledger_day_ == day_.day && clock_.Steady() - looked_at_ < kLookEvery) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<storage::LedgerRow> rows, ledger_.Rows("", day_.day, day_.day));
  book_.SetLedger(rows);
  ledger_day_ = day_.day;
  looked_at_ = clock_.Steady();
  return absl::OkStatus();
}

absl::Status WarmupKeeper::Tick(const PolicyDocument& policy) {
  if (ledger_day_ != day_.day) return absl::OkStatus();  // No source warms up.
  RETURN_IF_ERROR(Join(policy));
  RETURN_IF_ERROR(JudgeDays());
  RETURN_IF_ERROR(OpenDay());
  RETURN_IF_ERROR(CountComplaints());
  RETURN_IF_ERROR(JudgeMinutes());
  Publish();
  return absl::OkStatus();
}

// Sources that are new here, or whose policy names another plan.
absl::Status WarmupKeeper::Join(const PolicyDocument& policy) {
  std::vector<storage::WarmupChange> changes;
  for (const SourcePolicy& source : policy.sources) {
    if (!source.warmup) continue;
    const std::vector<storage::WarmupStateRow*> mine = book_.StatesOf(source.address);
    if (!mine.empty() && mine.front()->plan == source.warmup->plan && mine.front()->source == source.name) continue;
    ASSIGN_OR_RETURN(const storage::WarmupPlanRow named, PlanNamed(policy, source.warmup->plan));
    ASSIGN_OR_RETURN(const storage::WarmupPlanRow pinned, store_.Pin(named, day_.now));
    const auto plan = PlanFromText(pinned.name, pinned.stages);
    if (!plan) return absl::InternalError(Cat("warmup plan ", pinned.name, " cannot be read"));
    for (const std::string& column : ColumnsOf(*plan)) {
      storage::WarmupStateRow row{.address = source.address, .provider = column};
      row.stage = source.warmup->stage;
      if (source.warmup->start) row.start_day = source.warmup->start->time_since_epoch().count();
      row.judged_day = row.active_day = day_.day - 1;
      for (const storage::WarmupStateRow* known : mine) {
        if (known->provider == column) row = *known;
      }
      row.source = source.name;
      row.plan = pinned.name;
      row.plan_version = pinned.version;
      row.stage = std::min(row.stage, StageCount(*plan) + 1);
      changes.push_back({.state = row});
    }
  }
  return Write(changes);
}

absl::Status WarmupKeeper::Hear(Duration not_older) {
  const SteadyInstant steady = clock_.Steady();
  if (heard_at_ != SteadyInstant() && steady - heard_at_ < not_older) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::vector<storage::WarmupOpinionRow> opinions, store_.Opinions(day_.now));
  book_.SetOpinions(std::move(opinions));
  heard_at_ = steady;
  return absl::OkStatus();
}

absl::Status WarmupKeeper::CountComplaints() {
  const SteadyInstant steady = clock_.Steady();
  if (counted_at_ != SteadyInstant() && steady - counted_at_ < kHearEvery) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<storage::WarmupComplaintsRow> rows, store_.Complaints(day_.starts_at));
  counted_at_ = steady;
  std::map<std::pair<std::string, std::string>, int64_t> sums;
  for (const storage::WarmupComplaintsRow& row : rows) {
    for (const storage::WarmupStateRow& state : book_.states()) {
      const WarmupPlan* plan = book_.Plan(state.plan, state.plan_version);
      if (state.source != row.source || plan == nullptr || ColumnOf(*plan, row.provider) != state.provider) continue;
      sums[{state.address, state.provider}] += row.count;
    }
  }
  if (std::exchange(complained_day_, day_.day) != day_.day) complained_.clear();
  std::vector<storage::LedgerCounts> more;
  for (const auto& [key, sum] : sums) {
    const storage::LedgerRow* today = book_.Row(key.first, key.second, day_.day);
    if (today == nullptr) continue;
    int64_t& known = complained_[key];
    known = std::max(known, today->complained);
    if (sum <= known) continue;
    more.push_back({.day = day_.day, .address = key.first, .provider = key.second, .complained = sum - known});
    known = sum;
  }
  return more.empty() ? absl::OkStatus() : ledger_.Record(more);
}

absl::Status WarmupKeeper::JudgeDays() {
  if (day_.now - day_.starts_at < (day_.ends_at - day_.starts_at) / kSettleShare) return absl::OkStatus();
  const auto& states = book_.states();
  if (std::none_of(states.begin(), states.end(), [&](const auto& row) { return IsDue(row, day_.day); })) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<storage::LedgerRow> rows, ledger_.Rows("", day_.day - kDaysKnown, day_.day));
  book_.SetLedger(rows);
  RETURN_IF_ERROR(Hear(Duration::zero()));
  std::vector<storage::WarmupChange> changes;
  for (storage::WarmupStateRow row : states) {
    const WarmupPlan* plan = book_.Plan(row.plan, row.plan_version);
    if (!IsDue(row, day_.day) || plan == nullptr) continue;
    if (row.suspended_until && *row.suspended_until <= day_.now) row.suspended_until.reset();
    const std::vector<WarmupDay> days = book_.Days(row.address, row.provider, day_.day);
    changes.push_back(Decide(row, JudgeDay(*plan, row.provider, StateOf(row), days, book_.OthersOf(row), day_.day, day_.now)));
  }
  RETURN_IF_ERROR(Write(changes));
  return ledger_.Trim(day_.day - kDaysKept);
}

storage::WarmupChange WarmupKeeper::Decide(storage::WarmupStateRow& row, const Judgement& judgement) {
  const int before = row.stage;
  SetState(judgement.state, row);
  storage::WarmupChange change;
  if (judgement.decision != WarmupDecision::kNone) {
    row.decision = ToString(judgement.decision);
    row.why = judgement.why;
    row.evidence = judgement.evidence;
    row.judged_at = day_.now;
    if (Lowers(judgement.decision)) ++row.lowered;
    change.event = storage::WarmupEventRow{.at = day_.now,
                                           .day = day_.day,
                                           .source = row.source,
                                           .address = row.address,
                                           .provider = row.provider,
                                           .decision = row.decision,
                                           .why = row.why,
                                           .evidence = row.evidence,
                                           .from_stage = before,
                                           .to_stage = row.stage,
                                           .phase = row.phase,
                                           .actor = "control"};
  }
  change.state = row;
  return change;
}

absl::Status WarmupKeeper::Write(const std::vector<storage::WarmupChange>& changes) {
  if (changes.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(store_.Write(changes));
  std::vector<storage::InboxNote> notes;
  for (const storage::WarmupChange& change : changes) {
    if (!change.event) continue;
    const storage::WarmupEventRow& e = *change.event;
    metrics_.decisions.With({e.decision}).Add();
    log_.Info("warmup_judged", {{"source", e.source}, {"provider", e.provider}, {"result", e.decision}, {"reason", e.why},
                                {"from_stage", e.from_stage}, {"to_stage", e.to_stage}, {"evidence", e.evidence}});
    notes.push_back(NoteOf(e));
  }
  stamp_ = -1;
  RETURN_IF_ERROR(Reload());
  return notes.empty() ? absl::OkStatus() : events_.Post(notes);
}

// The total of the most advanced provider: the others are held by their own caps.
std::optional<int64_t> WarmupKeeper::TotalCap(const std::string& address) {
  std::optional<int64_t> cap = 0;
  for (const storage::WarmupStateRow* row : book_.StatesOf(address)) {
    const WarmupPlan* plan = book_.Plan(row->plan, row->plan_version);
    if (plan == nullptr || row->phase == ToString(WarmupPhase::kCold)) continue;
    const bool is_warm = row->phase == ToString(WarmupPhase::kWarm);
    const auto mine = is_warm ? std::nullopt : CapOf(*plan, row->stage, kWarmupTotal);
    if (!mine) return std::nullopt;
    cap = std::max(*cap, *mine);
  }
  return cap;
}

storage::LedgerRow WarmupKeeper::RowOfToday(const std::string& address, std::string_view provider) const {
  storage::LedgerRow row;
  row.day = day_.day;
  row.address = address;
  row.provider = provider;
  row.opens_at = day_.now;
  row.closes_at = day_.starts_at + (day_.ends_at - day_.starts_at) / 10 * 9;
  if (row.closes_at <= row.opens_at) row.closes_at = day_.ends_at;
  return row;
}

absl::Status WarmupKeeper::OpenDay() {
  if (day_.now - day_.starts_at < (day_.ends_at - day_.starts_at) / kSettleShare) return absl::OkStatus();
  const auto is_missing = [&](const storage::WarmupStateRow& row) {
    return row.phase != ToString(WarmupPhase::kCold) && row.judged_day >= day_.day - 1 &&
           book_.Row(row.address, row.provider, day_.day) == nullptr;
  };
  const auto& states = book_.states();
  if (std::none_of(states.begin(), states.end(), is_missing)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<storage::LedgerRow> known, ledger_.Rows("", day_.day - kDaysKnown, day_.day));
  book_.SetLedger(known);
  std::vector<storage::LedgerRow> rows;
  std::vector<storage::WarmupChange> guarded;
  std::set<std::string> addresses;
  for (storage::WarmupStateRow row : states) {
    const WarmupPlan* plan = book_.Plan(row.plan, row.plan_version);
    if (!is_missing(row) || plan == nullptr) continue;
    WarmupState state = StateOf(row);
    state.suspended_until.reset();  // Told apart by `stopped_until`: it may end within the day.
    storage::LedgerRow& opened = rows.emplace_back(RowOfToday(row.address, row.provider));
    opened.cap = CapFor(*plan, row.provider, state, book_.Days(row.address, row.provider, day_.day), day_.day, day_.now);
    if (row.suspended_until) opened.stopped_until = *row.suspended_until;
    if (state.phase == WarmupPhase::kWarm && opened.cap) guarded.push_back(Decide(row, GuardOf(StateOf(row), *opened.cap)));
    addresses.insert(row.address);
  }
  for (const std::string& address : addresses) {
    rows.emplace_back(RowOfToday(address, kWarmupTotal)).cap = TotalCap(address);
  }
  RETURN_IF_ERROR(ledger_.Open(rows));
  log_.Info("warmup_day_opened", {{"day", day_.day}, {"rows", rows.size()}});
  looked_at_ = {};
  ledger_day_ = -1;
  return guarded.empty() ? Reload() : Write(guarded);
}

absl::Status WarmupKeeper::JudgeMinutes() {
  RETURN_IF_ERROR(Hear(kHearEvery));
  std::erase_if(seen_, [&](const auto& item) { return item.second.day < day_.day - 1; });
  for (storage::WarmupStateRow row : book_.states()) {
    const storage::LedgerRow* today = book_.Row(row.address, row.provider, day_.day);
    if (today == nullptr) continue;
    const WarmupCounts counts = CountsOf(*today);
    Seen& seen = seen_[{row.address, row.provider}];
    if (seen.day != day_.day) {
      // What a predecessor saw has been judged by it.
      const bool is_first = seen.day == 0;
      seen = {.since = is_first ? counts : WarmupCounts(), .blocked = {{day_.now, is_first ? counts.blocked : 0}}, .day = day_.day};
    }
    const WarmupState state = StateOf(row);
    // What still comes in after a suspension is of mail from before it.
    if (IsSuspended(state, day_.now)) seen = {.since = counts, .blocked = {{day_.now, counts.blocked}}, .day = day_.day};
    while (seen.blocked.size() > 1 && day_.now - seen.blocked[1].first > kBlocksWithin) seen.blocked.erase(seen.blocked.begin());
    const WarmupCounts hour{.blocked = counts.blocked - seen.blocked.front().second};
    const Judgement judgement = JudgeMinute(state, counts - seen.since, hour, book_.OthersOf(row), day_.now);
    if (judgement.decision == WarmupDecision::kNone) {
      if (day_.now - seen.blocked.back().first >= kBlocksSeenEvery) seen.blocked.emplace_back(day_.now, counts.blocked);
      continue;
    }
    seen.since = counts;
    seen.blocked = {{day_.now, counts.blocked}};
    RETURN_IF_ERROR(React(row, *today, judgement));
    return absl::OkStatus();  // The book has changed under the loop; the next round goes on.
  }
  return absl::OkStatus();
}

// The ledger first: it is what stops every scheduler, whatever becomes of this one.
absl::Status WarmupKeeper::React(storage::WarmupStateRow& row, const storage::LedgerRow& today, const Judgement& judgement) {
  const int64_t used = today.granted - today.returned;
  std::optional<int64_t> cap = today.cap;
  if (judgement.decision == WarmupDecision::kSlow) cap = used + (today.cap.value_or(used + 2 * today.attempted) - used) / 2;
  if (judgement.decision != WarmupDecision::kSlow && judgement.state.phase != WarmupPhase::kWarm) {
    const WarmupPlan* plan = book_.Plan(row.plan, row.plan_version);
    const auto stage_cap = plan == nullptr ? std::nullopt : CapOf(*plan, judgement.state.stage, row.provider);
    if (stage_cap) cap = std::min(cap.value_or(*stage_cap), *stage_cap);
  }
  const Instant kept = judgement.decision == WarmupDecision::kResume ? Instant() : today.stopped_until;
  RETURN_IF_ERROR(ledger_.Limit(day_.day, row.address, row.provider, cap, judgement.state.suspended_until.value_or(kept)));
  const storage::WarmupChange change = Decide(row, judgement);
  return Write({change});
}

void WarmupKeeper::Publish() {
  for (const storage::WarmupStateRow& row : book_.states()) {
    const storage::LedgerRow* today = book_.Row(row.address, row.provider, day_.day);
    const bool is_cold = row.phase == ToString(WarmupPhase::kCold);
    metrics_.stage.With({row.source, row.provider}).Set(is_cold ? 0 : row.stage);
    if (today == nullptr) continue;
    metrics_.cap.With({row.source, row.provider}).Set(today->cap.value_or(-1));
    metrics_.used.With({row.source, row.provider}).Set(today->granted - today->returned);
    metrics_.accepted.With({row.source, row.provider}).Set(today->accepted);
  }
}

}  // namespace sluice::scheduler
