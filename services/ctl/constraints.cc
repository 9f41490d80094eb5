#include <google/protobuf/util/time_util.h>

#include <ostream>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {
namespace {

void Fill(const ScopeOptions& from, v1::Match* out) {
  out->set_source(from.source);
  out->set_provider(from.provider);
  out->set_pool(from.pool);
  out->set_tenant(from.tenant);
  out->set_stream(from.stream);
  out->set_campaign(from.campaign);
  out->set_domain(from.domain);
  out->set_site(from.site);
  out->set_sender_domain(from.sender_domain);
}

std::string ScopeText(const v1::Match& scope) {
  std::string out;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) Append(out, out.empty() ? "" : " ", name, "=", Printable(value));
  };
  add("source", scope.source());
  add("provider", scope.provider());
  add("pool", scope.pool());
  add("tenant", scope.tenant());
  add("stream", scope.stream());
  add("campaign", scope.campaign());
  add("domain", scope.domain());
  add("site", scope.site());
  add("sender_domain", scope.sender_domain());
  return out.empty() ? "everything" : out;
}

// An order that is not true everywhere yet is not done.
int PrintMissing(const Context& context, const google::protobuf::RepeatedPtrField<std::string>& names) {
  for (const std::string& name : names) context.io.err << "not acknowledged yet: " << Printable(name) << "\n";
  return names.empty() ? kOk : kRefused;
}

}  // namespace

int Suspend(const Context& context, const SuspendOptions& options) {
  v1::SuspendRequest request;
  Fill(options.scope, request.mutable_scope());
  request.set_reason(options.reason);
  request.set_author(Author(context, options.author));
  if (options.length > Duration::zero()) {
    const Instant until = SystemClock().Now() + options.length;
    *request.mutable_until() = google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(ToMicros(until));
  }
  v1::SuspendResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) return Refuse(context, status);
  if (context.json) {
    PrintJson(context.io.out, response);
  } else {
    const v1::Constraint& made = response.constraint();
    context.io.out << "constraint " << made.constraint_id() << ": " << ScopeText(made.scope()) << " suspended"
                   << (made.has_until() ? Cat(" until ", TimeText(true, made.until())) : "") << "\n";
  }
  return PrintMissing(context, response.not_acknowledged());
}

int Resume(const Context& context, const ResumeOptions& options) {
  v1::ResumeRequest request;
  request.set_constraint_id(options.id);
  Fill(options.scope, request.mutable_scope());
  request.set_author(Author(context, options.author));
  v1::ResumeResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) return Refuse(context, status);
  if (context.json) {
    PrintJson(context.io.out, response);
  } else {
    context.io.out << response.lifted_count() << " lifted\n";
  }
  return PrintMissing(context, response.not_acknowledged());
}

int Constraints(const Context& context, const ScopeOptions& scope) {
  AdminClient client(context);
  v1::ListConstraintsRequest request;
  Fill(scope, request.mutable_scope());
  request.set_page_size(1'000);
  v1::ListConstraintsResponse all;
  do {
    v1::ListConstraintsResponse page;
    if (const absl::Status status = client.Call(request, &page); !status.ok()) return Refuse(context, status);
    request.set_page_token(page.next_page_token());
    all.mutable_constraints()->MergeFrom(page.constraints());
    // A server that never ends its list does not hang us.
  } while (!request.page_token().empty() && all.constraints_size() < 1'000'000);
  if (context.json) {
    PrintJson(context.io.out, all);
    return kOk;
  }
  Table table({"ID", "SCOPE", "CAUSE", "VALUE", "SINCE", "UNTIL", "BY", "EVIDENCE"});
  for (const v1::Constraint& one : all.constraints()) {
    table.Add({one.constraint_id(), ScopeText(one.scope()), one.rule().empty() ? one.cause() : Cat(one.cause(), " ", one.rule()),
               one.value(), TimeText(one.has_since(), one.since()), TimeText(one.has_until(), one.until()),
               Printable(one.author()), Printable(one.evidence())});
  }
  table.Print(context.io.out);
  return kOk;
}

}  // namespace sluice::ctl
