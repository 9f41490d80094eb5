#include <ostream>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {
namespace {

void PrintRoutes(const Context& context, const v1::ExplainRouteResponse& told) {
  Table table({"ROUTE", "MATCH", "POOL", ""});
  for (const v1::ExplainedRoute& route : told.routes()) {
    table.Add({Cat("routes[", route.index(), "]"), route.match().empty() ? "everything" : Printable(route.match()), route.pool(),
               route.matched() ? "matches" : Printable(route.reason())});
  }
  table.Print(context.io.out);
  if (told.route_index() < 0) context.io.out << "no route matches\n";
}

void PrintMembers(const Context& context, const v1::ExplainRouteResponse& told) {
  Table table({"POOL", "SOURCE", "WEIGHT", "HELD BY", "", "LIMITS OF ITS OWN"});
  for (const v1::ExplainedMember& member : told.members()) {
    std::string own;
    for (const v1::ExplainedLimit& limit : member.limits()) {
      Append(own, own.empty() ? "" : ", ", limit.name(), "=", limit.value(), " (", limit.rule(), ")");
    }
    table.Add({member.pool(), member.source(), Cat(member.weight(), member.reserve() ? " reserve" : ""), member.egress_id(),
               member.eligible() ? "can send" : Printable(member.reason()), own});
  }
  if (table.empty()) return;
  context.io.out << "\n";
  table.Print(context.io.out);
}

void PrintLimits(const Context& context, const v1::ExplainRouteResponse& told) {
  Table table({"LIMIT", "VALUE", "BY"});
  for (const v1::ExplainedLimit& limit : told.limits()) table.Add({limit.name(), limit.value(), limit.rule()});
  if (table.empty()) return;
  context.io.out << "\n";
  table.Print(context.io.out);
}

void PrintConstraints(const Context& context, const v1::ExplainRouteResponse& told) {
  Table table({"CONSTRAINT", "CAUSE", "VALUE", "UNTIL", "EVIDENCE"});
  for (const v1::Constraint& one : told.constraints()) {
    table.Add({one.constraint_id(), one.cause(), one.value(), TimeText(one.has_until(), one.until()), Printable(one.evidence())});
  }
  if (table.empty()) return;
  context.io.out << "\n";
  table.Print(context.io.out);
}

}  // namespace

int Explain(const Context& context, const ExplainOptions& options) {
  v1::ExplainRouteRequest request;
  request.set_message_id(options.message);
  request.set_tenant(options.tenant);
  request.set_stream(options.stream);
  request.set_campaign(options.campaign);
  request.set_from(options.from);
  request.set_to(options.to);
  for (const std::string& tag : options.tags) {
    const size_t equals = tag.find('=');
    if (equals == std::string::npos) return RefuseUsage(context, "--tag takes name=value");
    (*request.mutable_tags())[tag.substr(0, equals)] = tag.substr(equals + 1);
  }
  if (options.message.empty() && options.to.empty()) return RefuseUsage(context, "name a message, or --to an address");
  v1::ExplainRouteResponse told;
  if (const absl::Status status = AdminClient(context).Call(request, &told); !status.ok()) return Refuse(context, status);
  if (context.json) {
    PrintJson(context.io.out, told);
    return kOk;
  }
  context.io.out << Printable(told.recipient()) << ": provider " << told.provider() << ", site " << Printable(told.site())
                 << ", policy revision " << told.policy_revision() << "\n\n";
  PrintRoutes(context, told);
  PrintMembers(context, told);
  PrintLimits(context, told);
  PrintConstraints(context, told);
  context.io.out << "\n";
  if (told.has_due_at()) {
    context.io.out << "attempts " << told.attempts() << ", due " << TimeText(true, told.due_at())
                   << (told.last_source().empty() ? "" : Cat(", last sent by ", told.last_source())) << "\n";
  }
  context.io.out << (told.waits_for().empty() ? "nothing holds it back" : Cat("waits for: ", Printable(told.waits_for()))) << "\n";
  return kOk;
}

}  // namespace sluice::ctl
