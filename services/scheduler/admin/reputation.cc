#include "scheduler/admin/reputation.h"

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

constexpr size_t kMostReasonBytes = 1'024;
constexpr size_t kMostReplies = 500;
constexpr auto kRepliesOf = std::chrono::hours(24);

bool Fits(const std::string& wanted, const std::string& value) { return wanted.empty() || value.empty() || wanted == value; }

// What is said of a subject concerns a question about one provider, too, when it holds everywhere.
bool Fits(const ReputationQuery& query, const HealthSubject& subject) {
  return Fits(query.provider, subject.provider) && (query.source.empty() || query.source == subject.source) &&
         (query.tenant.empty() || query.tenant == subject.tenant) &&
         (query.sender_domain.empty() || query.sender_domain == subject.sender_domain);
}

std::string KeyOf(const HealthSubject& s) { return Cat(s.source, "\n", s.tenant, "\n", s.sender_domain, "\n", s.provider); }

bool SendsAs(const PolicyDocument& policy, const std::string& domain) {
  return std::any_of(policy.tenants.begin(), policy.tenants.end(), [&](const TenantPolicy& t) { return MaySendAs(t, domain); });
}

}  // namespace

absl::StatusOr<std::vector<HealthRule>> ReputationAdmin::Rules() {
  ASSIGN_OR_RETURN(const auto stored, parts_.policies.Current());
  if (!stored) return ShippedHealthRules();
  ASSIGN_OR_RETURN(const PolicyDocument policy, parts_.parse(stored->document_json));
  return HealthRulesOf(policy.health);
}

ReputationAdmin::Row ReputationAdmin::RowOf(storage::StoredHealth health, const std::vector<HealthRule>& rules) const {
  Row row{.health = std::move(health)};
  const auto& override = row.health.override;
  const bool stands = override && (!override->until || *override->until > parts_.clock.Now());
  if (override && !stands) row.health.override.reset();
  row.acts = stands ? override->state : row.health.status.state;
  if (const HealthRule* rule = FindHealthRule(rules, row.health.status.rule)) row.remedy = rule->remedy;
  return row;
}

absl::StatusOr<ReputationAdmin::Listed> ReputationAdmin::List(const ReputationQuery& query, Page page) {
  RETURN_IF_ERROR(CheckPageSize(page.size, 1'000, 10'000));
  if (query.with_replies && query.source.empty() && query.provider.empty() && query.tenant.empty()) {
    return wire::FieldError("with_replies", "is for one source, provider or tenant; name it");
  }
  ASSIGN_OR_RETURN(const auto rules, Rules());
  ASSIGN_OR_RETURN(auto all, parts_.health.List());
  Listed out;
  for (storage::StoredHealth& one : all) {
    if (!Fits(query, one.subject) || (!page.after.empty() && KeyOf(one.subject) <= page.after)) continue;
    if (static_cast<int>(out.rows.size()) == page.size) {
      out.next_page_token = KeyOf(out.rows.back().health.subject);
      break;
    }
    out.rows.push_back(RowOf(std::move(one), rules));
  }
  if (!page.after.empty()) return out;
  ASSIGN_OR_RETURN(auto signals, parts_.signals.List(/*with_raw=*/false));
  for (storage::StoredSignal& signal : signals) {
    if (!query.tenant.empty()) break;
    if (!Fits(query, {.source = signal.source, .sender_domain = signal.sender_domain, .provider = signal.provider})) continue;
    out.signals.push_back(std::move(signal));
  }
  if (!query.with_replies) return out;
  ASSIGN_OR_RETURN(out.replies, parts_.tally.Read(parts_.clock.Now() - kRepliesOf, query.source, query.provider));
  std::erase_if(out.replies, [&](const storage::TallyCount& count) {
    return (!query.tenant.empty() && count.tenant != query.tenant) ||
           (!query.sender_domain.empty() && count.sender_domain != query.sender_domain);
  });
  std::sort(out.replies.begin(), out.replies.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
  if (out.replies.size() > kMostReplies) out.replies.resize(kMostReplies);
  return out;
}

absl::Status ReputationAdmin::Check(const OverrideOrder& order) {
  const HealthSubject& subject = order.subject;
  const int named = (subject.source.empty() ? 0 : 1) + (subject.tenant.empty() ? 0 : 1) + (subject.sender_domain.empty() ? 0 : 1);
  if (named != 1) return wire::FieldError("health", "must name one of source, tenant and sender_domain");
  if (order.reason.empty()) return wire::FieldError("reason", "is required: the next person has to know why");
  if (order.reason.size() > kMostReasonBytes) return wire::FieldError("reason", Cat("is longer than ", kMostReasonBytes, " bytes"));
  if (order.until && *order.until <= parts_.clock.Now()) {
    return wire::FieldError("until", "is in the past; leave it out for no end");
  }
  ASSIGN_OR_RETURN(const auto stored, parts_.policies.Current());
  if (!stored) return absl::FailedPreconditionError("no policy was applied yet; `sluicectl apply -f policy.yaml` does");
  ASSIGN_OR_RETURN(const PolicyDocument policy, parts_.parse(stored->document_json));
  if (!subject.source.empty() && FindSource(policy, subject.source) == nullptr) {
    return wire::FieldError("health.source", Cat("the policy has no source ", Quoted(subject.source)));
  }
  if (!subject.tenant.empty() && FindTenant(policy, subject.tenant) == nullptr) {
    return wire::FieldError("health.tenant", Cat("the policy has no tenant ", Quoted(subject.tenant)));
  }
  if (!subject.sender_domain.empty() && !SendsAs(policy, subject.sender_domain)) {
    return wire::FieldError("health.sender_domain", Cat("no tenant sends as ", Quoted(subject.sender_domain)));
  }
  return absl::OkStatus();
}

absl::StatusOr<ReputationAdmin::Overridden> ReputationAdmin::OverrideHealth(const OverrideOrder& order) {
  RETURN_IF_ERROR(CheckControlOwner(parts_.live));
  RETURN_IF_ERROR(Check(order));
  std::optional<HealthOverride> override;
  if (order.state) override = HealthOverride{*order.state, order.until, order.reason, order.author};
  const auto generation = parts_.override(order.subject, override);
  parts_.audit.Record(order.author, "OverrideHealth",
                      Cat(ToString(order.subject), " state=", order.state ? ToString(*order.state) : "lifted", " reason=", order.reason),
                      generation.status());
  RETURN_IF_ERROR(generation.status());
  Overridden out;
  out.not_acknowledged = parts_.live.AwaitConstraints(*generation, parts_.patience);
  ASSIGN_OR_RETURN(const auto rules, Rules());
  ASSIGN_OR_RETURN(auto all, parts_.health.List());
  for (storage::StoredHealth& one : all) {
    if (one.subject == order.subject) out.row = RowOf(std::move(one), rules);
  }
  return out;
}

}  // namespace sluice::scheduler
