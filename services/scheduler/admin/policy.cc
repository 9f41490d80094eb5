#include "scheduler/admin/policy.h"

#include <charconv>

#include "base/status.h"
#include "base/text.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

constexpr size_t kMostAuthorBytes = 128;
constexpr size_t kMostReasonBytes = 1'024;

}  // namespace

storage::PolicyProjection Project(const PolicyDocument& policy) {
  storage::PolicyProjection out;
  for (const SourcePolicy& source : policy.sources) {
    out.sources.push_back({source.name, source.address, source.bind, source.ehlo});
  }
  for (const PoolPolicy& pool : policy.pools) {
    out.pools.push_back({pool.name, pool.overflow});
    for (const PoolMember& member : pool.members) {
      out.members.push_back({pool.name, member.source, member.weight, member.reserve});
    }
  }
  return out;
}

absl::Status PolicyAdmin::Check(const PolicyOrder& order) {
  RETURN_IF_ERROR(CheckControlOwner(live_));
  std::vector<wire::FieldViolation> violations;
  for (const PolicyFinding& finding : order.findings) {
    if (!finding.is_error) continue;
    violations.push_back(
        {finding.path.empty() ? "policy" : "policy." + finding.path, finding.description});
  }
  if (order.base_revision < 0) {
    violations.push_back(
        {"base_revision", "is negative; write the revision that was edited, or 0"});
  }
  if (order.author.size() > kMostAuthorBytes) {
    violations.push_back({"author", Cat("is longer than ", kMostAuthorBytes, " bytes")});
  }
  if (order.reason.size() > kMostReasonBytes) {
    violations.push_back({"reason", Cat("is longer than ", kMostReasonBytes, " bytes")});
  }
  return violations.empty() ? absl::OkStatus() : wire::FieldViolations(violations);
}

absl::StatusOr<PolicyApplied> PolicyAdmin::Apply(const PolicyOrder& order) {
  RETURN_IF_ERROR(Check(order));
  const std::unique_lock alone(applying_, std::try_to_lock);
  if (!alone.owns_lock())
    return absl::AbortedError("another policy is being applied; look at it and try again");

  storage::PolicyChange change;
  change.base_revision = order.base_revision;
  change.author = order.author;
  change.reason = order.reason;
  change.document_json = order.document_json;
  change.projection = Project(order.document);
  const absl::StatusOr<int64_t> revision = store_.Apply(change, clock_.Now());
  audit_.Record(order.author, "ApplyPolicy",
                Cat("base_revision=", order.base_revision,
                    " revision=", revision.ok() ? *revision : 0, " reason=", order.reason),
                revision.status());
  RETURN_IF_ERROR(revision.status());

  PolicyApplied out;
  out.revision = *revision;
  out.warnings = order.findings;
  out.not_acknowledged = live_.AwaitPolicyRevision(*revision, patience_);
  return out;
}

absl::StatusOr<storage::StoredPolicy> PolicyAdmin::Get(int64_t revision) {
  if (revision < 0) return wire::FieldError("revision", "is negative; write 0 for the current one");
  if (revision > 0) return store_.Get(revision);
  ASSIGN_OR_RETURN(auto current, store_.Current());
  if (!current)
    return absl::NotFoundError("no policy was applied yet; `sluicectl apply -f policy.yaml` does");
  return *std::move(current);
}

absl::StatusOr<PolicyAdmin::Revisions> PolicyAdmin::History(Page page) {
  RETURN_IF_ERROR(CheckPageSize(page.size, 50, 1'000));
  int64_t before = 0;
  const char* const end = page.after.data() + page.after.size();
  const auto [read, error] = std::from_chars(page.after.data(), end, before);
  if (!page.after.empty() && (error != std::errc() || read != end || before < 1)) {
    return wire::FieldError("page_token",
                            "is not one that was given out; leave it empty for the first page");
  }
  Revisions out;
  ASSIGN_OR_RETURN(out.revisions, store_.History(before, page.size));
  if (static_cast<int>(out.revisions.size()) == page.size && out.revisions.back().revision > 1) {
    out.next_page_token = Cat(out.revisions.back().revision);
  }
  return out;
}

}  // namespace sluice::scheduler
