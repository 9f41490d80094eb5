#include "scheduler/admin/warmup_verbs.h"

#include <google/protobuf/util/time_util.h>

#include <cstdio>

#include "base/status.h"
#include "base/text.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

using google::protobuf::util::TimeUtil;

void SetTime(Instant at, google::protobuf::Timestamp* out) { *out = TimeUtil::MicrosecondsToTimestamp(ToMicros(at)); }

std::string DateText(int64_t day) { return ToString(FromMicros(day * 86'400'000'000)).substr(0, 10); }

std::optional<int64_t> DayOf(const std::string& text) {
  int year = 0, month = 0, day = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2d%c", &year, &month, &day, &rest) != 3) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

void ToProto(const WarmupStanding& from, v1::WarmupState* out) {
  const storage::WarmupStateRow& row = from.row;
  out->set_source(row.source);
  out->set_provider(row.provider);
  out->set_state(row.phase);
  out->set_stage(row.stage);
  out->set_stage_count(from.stage_count);
  out->set_plan(row.plan);
  out->set_plan_version(row.plan_version);
  out->set_held(row.held);
  if (row.suspended_until) SetTime(*row.suspended_until, out->mutable_suspended_until());
  if (row.start_day) out->set_start(DateText(*row.start_day));
  out->set_last_judgement(row.decision);
  out->set_last_reason(row.why);
  out->set_last_evidence(row.evidence);
  if (!row.decision.empty()) SetTime(row.judged_at, out->mutable_judged_at());
  if (from.warm_at) SetTime(*from.warm_at, out->mutable_forecast_warm_at());
  out->set_waiting(from.waiting);
  if (from.next_grant_at) SetTime(*from.next_grant_at, out->mutable_next_grant_at());
  if (from.waits_until) SetTime(*from.waits_until, out->mutable_waits_until());
  if (!from.today) return;
  out->set_cap(from.today->cap.value_or(0));
  out->set_uncapped(!from.today->cap.has_value());
  out->set_used(from.today->granted - from.today->returned);
  out->set_attempted(from.today->attempted);
  out->set_accepted(from.today->accepted);
  out->set_deferred(from.today->deferred);
  out->set_bounced(from.today->bounced);
  out->set_complained(from.today->complained);
}

absl::StatusOr<WarmupOrder> OrderOf(const v1::UpdateWarmupRequest& request) {
  using Kind = WarmupOrder::Kind;
  WarmupOrder order{.source = request.warmup().source(), .provider = request.warmup().provider(), .reason = request.reason()};
  if (request.update_mask().paths_size() != 1) {
    return wire::FieldError("update_mask", "names one of state, stage, start");
  }
  const std::string& path = request.update_mask().paths(0);
  const std::string& state = request.warmup().state();
  if (path == "stage") {
    order.kind = Kind::kSetStage;
    order.stage = request.warmup().stage();
  } else if (path == "start") {
    order.kind = Kind::kStart;
    const auto day = DayOf(request.warmup().start());
    if (!day) return wire::FieldError("warmup.start", Cat(Quoted(request.warmup().start()), " is not a date; write YYYY-MM-DD"));
    order.start_day = *day;
  } else if (path == "state" && state == "held") {
    order.kind = Kind::kHold;
  } else if (path == "state" && state == "warming") {
    order.kind = Kind::kResume;
  } else if (path == "state" && state == "warm") {
    order.kind = Kind::kSkip;
  } else if (path == "state") {
    return wire::FieldError("warmup.state", Cat(Quoted(state), " is no order; write held, warming or warm"));
  } else {
    return wire::FieldError("update_mask", Cat(Quoted(path), " cannot be set; name state, stage or start"));
  }
  return order;
}

}  // namespace

absl::Status GetWarmup(WarmupAdmin& admin, const v1::GetWarmupRequest& request, v1::GetWarmupResponse* response) {
  ASSIGN_OR_RETURN(const WarmupAnswer answer, admin.Get(request.source(), {request.page_size(), request.page_token()}));
  for (const WarmupStanding& standing : answer.standings) ToProto(standing, response->add_states());
  response->set_next_page_token(answer.next_page_token);
  return absl::OkStatus();
}

absl::Status UpdateWarmup(WarmupAdmin& admin, std::string actor, const v1::UpdateWarmupRequest& request,
                          v1::UpdateWarmupResponse* response) {
  ASSIGN_OR_RETURN(WarmupOrder order, OrderOf(request));
  order.actor = std::move(actor);
  ASSIGN_OR_RETURN(const WarmupAnswer answer, admin.Update(order));
  for (const WarmupStanding& standing : answer.standings) ToProto(standing, response->add_states());
  for (const std::string& name : answer.not_acknowledged) response->add_not_acknowledged(name);
  return absl::OkStatus();
}

absl::Status ListWarmupEvents(WarmupAdmin& admin, const v1::ListWarmupEventsRequest& request,
                              v1::ListWarmupEventsResponse* response) {
  ASSIGN_OR_RETURN(const WarmupAdmin::Events history,
                   admin.History(request.source(), request.provider(), {request.page_size(), request.page_token()}));
  for (const storage::WarmupEventRow& event : history.events) {
    v1::WarmupEvent* out = response->add_events();
    SetTime(event.at, out->mutable_occurred_at());
    out->set_source(event.source);
    out->set_provider(event.provider);
    out->set_decision(event.decision);
    out->set_reason(event.why);
    out->set_evidence(event.evidence);
    out->set_from_stage(event.from_stage);
    out->set_to_stage(event.to_stage);
    out->set_state(event.phase);
    out->set_actor(event.actor);
  }
  response->set_next_page_token(history.next_page_token);
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
