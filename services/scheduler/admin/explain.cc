#include "scheduler/admin/explain.h"

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "mail/address.h"
#include "policy/provider.h"
#include "policy/site.h"
#include "scheduler/control/dns_questions.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

constexpr auto kMxPatience = std::chrono::seconds(10);
constexpr auto kAddressPatience = std::chrono::seconds(5);  // For each family.
// Hosts of a site with more are not asked for their addresses.
constexpr size_t kMostHostsAsked = 8;

// What DNS does not tell is taken for an address.
bool Has(const AddressAnswer& answer) { return answer.status == DnsStatus::kTempFail || !answer.addresses.empty(); }

}  // namespace

absl::StatusOr<Explained> ExplainAdmin::Explain(const ExplainOrder& order) {
  ASSIGN_OR_RETURN(const auto stored, policies_.Current());
  if (!stored) return absl::FailedPreconditionError("no policy was applied yet; `sluicectl apply -f policy.yaml` does");
  ASSIGN_OR_RETURN(const PolicyDocument policy, parse_(stored->document_json));
  Explained out;
  out.policy_revision = stored->revision.revision;
  ASSIGN_OR_RETURN(const Mail mail, order.message_id != 0 ? Real(order, out) : Hypothetical(order, out));
  out.domain = mail.domain;
  RETURN_IF_ERROR(Resolve(policy, mail.domain, out));
  LookUpFamilies(out);
  const Instant now = clock_.Now();
  ASSIGN_OR_RETURN(const storage::ConstraintsInForce in_force, constraints_.List(now));
  ASSIGN_OR_RETURN(const std::vector<SourceNow> sources, Sources(out));
  const ExplainFacts facts{.routing = {.tenant = mail.tenant,
                                       .stream = mail.stream,
                                       .campaign = mail.campaign,
                                       .provider = out.provider,
                                       .site = out.site,
                                       .domain = mail.domain,
                                       .sender_domain = mail.sender_domain,
                                       .tags = mail.tags},
                           .now = now,
                           .lacks_ipv4 = out.lacks_ipv4,
                           .lacks_ipv6 = out.lacks_ipv6};
  out.explanation = sluice::Explain(policy, in_force.constraints, sources, facts);
  std::string& waits = out.explanation.waits_for;
  if (!mail.held.empty()) {
    waits = Cat("held for a person: ", mail.held);
  } else if (waits.empty() && out.due_at > now) {
    waits = out.attempts > 0 ? "its time: it was deferred" : "its time: it was submitted for later";
  }
  return out;
}

absl::StatusOr<ExplainAdmin::Mail> ExplainAdmin::Hypothetical(const ExplainOrder& order, Explained& out) {
  std::vector<wire::FieldViolation> wrong;
  const auto domain_of = [&](const std::string& text, std::string_view field) {
    const auto address = EmailAddress::Parse(text);
    if (address.ok()) return std::string(address->domain());
    wrong.push_back({std::string(field), Cat(address.status().message())});
    return std::string();
  };
  Mail mail{.tenant = order.tenant, .stream = order.stream, .campaign = order.campaign};
  mail.domain = domain_of(order.to, "to");
  if (!order.from.empty()) mail.sender_domain = domain_of(order.from, "from");
  for (const auto& [name, value] : order.tags) Append(mail.tags, name, "=", value, "\n");
  if (!wrong.empty()) return wire::FieldViolations(wrong);
  out.recipient = order.to;
  return mail;
}

absl::StatusOr<ExplainAdmin::Mail> ExplainAdmin::Real(const ExplainOrder& order, Explained& out) {
  ASSIGN_OR_RETURN(const std::vector<storage::QueueEntryRow> rows, entries_.ByMessage(order.message_id));
  for (const storage::QueueEntryRow& row : rows) {
    if (!order.to.empty() && row.recipient != order.to) continue;
    out.recipient = row.recipient;
    out.due_at = row.due_at;
    out.attempts = row.attempts;
    out.last_source = row.last_source;
    return Mail{.tenant = row.tenant,
                .stream = row.stream,
                .campaign = row.campaign,
                .sender_domain = row.sender_domain,
                .domain = row.domain,
                .tags = row.tags,
                .held = row.held};
  }
  return absl::NotFoundError(Cat("nothing waits of this message", order.to.empty() ? "" : " for that recipient",
                                 "; its events tell how it ended"));
}

absl::Status ExplainAdmin::Resolve(const PolicyDocument& policy, const std::string& domain, Explained& out) {
  const MxAnswer answer = DnsQuestions(resolver_, kMxPatience).Mx(domain);
  if (answer.status == DnsStatus::kTempFail) return absl::UnavailableError(Cat("MX of ", domain, ": ", answer.detail, "; try again"));
  for (const MxHost& host : answer.hosts) out.mx_hosts.push_back(host.name);
  const bool by_mx = answer.kind == MxKind::kMx;
  out.provider = ProviderCatalogue(policy.providers).ProviderOf(answer.hosts);
  out.site = SiteName(domain, by_mx ? answer.hosts : std::vector<MxHost>(), out.provider);
  return absl::OkStatus();
}

void ExplainAdmin::LookUpFamilies(Explained& out) {
  if (out.mx_hosts.empty() || out.mx_hosts.size() > kMostHostsAsked) return;
  DnsQuestions dns(resolver_, kAddressPatience);
  const auto lacks = [&](AddressFamily family) {
    const std::vector<AddressAnswer> answers = dns.Addresses(out.mx_hosts, family);
    return std::none_of(answers.begin(), answers.end(), Has);
  };
  out.lacks_ipv4 = lacks(AddressFamily::kIpv4Only);
  out.lacks_ipv6 = lacks(AddressFamily::kIpv6Only);
}

absl::StatusOr<std::vector<SourceNow>> ExplainAdmin::Sources(const Explained& of) {
  ASSIGN_OR_RETURN(const auto lacking, lacking_(of.provider));
  const std::map<std::string, Duration> down = down_(of.domain);
  ASSIGN_OR_RETURN(const auto assignments, assignments_.List());
  std::vector<SourceNow> out;
  for (const storage::SourceAssignment& assignment : assignments) {
    SourceNow now{.source = assignment.source, .egress = assignment.egress, .can_send = false, .detail = {}};
    if (assignment.expired) {
      now.detail = assignment.egress.empty() ? "no egress holds it" : Cat("its egress ", assignment.egress, " is not heard");
    } else if (const auto path = down.find(assignment.source); path != down.end()) {
      const auto seconds = std::chrono::ceil<std::chrono::seconds>(path->second).count();
      now.detail = Cat("cannot connect to ", of.site, ": the next try is in ", seconds, " s; `sluicectl retry` ends the rest");
    } else if (assignment.state == "bound") {
      now.can_send = true;
    } else {
      now.detail = assignment.detail.empty() ? Cat("not bound yet by ", assignment.egress) : assignment.detail;
    }
    if (const auto found = lacking.find(assignment.source); found != lacking.end()) now.lacks_allowance = found->second;
    out.push_back(std::move(now));
  }
  return out;
}

}  // namespace sluice::scheduler
