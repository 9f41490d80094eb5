#include "scheduler/admin/warmup.h"

#include <algorithm>
#include <charconv>

#include "base/status.h"
#include "base/text.h"
#include "policy/warmup_plan.h"
#include "scheduler/admin/warmup_forecast.h"
#include "scheduler/control/warmup_book.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

constexpr int kUsualPage = 100, kMostPage = 1'000;
constexpr Duration kPatience = std::chrono::seconds(5);

std::string_view NameOf(WarmupOrder::Kind kind) {
  switch (kind) {
    case WarmupOrder::Kind::kHold:
      return "hold";
    case WarmupOrder::Kind::kResume:
      return "resume";
    case WarmupOrder::Kind::kSkip:
      return "skip";
    case WarmupOrder::Kind::kSetStage:
      return "set-stage";
    case WarmupOrder::Kind::kStart:
      return "start";
  }
  return "";
}

bool Is(const storage::WarmupStateRow& row, WarmupPhase phase) { return row.phase == ToString(phase); }
void Become(storage::WarmupStateRow& row, WarmupPhase phase) { row.phase = ToString(phase); }

// What today's ledger row is limited to by the order; none = as it is.
struct Limits {
  std::optional<int64_t> cap;
  std::optional<Instant> stopped_until;
};

absl::StatusOr<Limits> Change(const WarmupOrder& order, const WarmupPlan& plan, const storage::LedgerDay& day,
                              storage::WarmupStateRow& row) {
  Limits limits;
  switch (order.kind) {
    case WarmupOrder::Kind::kHold:
      row.held = true;
      return limits;
    case WarmupOrder::Kind::kResume: {
      if (row.suspended_until) limits.stopped_until = Instant();
      WarmupState state = StateOf(row);
      ResumeWarmup(state, day.day, day.now);
      SetState(state, row);
      return limits;
    }
    case WarmupOrder::Kind::kSkip:
      Become(row, WarmupPhase::kWarm);
      row.stage = StageCount(plan) + 1;
      row.judged_day = day.day - 1;
      row.active_day = day.day;
      return limits;
    case WarmupOrder::Kind::kSetStage: {
      if (order.stage < 1 || order.stage > StageCount(plan)) {
        return wire::FieldError("warmup.stage", Cat("is ", order.stage, "; plan ", row.plan, " has stages 1 to ", StageCount(plan)));
      }
      const bool is_lower = Is(row, WarmupPhase::kWarm) || order.stage < row.stage;
      if (Is(row, WarmupPhase::kWarm)) Become(row, WarmupPhase::kRewarming);
      if (Is(row, WarmupPhase::kCold) && (!row.start_day || *row.start_day <= day.day)) Become(row, WarmupPhase::kWarming);
      row.stage = order.stage;
      if (is_lower) {
        limits.cap = CapOf(plan, row.stage, row.provider);
        ++row.lowered;
      }
      return limits;
    }
    case WarmupOrder::Kind::kStart:
      Become(row, WarmupPhase::kCold);
      row.start_day = order.start_day;
      row.held = false;
      row.suspended_until.reset();
      row.until_delisted = false;
      row.suspensions = 0;
      // Begun already: the day's cap becomes that of its first stage, or nothing until then.
      limits.cap = order.start_day > day.day ? 0 : CapOf(plan, row.stage, row.provider);
      ++row.lowered;
      return limits;
  }
  return limits;
}

// What refusals made of a source as a whole (`source`), or of it at one provider (`column`).
bool IsSuspendedByRefusal(const Constraint& constraint, const std::string& source) {
  Scope scope = constraint.scope;
  scope.provider = scope.site = "";
  return constraint.cause == ConstraintCause::kAutomation && constraint.value.suspend && scope == Scope{.source = source};
}

// A suspension of the whole source is not lifted by an order for one provider.
bool IsMeant(const Scope& scope, const WarmupOrder& order, const WarmupPlan& plan, std::string_view column) {
  return scope.provider.empty() ? order.provider.empty() : ColumnOf(plan, scope.provider) == column;
}

constexpr std::string_view kOtherColumn = "other";

std::string LackText(const WarmupStanding& standing) {
  const storage::WarmupStateRow& row = standing.row;
  std::string out = row.suspended_until ? Cat("suspended (", row.why, ")")
                    : standing.today    ? Cat(standing.today->granted - standing.today->returned, " of ", standing.today->cap.value_or(0), " used today")
                                        : std::string("the day is not open");
  if (standing.next_grant_at) Append(out, ", the next about ", ToString(*standing.next_grant_at));
  if (standing.waiting > 0) Append(out, "; ", standing.waiting, " wait");
  if (standing.waits_until) Append(out, ", the last until about ", ToString(*standing.waits_until));
  return out;
}

}  // namespace

