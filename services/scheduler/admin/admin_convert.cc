#include "scheduler/admin/admin_convert.h"

#include <google/protobuf/util/time_util.h>

#include <charconv>

#include "base/text.h"
#include "wire/policy_convert.h"
#include "wire/status.h"

namespace sluice::scheduler {
void SetTime(Instant at, google::protobuf::Timestamp* out) {
  *out = google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(ToMicros(at));
}

void ToProto(const std::vector<PolicyFinding>& from,
             google::protobuf::RepeatedPtrField<v1::PolicyFinding>* out) {
  for (const PolicyFinding& finding : from) {
    v1::PolicyFinding* added = out->Add();
    added->set_path(finding.path);
    added->set_description(finding.description);
    added->set_error(finding.is_error);
  }
}

void ToProto(const storage::PolicyRevision& from, v1::PolicyRevision* out) {
  out->set_revision(from.revision);
  SetTime(from.applied_at, out->mutable_applied_at());
  out->set_author(from.author);
  out->set_reason(from.reason);
}

void ToProto(const storage::ApiKey& from, v1::ApiKey* out) {
  out->set_key_id(from.id);
  out->set_tenant(from.tenant);
  out->set_label(from.label);
  SetTime(from.created_at, out->mutable_created_at());
  if (from.revoked_at) SetTime(*from.revoked_at, out->mutable_revoked_at());
  if (from.limits.none()) return;
  out->mutable_limits()->set_messages_per_second(from.limits.messages_per_second);
  out->mutable_limits()->set_bytes_per_second(from.limits.bytes_per_second);
  out->mutable_limits()->set_message_bytes(from.limits.message_bytes);
}

storage::KeyLimits FromProto(const v1::ApiKeyLimits& limits) {
  return {.messages_per_second = limits.messages_per_second(),
          .bytes_per_second = limits.bytes_per_second(),
          .message_bytes = limits.message_bytes()};
}

void ToProto(const SourceState& from, v1::SourceStatus* out) {
  out->set_source(from.source);
  out->set_address(from.address);
  out->set_bind(from.bind);
  out->set_ehlo(from.ehlo);
  out->set_egress_id(from.egress);
  out->set_epoch(from.epoch);
  out->set_state(from.state);
  out->set_detail(from.detail);
}

void ToProto(const SystemStatus& from, v1::GetStatusResponse* out) {
  out->set_policy_revision(from.policy_revision);
  for (const SchedulerState& scheduler : from.schedulers) {
    v1::SchedulerStatus* added = out->add_schedulers();
    added->set_scheduler_id(scheduler.id);
    added->set_endpoint(scheduler.endpoint);
    added->set_control(scheduler.control);
    if (scheduler.entries) added->set_entries(*scheduler.entries);
    if (scheduler.in_flight) added->set_in_flight(*scheduler.in_flight);
    added->set_policy_revision(scheduler.policy_revision);
  }
  for (const storage::ServiceNode& ingest : from.ingests) {
    v1::IngestStatus* added = out->add_ingests();
    added->set_ingest_id(ingest.id);
    added->set_endpoint(ingest.endpoint);
    added->set_policy_revision(ingest.policy_revision);
  }
  for (const storage::Lease& lease : from.shards) {
    v1::ShardStatus* added = out->add_shards();
    added->set_shard(lease.shard);
    added->set_owner(lease.owner);
    added->set_epoch(lease.epoch);
    if (!lease.owner.empty()) SetTime(lease.expires_at, added->mutable_expires_at());
  }
  for (const LiveSnapshot::Egress& egress : from.egresses) {
    v1::EgressStatus* added = out->add_egresses();
    added->set_egress_id(egress.id);
    added->set_version(egress.version);
    added->set_connected(egress.connected);
    added->set_in_flight(egress.in_flight);
    SetTime(from.answered_at - egress.silent, added->mutable_last_heartbeat_at());
  }
  for (const SourceState& source : from.sources) ToProto(source, out->add_sources());
  for (const storage::QueueGroup& group : from.queue) {
    v1::ProviderQueue* added = out->add_queue();
    added->set_provider(group.name);
    added->set_entries(group.entries);
    SetTime(group.oldest_accepted_at, added->mutable_oldest_accepted_at());
  }
}

void ToProto(const Constraint& from, v1::Constraint* out) {
  out->set_constraint_id(Cat(from.id));
  v1::Match* scope = out->mutable_scope();
  scope->set_source(from.scope.source);
  scope->set_provider(from.scope.provider);
  scope->set_pool(from.scope.pool);
  scope->set_tenant(from.scope.tenant);
  scope->set_stream(from.scope.stream);
  scope->set_campaign(from.scope.campaign);
  scope->set_domain(from.scope.domain);
  scope->set_site(from.scope.site);
  scope->set_sender_domain(from.scope.sender_domain);
  out->set_cause(std::string(ToString(from.cause)));
  out->set_rule(from.rule);
  out->set_value(ToString(from.value));
  out->set_evidence(from.evidence);
  SetTime(from.since, out->mutable_since());
  if (from.until) SetTime(*from.until, out->mutable_until());
  out->set_author(from.author);
}

// A constraint is about sending: what only a reply or a header says is no scope.
absl::StatusOr<Scope> ScopeOf(const v1::Match& from) {
  if (from.tags_size() > 0 || !from.reply().empty() || !from.reply_class().empty()) {
    return wire::FieldError("scope", "takes source, provider, pool, tenant, stream, campaign, domain, site and sender_domain only");
  }
  return ScopeOf(wire::FromProto(from));
}

Instant TimeOf(const google::protobuf::Timestamp& at) {
  return FromMicros(google::protobuf::util::TimeUtil::TimestampToMicroseconds(at));
}

absl::StatusOr<int64_t> IdOf(const std::string& text) {
  int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error == std::errc() && end == text.data() + text.size() && id > 0) return id;
  return wire::FieldError("constraint_id", Cat(Quoted(text), " is no id; `sluicectl constraints` lists them"));
}

}  // namespace sluice::scheduler
