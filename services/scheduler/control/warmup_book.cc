#include "scheduler/control/warmup_book.h"

#include <algorithm>

#include "base/text.h"

namespace sluice::scheduler {
namespace {

// The total counts as used up when nearly all of it was granted.
constexpr double kUsedUp = 0.9;

WarmupOpinion OpinionOf(const storage::WarmupOpinionRow& row) {
  if (row.kind == "signal") return OpinionOfWord(row.word, row.evidence, row.since);
  if (row.kind == "refusal") return OpinionOfRefusal(row.word, row.evidence, row.since);
  return OpinionOfHealth(ParseHealthState(row.word).value_or(HealthState::kHealthy), row.evidence, row.since);
}

}  // namespace

WarmupState StateOf(const storage::WarmupStateRow& row) {
  return {.phase = ParseWarmupPhase(row.phase).value_or(WarmupPhase::kCold),
          .stage = row.stage,
          .held = row.held,
          .start_day = row.start_day,
          .suspended_until = row.suspended_until,
          .until_delisted = row.until_delisted,
          .suspensions = row.suspensions,
          .suspended_at = row.suspended_at,
          .slowed_at = row.slowed_at,
          .judged_day = row.judged_day,
          .active_day = row.active_day,
          .evidence_day = row.evidence_day,
          .resumed_at = row.resumed_at};
}

void SetState(const WarmupState& state, storage::WarmupStateRow& row) {
  row.phase = ToString(state.phase);
  row.stage = state.stage;
  row.held = state.held;
  row.start_day = state.start_day;
  row.suspended_until = state.suspended_until;
  row.until_delisted = state.until_delisted;
  row.suspensions = state.suspensions;
  row.suspended_at = state.suspended_at;
  row.slowed_at = state.slowed_at;
  row.judged_day = state.judged_day;
  row.active_day = state.active_day;
  row.evidence_day = state.evidence_day;
  row.resumed_at = state.resumed_at;
}

storage::InboxNote NoteOf(const storage::WarmupEventRow& event) {
  storage::InboxNote note;
  note.kind = "warmup_judged";
  note.source = event.source;
  note.provider = event.provider;
  note.detail = Cat(event.decision, " (", event.why, "): stage ", event.from_stage, " to ", event.to_stage, "; ", event.evidence);
  return note;
}

WarmupCounts CountsOf(const storage::LedgerRow& row) {
  return {.attempted = row.attempted,
          .accepted = row.accepted,
          .deferred = row.deferred,
          .bounced = row.bounced,
          .complained = row.complained,
          .throttled = row.throttled,
          .blocked = row.blocked};
}

absl::StatusOr<storage::WarmupPlanRow> PlanNamed(const PolicyDocument& policy, std::string_view name) {
  for (const WarmupPlan& plan : policy.warmup_plans) {
    if (plan.name == name) return storage::WarmupPlanRow{.name = plan.name, .version = 1, .stages = StagesText(plan)};
  }
  if (const PinnedPlan* shipped = FindShippedPlan(name)) {
    return storage::WarmupPlanRow{.name = shipped->plan.name, .version = shipped->version, .stages = StagesText(shipped->plan)};
  }
  return absl::NotFoundError(Cat("there is no warmup plan ", Quoted(name)));
}

void WarmupBook::SetPlans(const std::vector<storage::WarmupPlanRow>& plans) {
  for (const storage::WarmupPlanRow& row : plans) {
    if (auto plan = PlanFromText(row.name, row.stages)) plans_[{row.name, row.version}] = *std::move(plan);
  }
}

void WarmupBook::SetStates(std::vector<storage::WarmupStateRow> states) { states_ = std::move(states); }

void WarmupBook::SetLedger(const std::vector<storage::LedgerRow>& rows) {
  ledger_.clear();
  for (const storage::LedgerRow& row : rows) ledger_[{row.address, row.provider}].push_back(row);
}

void WarmupBook::SetOpinions(std::vector<storage::WarmupOpinionRow> rows) {
  opinions_.clear();
  for (storage::WarmupOpinionRow& row : rows) opinions_[row.source].push_back(std::move(row));
}

WarmupOpinion WarmupBook::OthersOf(const storage::WarmupStateRow& row) const {
  WarmupOpinion gravest;
  const auto found = opinions_.find(row.source);
  const WarmupPlan* plan = Plan(row.plan, row.plan_version);
  if (found == opinions_.end() || plan == nullptr) return gravest;
  for (const storage::WarmupOpinionRow& said : found->second) {
    if (!said.provider.empty() && ColumnOf(*plan, said.provider) != row.provider) continue;
    WarmupOpinion opinion = OpinionOf(said);
    if (IsGraver(opinion, gravest)) gravest = std::move(opinion);
  }
  return gravest;
}

const WarmupPlan* WarmupBook::Plan(std::string_view name, int version) const {
  const auto found = plans_.find(std::pair<std::string, int>(name, version));
  return found == plans_.end() ? nullptr : &found->second;
}

std::vector<storage::WarmupStateRow*> WarmupBook::StatesOf(std::string_view address) {
  std::vector<storage::WarmupStateRow*> out;
  for (storage::WarmupStateRow& row : states_) {
    if (row.address == address) out.push_back(&row);
  }
  return out;
}

const storage::LedgerRow* WarmupBook::Row(std::string_view address, std::string_view provider, int64_t day) const {
  const auto found = ledger_.find({std::string(address), std::string(provider)});
  if (found == ledger_.end()) return nullptr;
  const auto row = std::find_if(found->second.begin(), found->second.end(), [&](const auto& r) { return r.day == day; });
  return row == found->second.end() ? nullptr : &*row;
}

std::vector<WarmupDay> WarmupBook::Days(std::string_view address, std::string_view provider, int64_t today) const {
  std::vector<WarmupDay> days;
  const auto found = ledger_.find({std::string(address), std::string(provider)});
  if (found == ledger_.end()) return days;
  for (const storage::LedgerRow& row : found->second) {
    if (row.day >= today) continue;
    const storage::LedgerRow* total = Row(address, kWarmupTotal, row.day);
    const bool used_up = total != nullptr && total->cap.has_value() &&
                         static_cast<double>(total->granted - total->returned) >= kUsedUp * static_cast<double>(*total->cap);
    days.push_back({.day = row.day, .cap = row.cap, .counts = CountsOf(row), .total_used_up = used_up});
  }
  return days;
}

std::vector<WarmupBook::View> WarmupBook::ViewFor(const PolicyDocument& policy, int64_t today, Instant now) const {
  std::vector<View> out;
  for (const SourcePolicy& source : policy.sources) {
    if (!source.warmup) continue;
    View& view = out.emplace_back(View{.source = source.name, .address = source.address, .columns = {}});
    for (const storage::WarmupStateRow& row : states_) {
      if (row.address != source.address) continue;
      const storage::LedgerRow* ledger = Row(row.address, row.provider, today);
      const bool is_suspended = row.suspended_until && now < *row.suspended_until;
      // Warm, and the day has no cap for it (spike guard): free.
      const bool is_free = row.phase == ToString(WarmupPhase::kWarm) && !is_suspended && (ledger == nullptr || !ledger->cap);
      view.columns.push_back({.provider = row.provider, .needs_grants = !is_free, .is_stopped = is_suspended, .lowered = row.lowered});
    }
  }
  return out;
}

}  // namespace sluice::scheduler
