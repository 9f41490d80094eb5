#include "scheduler/admin/suppression_verbs.h"

#include <google/protobuf/util/time_util.h>

#include "base/status.h"
#include "base/text.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

using google::protobuf::util::TimeUtil;

void ToProto(const storage::StoredSuppression& from, v1::Suppression* out) {
  const Suppression& one = from.suppression;
  out->set_tenant(one.tenant);
  out->set_address(one.address);
  out->set_reason(std::string(ToString(one.reason)));
  out->set_detail(one.detail);
  *out->mutable_created_at() = TimeUtil::MicrosecondsToTimestamp(ToMicros(one.created_at));
  if (one.expires_at) {
    *out->mutable_expires_at() = TimeUtil::MicrosecondsToTimestamp(ToMicros(*one.expires_at));
  }
  out->set_address_hash(from.hash.data(), from.hash.size());
}

absl::StatusOr<Suppression> FromProto(const v1::Suppression& from, const std::string& path) {
  Suppression out{.tenant = from.tenant(), .address = from.address(), .detail = from.detail()};
  if (!from.reason().empty()) {
    const auto reason = ParseSuppressionReason(from.reason());
    if (!reason) {
      return wire::FieldError(path + ".reason", Cat(Quoted(from.reason()),
                                                    " is not a reason; write bounce, complaint, "
                                                    "unsubscribe or manual"));
    }
    out.reason = *reason;
  }
  if (from.has_expires_at()) {
    out.expires_at = FromMicros(TimeUtil::TimestampToMicroseconds(from.expires_at()));
  }
  return out;
}

}  // namespace

absl::Status ListSuppressions(SuppressionAdmin& admin, const v1::ListSuppressionsRequest& request,
                              v1::ListSuppressionsResponse* response) {
  ASSIGN_OR_RETURN(const auto listed,
                   admin.List(request.tenant(), request.address(),
                              {request.page_size(), request.page_token()}));
  for (const auto& one : listed.suppressions) ToProto(one, response->add_suppressions());
  response->set_next_page_token(listed.next_page_token);
  return absl::OkStatus();
}

absl::Status UpdateSuppressions(SuppressionAdmin& admin, std::string actor,
                                const v1::UpdateSuppressionsRequest& request,
                                v1::UpdateSuppressionsResponse* response) {
  SuppressionOrder order;
  order.actor = std::move(actor);
  for (int i = 0; i < request.add_size(); ++i) {
    ASSIGN_OR_RETURN(order.add.emplace_back(), FromProto(request.add(i), Cat("add[", i, "]")));
  }
  for (const v1::Suppression& one : request.remove()) {
    order.remove.push_back({.tenant = one.tenant(), .address = one.address()});
  }
  order.erase.assign(request.erase().begin(), request.erase().end());
  ASSIGN_OR_RETURN(const SuppressionCounts counts, admin.Update(order));
  response->set_added_count(counts.added);
  response->set_removed_count(counts.removed);
  response->set_erased_count(counts.erased);
  for (const std::string& name : counts.not_acknowledged) response->add_not_acknowledged(name);
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