absl::StatusOr<std::vector<WarmupStanding>> WarmupAdmin::Standings(const std::string& source) {
  ASSIGN_OR_RETURN(const storage::LedgerDay day, ledger_.Today());
  ASSIGN_OR_RETURN(const std::vector<storage::WarmupStateRow> states, store_.States());
  ASSIGN_OR_RETURN(const std::vector<storage::WarmupPlanRow> plans, store_.Plans());
  ASSIGN_OR_RETURN(const std::vector<storage::LedgerRow> rows, ledger_.Rows("", day.day, day.day));
  ASSIGN_OR_RETURN(const std::vector<storage::WarmupWaitingRow> waiting, store_.Waiting());
  const auto row_of = [&](const std::string& address, std::string_view provider) -> std::optional<storage::LedgerRow> {
    for (const storage::LedgerRow& row : rows) {
      if (row.address == address && row.provider == provider) return row;
    }
    return std::nullopt;
  };
  std::vector<WarmupStanding> out;
  for (const storage::WarmupStateRow& row : states) {
    if (!source.empty() && row.source != source) continue;
    WarmupStanding& standing = out.emplace_back(WarmupStanding{.row = row, .today = row_of(row.address, row.provider)});
    for (const storage::WarmupWaitingRow& one : waiting) {
      if (one.address == row.address && one.provider == row.provider) standing.waiting = one.entries;
    }
    for (const storage::WarmupPlanRow& pinned : plans) {
      if (pinned.name != row.plan || pinned.version != row.plan_version) continue;
      const auto plan = PlanFromText(pinned.name, pinned.stages);
      if (plan) Forecast(*plan, day, row_of(row.address, kWarmupTotal), standing);
    }
  }
  return out;
}

absl::StatusOr<std::map<std::string, std::string>> WarmupAdmin::Lacking(std::string_view provider) {
  ASSIGN_OR_RETURN(const storage::LedgerDay day, ledger_.Today());
  ASSIGN_OR_RETURN(const std::vector<WarmupStanding> all, Standings(""));
  // Of each source the column that the provider counts in.
  std::map<std::string, const WarmupStanding*> standings;
  for (const WarmupStanding& standing : all) {
    const std::string& column = standing.row.provider;
    const WarmupStanding*& mine = standings[standing.row.source];
    if (column == provider || (column == kOtherColumn && (mine == nullptr || mine->row.provider != provider)) || mine == nullptr) {
      mine = &standing;
    }
  }
  std::map<std::string, std::string> out;
  for (const auto& [source, standing] : standings) {
    if (Is(standing->row, WarmupPhase::kWarm) && !standing->row.suspended_until) continue;
    if (standing->next_grant_at && *standing->next_grant_at <= day.now) continue;
    out[source] = LackText(*standing);
  }
  return out;
}

absl::StatusOr<WarmupAnswer> WarmupAdmin::Get(const std::string& source, Page page) {
  RETURN_IF_ERROR(CheckPageSize(page.size, kUsualPage, kMostPage));
  ASSIGN_OR_RETURN(std::vector<WarmupStanding> all, Standings(source));
  const auto key = [](const WarmupStanding& s) { return Cat(s.row.source, "\n", s.row.provider); };
  WarmupAnswer answer;
  for (WarmupStanding& standing : all) {
    if (!page.after.empty() && key(standing) <= page.after) continue;
    if (static_cast<int>(answer.standings.size()) == page.size) {
      answer.next_page_token = key(answer.standings.back());
      break;
    }
    answer.standings.push_back(std::move(standing));
  }
  return answer;
}

absl::StatusOr<WarmupAnswer> WarmupAdmin::Update(const WarmupOrder& order) {
  RETURN_IF_ERROR(CheckControlOwner(live_));
  absl::StatusOr<WarmupAnswer> answer = Apply(order);
  audit_.Record(order.actor, "UpdateWarmup", Cat(NameOf(order.kind), " ", order.source, " ", order.provider, ": ", order.reason),
                answer.status());
  return answer;
}

absl::StatusOr<storage::WarmupChange> WarmupAdmin::ApplyTo(storage::WarmupStateRow row, const WarmupOrder& order, const WarmupPlan& plan,
                                                           const storage::LedgerDay& day, const std::vector<Constraint>& lifts) {
  const int before = row.stage;
  ASSIGN_OR_RETURN(const Limits limits, Change(order, plan, day, row));
  // The ledger first: it is what stops every scheduler.
  if (limits.cap || limits.stopped_until) {
    const Instant stopped = limits.stopped_until.value_or(row.suspended_until.value_or(Instant()));
    RETURN_IF_ERROR(ledger_.Limit(day.day, row.address, row.provider, limits.cap, stopped));
  }
  row.decision = "order";
  row.why = NameOf(order.kind);
  row.evidence = order.reason;
  for (const Constraint& lifted : lifts) {
    if (IsMeant(lifted.scope, order, plan, row.provider)) Append(row.evidence, row.evidence.empty() ? "" : "; ", "lifts ", lifted.rule, ": ", lifted.evidence);
  }
  row.judged_at = day.now;
  storage::WarmupChange change{.state = row};
  change.event = storage::WarmupEventRow{.at = day.now, .day = day.day, .source = row.source, .address = row.address,
                                         .provider = row.provider, .decision = row.decision, .why = row.why,
                                         .evidence = row.evidence, .from_stage = before, .to_stage = row.stage,
                                         .phase = row.phase, .actor = order.actor};
  return change;
}

