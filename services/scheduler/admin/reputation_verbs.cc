#include "scheduler/admin/reputation_verbs.h"

#include <google/protobuf/util/time_util.h>

#include "base/status.h"
#include "base/text.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;

void Set(Instant at, Timestamp* out) {
  if (at != Instant{}) *out = TimeUtil::MicrosecondsToTimestamp(ToMicros(at));
}

void ToProto(const ReputationAdmin::Row& row, v1::Health* out) {
  const auto& [subject, status, override] = row.health;
  out->set_source(subject.source);
  out->set_tenant(subject.tenant);
  out->set_sender_domain(subject.sender_domain);
  out->set_provider(subject.provider);
  out->set_state(std::string(ToString(row.acts)));
  out->set_judged_state(std::string(ToString(status.state)));
  out->set_score(status.score);
  if (!status.evidence.empty()) out->add_evidence(status.evidence);
  if (!status.worst.empty() && status.worst != status.evidence) out->add_evidence(status.worst);
  out->set_rule(status.rule);
  out->set_remedy(row.remedy);
  if (status.since != Instant{}) Set(status.since, out->mutable_since());
  if (status.state != HealthState::kHealthy) Set(status.until, out->mutable_until());
  out->set_probing(status.is_probing());
  if (!override) return;
  out->mutable_override()->set_state(std::string(ToString(override->state)));
  if (override->until) Set(*override->until, out->mutable_override()->mutable_until());
  out->mutable_override()->set_reason(override->reason);
  out->mutable_override()->set_author(override->author);
}

void ToProto(const storage::StoredSignal& from, v1::ReputationSignal* out) {
  out->set_source(from.source);
  out->set_sender_domain(from.sender_domain);
  out->set_provider(from.provider);
  out->set_name(from.name);
  out->set_verdict(from.verdict);
  out->set_value(from.value);
  out->set_detail(from.detail);
  Set(from.checked_at, out->mutable_checked_at());
  Set(from.changed_at, out->mutable_changed_at());
  out->set_failure(from.failure);
  if (from.failed_at) Set(*from.failed_at, out->mutable_failed_at());
}

void ToProto(const storage::TallyCount& from, v1::ReplyCount* out) {
  out->set_source(from.source);
  out->set_provider(from.provider);
  out->set_tenant(from.tenant);
  out->set_kind(from.kind);
  out->set_reply_class(from.reply_class);
  out->set_rule(from.reply_rule);
  out->set_sender_domain(from.sender_domain);
  out->set_count(from.count);
  Set(from.last_at, out->mutable_last_at());
  out->set_last_reply(from.last_reply);
}

}  // namespace

absl::Status ListReputation(ReputationAdmin& admin, const v1::ListReputationRequest& request,
                            v1::ListReputationResponse* response) {
  const ReputationQuery query{.source = request.source(),
                              .provider = request.provider(),
                              .tenant = request.tenant(),
                              .sender_domain = request.sender_domain(),
                              .with_replies = request.with_replies()};
  ASSIGN_OR_RETURN(const auto listed, admin.List(query, {request.page_size(), request.page_token()}));
  for (const auto& row : listed.rows) ToProto(row, response->add_health());
  for (const auto& signal : listed.signals) ToProto(signal, response->add_signals());
  for (const auto& count : listed.replies) ToProto(count, response->add_replies());
  response->set_next_page_token(listed.next_page_token);
  return absl::OkStatus();
}

absl::Status OverrideHealth(ReputationAdmin& admin, std::string actor, const v1::OverrideHealthRequest& request,
                            v1::OverrideHealthResponse* response) {
  const v1::Health& health = request.health();
  OverrideOrder order{.subject = {.source = health.source(),
                                  .tenant = health.tenant(),
                                  .sender_domain = health.sender_domain(),
                                  .provider = health.provider()},
                      .reason = request.reason(),
                      .author = std::move(actor)};
  if (!health.state().empty()) {
    order.state = ParseHealthState(health.state());
    if (!order.state) {
      return wire::FieldError("health.state", Cat(Quoted(health.state()),
                                                  " is no state; write healthy, watch, throttled, suspended or quarantined, or "
                                                  "nothing to lift the override"));
    }
  }
  if (request.has_until()) order.until = FromMicros(TimeUtil::TimestampToMicroseconds(request.until()));
  ASSIGN_OR_RETURN(const auto done, admin.OverrideHealth(order));
  ToProto(done.row, response->mutable_health());
  for (const std::string& name : done.not_acknowledged) response->add_not_acknowledged(name);
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
