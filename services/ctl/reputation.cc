// How sources, tenants and sending domains stand: the matrix, what is behind a cell of it, and a person's word for it.
#include <google/protobuf/util/time_util.h>

#include <map>
#include <ostream>
#include <set>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {
namespace {

constexpr int kMostRows = 100'000;
constexpr std::string_view kEverywhere = "everywhere";

std::string Score(double score) { return Cat(static_cast<int>(score)); }

std::string Subject(const v1::Health& one) {
  if (!one.source().empty()) return one.source();
  return one.tenant().empty() ? Cat("domain ", one.sender_domain()) : Cat("tenant ", one.tenant());
}

std::string Cell(const v1::Health& one) {
  return Cat(one.state(), one.probing() ? " (probing)" : "", one.has_override() ? " !" : "", " ", Score(one.score()));
}

// Who × where; what is not named stands well.
void PrintMatrix(std::ostream& out, const v1::ListReputationResponse& all) {
  std::set<std::string> providers;
  std::map<std::string, std::map<std::string, const v1::Health*>> rows;
  for (const v1::Health& one : all.health()) {
    const std::string provider(one.provider().empty() ? kEverywhere : one.provider());
    if (one.state() == "healthy" && !one.has_override()) continue;
    providers.insert(provider);
    rows[Subject(one)][provider] = &one;
  }
  if (rows.empty()) {
    out << "all healthy\n";
    return;
  }
  std::vector<std::string> head = {"WHO"};
  for (const std::string& provider : providers) head.push_back(Printable(provider));
  Table table(head);
  for (const auto& [who, cells] : rows) {
    std::vector<std::string> row = {Printable(who)};
    for (const std::string& provider : providers) row.push_back(cells.contains(provider) ? Cell(*cells.at(provider)) : "-");
    table.Add(row);
  }
  table.Print(out);
}

void PrintReasons(std::ostream& out, const v1::ListReputationResponse& all, bool with_healthy) {
  Table table({"WHO", "WHERE", "STATE", "SINCE", "NOT BEFORE", "RULE", "WHY", "REMEDY"});
  for (const v1::Health& one : all.health()) {
    if (one.state() == "healthy" && !one.has_override() && !with_healthy) continue;
    std::string why;
    for (const std::string& evidence : one.evidence()) Append(why, why.empty() ? "" : "; now ", evidence);
    if (one.has_override()) {
      why = Cat("override by ", one.override().author(), " until ", TimeText(one.override().has_until(), one.override().until()), ": ",
                one.override().reason(), " (judged ", one.judged_state(), why.empty() ? "" : ", ", why, ")");
    }
    table.Add({Printable(Subject(one)), Printable(one.provider().empty() ? std::string(kEverywhere) : one.provider()), Cell(one),
               TimeText(one.has_since(), one.since()), TimeText(one.has_until(), one.until()), Printable(one.rule()), Printable(why),
               Printable(one.remedy())});
  }
  if (table.empty()) return;
  out << "\n";
  table.Print(out);
}

void PrintSignals(std::ostream& out, const v1::ListReputationResponse& all, bool with_good) {
  Table table({"SIGNAL OF", "SIGNAL", "VERDICT", "VALUE", "CHECKED", "SINCE", "DETAIL"});
  for (const v1::ReputationSignal& one : all.signals()) {
    if (one.verdict() == "good" && one.failure().empty() && !with_good) continue;
    const std::string detail = one.failure().empty() ? one.detail()
                                                     : Cat("no answer since ", TimeText(one.has_failed_at(), one.failed_at()), ": ",
                                                           one.failure(), one.detail().empty() ? "" : "; last: ", one.detail());
    const std::string& subject = one.source().empty() ? one.sender_domain() : one.source();
    table.Add({subject.empty() ? "-" : Printable(subject), Printable(one.name()), Printable(one.verdict()),
               Printable(one.value()), TimeText(one.has_checked_at(), one.checked_at()), TimeText(one.has_changed_at(), one.changed_at()),
               Printable(detail)});
  }
  if (table.empty()) return;
  out << "\n";
  table.Print(out);
}

void PrintReplies(std::ostream& out, const v1::ListReputationResponse& all) {
  if (all.replies().empty()) return;
  out << "\n";
  Table table({"COUNT", "SOURCE", "PROVIDER", "TENANT", "KIND", "CLASS", "RULE", "LAST", "REPLY"});
  for (const v1::ReplyCount& one : all.replies()) {
    table.Add({Cat(one.count()), Printable(one.source()), Printable(one.provider()), Printable(one.tenant()), Printable(one.kind()),
               Printable(one.reply_class()), Printable(one.rule()), TimeText(one.has_last_at(), one.last_at()),
               Printable(one.last_reply())});
  }
  table.Print(out);
}

}  // namespace

int Reputation(const Context& context, const ReputationOptions& options) {
  AdminClient client(context);
  v1::ListReputationRequest request;
  request.set_source(options.scope.source);
  request.set_provider(options.scope.provider);
  request.set_tenant(options.scope.tenant);
  request.set_sender_domain(options.scope.sender_domain);
  const bool one = !request.source().empty() || !request.provider().empty() || !request.tenant().empty();
  request.set_with_replies(one);
  request.set_page_size(10'000);
  v1::ListReputationResponse all;
  do {
    v1::ListReputationResponse page;
    if (const absl::Status status = client.Call(request, &page); !status.ok()) return Refuse(context, status);
    request.set_page_token(page.next_page_token());
    page.clear_next_page_token();
    all.MergeFrom(page);
    // A server that never ends its list does not hang us.
  } while (!request.page_token().empty() && all.health_size() < kMostRows);
  if (context.json) {
    PrintJson(context.io.out, all);
    return kOk;
  }
  PrintMatrix(context.io.out, all);
  PrintReasons(context.io.out, all, one);
  PrintSignals(context.io.out, all, one || options.all);
  PrintReplies(context.io.out, all);
  return kOk;
}

int OverrideHealth(const Context& context, const ReputationOptions& options) {
  v1::OverrideHealthRequest request;
  request.mutable_health()->set_source(options.scope.source);
  request.mutable_health()->set_provider(options.scope.provider);
  request.mutable_health()->set_tenant(options.scope.tenant);
  request.mutable_health()->set_sender_domain(options.scope.sender_domain);
  request.mutable_health()->set_state(options.state);
  request.set_reason(options.reason);
  request.set_author(Author(context, options.author));
  if (options.length > Duration::zero()) {
    const Instant until = SystemClock().Now() + options.length;
    *request.mutable_until() = google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(ToMicros(until));
  }
  v1::OverrideHealthResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) return Refuse(context, status);
  if (context.json) {
    PrintJson(context.io.out, response);
  } else {
    context.io.out << Printable(Subject(response.health())) << ": " << response.health().state() << "\n";
  }
  for (const std::string& name : response.not_acknowledged()) context.io.err << "not acknowledged yet: " << Printable(name) << "\n";
  return response.not_acknowledged().empty() ? kOk : kRefused;
}

}  // namespace sluice::ctl
