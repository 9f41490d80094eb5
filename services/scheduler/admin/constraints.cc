#include "scheduler/admin/constraints.h"

#include <algorithm>
#include <charconv>

#include "base/status.h"
#include "base/text.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

constexpr size_t kMostReasonBytes = 1'024;

// Everything that `wanted` gives, `scope` has.
bool Has(const Scope& scope, const Scope& wanted) {
  return Covers(wanted, {.source = scope.source,
                         .provider = scope.provider,
                         .pool = scope.pool,
                         .tenant = scope.tenant,
                         .stream = scope.stream,
                         .campaign = scope.campaign,
                         .domain = scope.domain,
                         .site = scope.site,
                         .sender_domain = scope.sender_domain});
}

}  // namespace

absl::Status ConstraintAdmin::CheckNames(const Scope& scope) {
  if (scope.empty()) {
    return wire::FieldError("scope", "is empty; name what is meant: source, provider, pool, tenant, stream, campaign, domain or site");
  }
  ASSIGN_OR_RETURN(const auto stored, policies_.Current());
  if (!stored) return absl::FailedPreconditionError("no policy was applied yet; `sluicectl apply -f policy.yaml` does");
  ASSIGN_OR_RETURN(const PolicyDocument policy, parse_(stored->document_json));
  std::vector<wire::FieldViolation> wrong;
  const auto check = [&](std::string_view field, const std::string& name, bool known) {
    if (name.empty() || known) return;
    wrong.push_back({Cat("scope.", field), Cat("the policy has no ", field, " ", Quoted(name))});
  };
  check("source", scope.source, FindSource(policy, scope.source) != nullptr);
  check("pool", scope.pool, FindPool(policy, scope.pool) != nullptr);
  check("tenant", scope.tenant, FindTenant(policy, scope.tenant) != nullptr);
  check("stream", scope.stream, FindStream(policy, scope.stream) != nullptr);
  return wrong.empty() ? absl::OkStatus() : wire::FieldViolations(wrong);
}

absl::StatusOr<ConstraintAdmin::Suspended> ConstraintAdmin::Suspend(const SuspendOrder& order) {
  RETURN_IF_ERROR(CheckControlOwner(live_));
  RETURN_IF_ERROR(CheckNames(order.scope));
  const Instant now = clock_.Now();
  if (order.until && *order.until <= now) return wire::FieldError("until", "is in the past; leave it out for no end");
  if (order.reason.size() > kMostReasonBytes) {
    return wire::FieldError("reason", Cat("is longer than ", kMostReasonBytes, " bytes"));
  }
  Suspended out;
  out.constraint = {.id = 0,
                    .scope = order.scope,
                    .cause = ConstraintCause::kOperator,
                    .rule = {},
                    .value = {.suspend = true},
                    .evidence = order.reason,
                    .since = now,
                    .until = order.until,
                    .author = order.author};
  const auto change = store_.Put(ConstraintCause::kOperator, {out.constraint});
  audit_.Record(order.author, "Suspend", Cat(ToString(order.scope), " reason=", order.reason), change.status());
  RETURN_IF_ERROR(change.status());
  out.constraint.id = change->ids.front();
  out.not_acknowledged = live_.AwaitConstraints(change->generation, patience_);
  return out;
}

absl::StatusOr<ConstraintAdmin::Resumed> ConstraintAdmin::Resume(const ResumeOrder& order) {
  RETURN_IF_ERROR(CheckControlOwner(live_));
  if (order.id == 0 && order.scope.empty()) {
    return wire::FieldError("scope", "is empty; name a constraint_id or the scope that was suspended");
  }
  const auto change = order.id != 0 ? store_.End(ConstraintCause::kOperator, {order.id})
                                    : store_.EndScope(ConstraintCause::kOperator, order.scope);
  audit_.Record(order.author, "Resume", order.id != 0 ? Cat("id=", order.id) : ToString(order.scope), change.status());
  RETURN_IF_ERROR(change.status());
  if (change->ids.empty()) {
    ASSIGN_OR_RETURN(const auto in_force, store_.List(clock_.Now()));
    for (const Constraint& constraint : in_force.constraints) {
      if (order.id == 0 ? constraint.scope != order.scope : constraint.id != order.id) continue;
      return absl::FailedPreconditionError(
          Cat("constraint ", constraint.id, " is of cause '", ToString(constraint.cause), "': only that may lift it"));
    }
    return absl::NotFoundError("nothing of that kind is suspended; `sluicectl constraints` lists what is");
  }
  Resumed out;
  out.lifted = static_cast<int>(change->ids.size());
  out.not_acknowledged = live_.AwaitConstraints(change->generation, patience_);
  return out;
}

absl::StatusOr<ConstraintAdmin::Constraints> ConstraintAdmin::List(const Scope& scope, Page page) {
  RETURN_IF_ERROR(CheckPageSize(page.size, 100, 1'000));
  int64_t after = 0;
  const char* const end = page.after.data() + page.after.size();
  const auto [read, error] = std::from_chars(page.after.data(), end, after);
  if (!page.after.empty() && (error != std::errc() || read != end)) {
    return wire::FieldError("page_token", "is not one that was given out; leave it empty for the first page");
  }
  ASSIGN_OR_RETURN(auto in_force, store_.List(clock_.Now()));
  Constraints out;
  for (Constraint& constraint : in_force.constraints) {
    if (constraint.id <= after || !Has(constraint.scope, scope)) continue;
    if (static_cast<int>(out.constraints.size()) == page.size) {
      out.next_page_token = Cat(out.constraints.back().id);
      break;
    }
    out.constraints.push_back(std::move(constraint));
  }
  return out;
}

}  // namespace sluice::scheduler
