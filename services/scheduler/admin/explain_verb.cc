#include "scheduler/admin/explain_verb.h"

#include <algorithm>

#include "base/status.h"
#include "mail/ids.h"
#include "scheduler/admin/admin_convert.h"
#include "scheduler/admin/explain.h"

namespace sluice::scheduler {
namespace {

void Fill(const std::vector<LimitText>& limits, google::protobuf::RepeatedPtrField<v1::ExplainedLimit>* out) {
  for (const LimitText& limit : limits) {
    v1::ExplainedLimit* added = out->Add();
    added->set_name(limit.name);
    added->set_value(limit.value);
    added->set_rule(limit.rule);
  }
}

bool Same(const LimitText& a, const LimitText& b) { return a.name == b.name && a.value == b.value && a.rule == b.rule; }

// Limits that all members have stand once; each member keeps what is its own.
void FillLimits(std::vector<ExplainedMember> members, v1::ExplainRouteResponse* out) {
  std::vector<LimitText> common = members.empty() ? std::vector<LimitText>() : members[0].limits;
  for (const ExplainedMember& member : members) {
    std::erase_if(common, [&](const LimitText& limit) {
      return std::none_of(member.limits.begin(), member.limits.end(), [&](const LimitText& other) { return Same(limit, other); });
    });
  }
  Fill(common, out->mutable_limits());
  for (size_t i = 0; i < members.size(); ++i) {
    std::erase_if(members[i].limits, [&](const LimitText& limit) {
      return std::any_of(common.begin(), common.end(), [&](const LimitText& other) { return Same(limit, other); });
    });
    Fill(members[i].limits, out->mutable_members(static_cast<int>(i))->mutable_limits());
  }
}

}  // namespace

absl::Status ExplainRoute(ExplainAdmin& explain, const v1::ExplainRouteRequest& request, v1::ExplainRouteResponse* response) {
  ExplainOrder order;
  if (!request.message_id().empty()) {
    ASSIGN_OR_RETURN(const MessageId id, ParseMessageId(request.message_id()));
    order.message_id = id.value();
  }
  order.tenant = request.tenant();
  order.stream = request.stream();
  order.campaign = request.campaign();
  order.from = request.from();
  order.to = request.to();
  order.tags.assign(request.tags().begin(), request.tags().end());
  ASSIGN_OR_RETURN(const Explained explained, explain.Explain(order));

  const Explanation& told = explained.explanation;
  response->set_domain(explained.domain);
  response->set_site(explained.site);
  response->set_provider(explained.provider);
  for (const std::string& host : explained.mx_hosts) response->add_mx_hosts(host);
  response->set_route_index(told.route_index);
  response->set_pool(told.pool);
  for (const ExplainedRoute& route : told.routes) {
    v1::ExplainedRoute* added = response->add_routes();
    added->set_index(route.index);
    added->set_match(route.match);
    added->set_pool(route.pool);
    added->set_matched(route.matched);
    added->set_reason(route.reason);
  }
  for (const ExplainedMember& member : told.members) {
    v1::ExplainedMember* added = response->add_members();
    added->set_source(member.source);
    added->set_weight(member.weight);
    added->set_eligible(member.eligible);
    added->set_reason(member.reason);
    added->set_pool(member.pool);
    added->set_reserve(member.reserve);
    added->set_egress_id(member.egress);
  }
  FillLimits(told.members, response);
  for (const Constraint& constraint : told.constraints) ToProto(constraint, response->add_constraints());
  response->set_policy_revision(explained.policy_revision);
  response->set_waits_for(told.waits_for);
  response->set_recipient(explained.recipient);
  if (explained.due_at != Instant()) SetTime(explained.due_at, response->mutable_due_at());
  response->set_attempts(explained.attempts);
  response->set_last_source(explained.last_source);
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
