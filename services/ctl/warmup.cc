#include <chrono>
#include <ostream>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {
namespace {

std::string StageText(const v1::WarmupState& state) {
  if (state.state() == "warm" || state.state() == "cold") return state.state();
  return Cat(state.state(), " ", state.stage(), "/", state.stage_count(), state.held() ? " held" : "");
}

std::string CapText(const v1::WarmupState& state) {
  if (state.has_suspended_until()) return Cat("suspended until ", TimeText(true, state.suspended_until()));
  return state.uncapped() ? "none" : Cat(state.cap());
}

// How many wait, and until about when.
std::string WaitingText(const v1::WarmupState& state) {
  if (state.waiting() == 0) return "-";
  return Cat(state.waiting(), state.has_waits_until() ? Cat(", until about ", TimeText(true, state.waits_until())) : ", nobody knows until when");
}

std::string Judgement(const v1::WarmupState& state) {
  if (state.last_judgement().empty()) return state.state() == "cold" && !state.start().empty() ? Cat("starts ", state.start()) : "-";
  const std::string evidence = state.last_evidence().empty() ? "" : Cat(": ", state.last_evidence());
  return Printable(Cat(state.last_judgement(), " (", state.last_reason(), ")", evidence));
}

void Print(const Context& context, const google::protobuf::RepeatedPtrField<v1::WarmupState>& states) {
  if (states.empty()) {
    context.io.out << "no source warms up\n";
    return;
  }
  Table table({"SOURCE", "PROVIDER", "PLAN", "STAGE", "CAP TODAY", "USED", "ACCEPTED", "WAITING", "DEFERRED", "BOUNCED", "COMPLAINED", "WARM BY",
               "LAST JUDGEMENT"});
  for (const v1::WarmupState& state : states) {
    table.Add({state.source(), state.provider(), Cat(state.plan(), "@", state.plan_version()), StageText(state), CapText(state),
               Cat(state.used()), Cat(state.accepted()), WaitingText(state), Cat(state.deferred()), Cat(state.bounced()), Cat(state.complained()),
               TimeText(state.has_forecast_warm_at(), state.forecast_warm_at()).substr(0, 10), Judgement(state)});
  }
  table.Print(context.io.out);
}

int Order(const Context& context, const WarmupOptions& options, const char* path, const v1::WarmupState& wanted) {
  v1::UpdateWarmupRequest request;
  *request.mutable_warmup() = wanted;
  request.mutable_warmup()->set_source(options.source);
  request.mutable_warmup()->set_provider(options.provider);
  request.mutable_update_mask()->add_paths(path);
  request.set_reason(options.reason);
  v1::UpdateWarmupResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) return Refuse(context, status);
  if (context.json) {
    PrintJson(context.io.out, response);
  } else {
    Print(context, response.states());
  }
  for (const std::string& name : response.not_acknowledged()) {
    context.io.err << "not acknowledged by " << Printable(name) << "; it follows when it is back\n";
  }
  return kOk;
}

// What suspends the source beside its warmup: others made it, and others lift it.
int TellWhatHolds(const Context& context, const std::string& source) {
  v1::ListConstraintsRequest request;
  request.mutable_scope()->set_source(source);
  v1::ListConstraintsResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) return Refuse(context, status);
  for (const v1::Constraint& one : response.constraints()) {
    if (!one.value().starts_with("suspend")) continue;
    context.io.err << Printable(Cat("still suspended", one.scope().provider().empty() ? "" : Cat(" at ", one.scope().provider()), ": ",
                                    one.cause(), one.rule().empty() ? "" : Cat(" ", one.rule()), ", ", one.evidence()))
                   << "\n";
  }
  return kOk;
}

int OrderState(const Context& context, const WarmupOptions& options, const char* state) {
  v1::WarmupState wanted;
  wanted.set_state(state);
  return Order(context, options, "state", wanted);
}

}  // namespace

int WarmupStatus(const Context& context, const WarmupOptions& options) {
  v1::GetWarmupRequest request;
  request.set_source(options.source);
  v1::GetWarmupResponse all;
  do {
    v1::GetWarmupResponse response;
    if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) return Refuse(context, status);
    for (const v1::WarmupState& state : response.states()) {
      if (options.provider.empty() || state.provider() == options.provider) *all.add_states() = state;
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (context.json) {
    PrintJson(context.io.out, all);
  } else {
    Print(context, all.states());
  }
  return kOk;
}

int WarmupHistory(const Context& context, const WarmupOptions& options) {
  v1::ListWarmupEventsRequest request;
  request.set_source(options.source);
  request.set_provider(options.provider);
  request.set_page_size(options.limit);
  v1::ListWarmupEventsResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) return Refuse(context, status);
  if (context.json) {
    PrintJson(context.io.out, response);
    return kOk;
  }
  Table table({"AT", "SOURCE", "PROVIDER", "DECISION", "STAGE", "BY", "WHAT WAS SEEN"});
  for (const v1::WarmupEvent& event : response.events()) {
    table.Add({TimeText(true, event.occurred_at()), event.source(), event.provider(), Cat(event.decision(), " (", event.reason(), ")"),
               event.from_stage() == event.to_stage() ? Cat(event.to_stage()) : Cat(event.from_stage(), " to ", event.to_stage()),
               Printable(event.actor()), Printable(event.evidence())});
  }
  table.Print(context.io.out);
  return kOk;
}

int WarmupStart(const Context& context, const WarmupOptions& options) {
  v1::WarmupState wanted;
  wanted.set_start(options.date.empty() ? ToString(SystemClock().Now()).substr(0, 10) : options.date);
  return Order(context, options, "start", wanted);
}
int WarmupHold(const Context& context, const WarmupOptions& options) { return OrderState(context, options, "held"); }
int WarmupResume(const Context& context, const WarmupOptions& options) {
  const int code = OrderState(context, options, "warming");
  return code == kOk && !context.json ? TellWhatHolds(context, options.source) : code;
}
int WarmupSkip(const Context& context, const WarmupOptions& options) { return OrderState(context, options, "warm"); }
int WarmupSetStage(const Context& context, const WarmupOptions& options) {
  v1::WarmupState wanted;
  wanted.set_stage(options.stage);
  return Order(context, options, "stage", wanted);
}

}  // namespace sluice::ctl