absl::StatusOr<WarmupAnswer> WarmupAdmin::Apply(const WarmupOrder& order) {
  if (order.source.empty()) return wire::FieldError("warmup.source", "is required; `sluicectl warmup status` lists them");
  if (order.kind == WarmupOrder::Kind::kSkip && order.reason.empty()) {
    return wire::FieldError("reason", "is required: the address will send without a cap; say why it may");
  }
  ASSIGN_OR_RETURN(const storage::LedgerDay day, ledger_.Today());
  ASSIGN_OR_RETURN(const std::vector<storage::WarmupStateRow> states, store_.States());
  ASSIGN_OR_RETURN(const std::vector<storage::WarmupPlanRow> plans, store_.Plans());
  std::vector<Constraint> lifts;
  if (order.kind == WarmupOrder::Kind::kResume) {
    ASSIGN_OR_RETURN(auto in_force, constraints_.List(day.now));
    lifts = std::move(in_force.constraints);
    std::erase_if(lifts, [&](const Constraint& one) { return !IsSuspendedByRefusal(one, order.source); });
  }
  std::vector<storage::WarmupChange> changes;
  std::vector<int64_t> lifted;
  for (const storage::WarmupStateRow& row : states) {
    if (row.source != order.source || (!order.provider.empty() && row.provider != order.provider)) continue;
    const auto pinned = std::find_if(plans.begin(), plans.end(), [&](const storage::WarmupPlanRow& plan) {
      return plan.name == row.plan && plan.version == row.plan_version;
    });
    const auto plan = pinned == plans.end() ? std::nullopt : PlanFromText(pinned->name, pinned->stages);
    if (!plan) return absl::InternalError(Cat("warmup plan ", row.plan, " cannot be read"));
    for (const Constraint& one : lifts) {
      if (IsMeant(one.scope, order, *plan, row.provider)) lifted.push_back(one.id);
    }
    ASSIGN_OR_RETURN(storage::WarmupChange change, ApplyTo(row, order, *plan, day, lifts));
    changes.push_back(std::move(change));
  }
  if (changes.empty()) {
    return absl::NotFoundError(Cat("source ", Quoted(order.source), " does not warm up",
                                   order.provider.empty() ? "" : Cat(" at ", Quoted(order.provider)),
                                   "; `sluicectl warmup status` lists what does"));
  }
  return CarryOut(order.source, changes, lifted);
}

absl::StatusOr<WarmupAnswer> WarmupAdmin::CarryOut(const std::string& source, const std::vector<storage::WarmupChange>& changes,
                                                   const std::vector<int64_t>& lifted) {
  RETURN_IF_ERROR(store_.Write(changes));
  WarmupAnswer answer;
  if (!lifted.empty()) {
    ASSIGN_OR_RETURN(const storage::ConstraintChange change, constraints_.End(ConstraintCause::kAutomation, lifted));
    answer.not_acknowledged = live_.AwaitConstraints(change.generation, kPatience);
  }
  std::vector<storage::InboxNote> notes;
  for (const storage::WarmupChange& change : changes) notes.push_back(NoteOf(*change.event));
  RETURN_IF_ERROR(events_.Post(notes));
  for (std::string& name : live_.AwaitSchedulers(kPatience)) {
    if (std::find(answer.not_acknowledged.begin(), answer.not_acknowledged.end(), name) == answer.not_acknowledged.end()) {
      answer.not_acknowledged.push_back(std::move(name));
    }
  }
  ASSIGN_OR_RETURN(answer.standings, Standings(source));
  return answer;
}

absl::StatusOr<WarmupAdmin::Events> WarmupAdmin::History(const std::string& source, const std::string& provider, Page page) {
  RETURN_IF_ERROR(CheckPageSize(page.size, kUsualPage, kMostPage));
  int64_t before = 0;
  const char* end = page.after.data() + page.after.size();
  if (!page.after.empty() && std::from_chars(page.after.data(), end, before).ptr != end) {
    return wire::FieldError("page_token", "is not from an earlier answer; begin without one");
  }
  Events out;
  ASSIGN_OR_RETURN(out.events, store_.History(source, provider, before, page.size));
  if (static_cast<int>(out.events.size()) == page.size) out.next_page_token = Cat(out.events.back().id);
  return out;
}

}  // namespace sluice::scheduler
