#include "wire/policy_convert.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "absl/strings/str_format.h"
#include "base/text.h"
#include "policy/check.h"
#include "sluice/v1/policy.pb.h"

namespace sluice::wire {
namespace {

std::string RateText(const std::optional<Rate>& rate) {
  return rate ? ToString(*rate) : std::string();
}
std::string DurationText(const std::optional<Duration>& d) {
  return d ? ToString(*d) : std::string();
}

std::string LifeText(const SuppressionLife& life) {
  return !life.is_on ? "off" : life.age ? ToString(*life.age) : "forever";
}

std::string DateText(std::chrono::sys_days days) {
  const std::chrono::year_month_day date(days);
  return absl::StrFormat("%04d-%02u-%02u", static_cast<int>(date.year()),
                         static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

void Convert(const TenantPolicy& from, v1::Tenant* out) {
  out->set_name(from.name);
  for (const std::string& stream : from.streams) out->add_streams(stream);
  for (const std::string& domain : from.sender_domains) out->add_sender_domains(domain);
  out->set_rate(RateText(from.rate));
  if (from.pending) out->set_pending(CountText(*from.pending));
  out->set_verp_domain(from.verp_domain);
  out->set_token_header(from.token_header);
  out->set_feedback_sender(from.feedback_sender);
  const SuppressionLife usual;
  const SuppressionLives& lives = from.suppress;
  if (lives.bounce != usual) out->mutable_suppress()->set_bounce(LifeText(lives.bounce));
  if (lives.complaint != usual) out->mutable_suppress()->set_complaint(LifeText(lives.complaint));
  if (lives.unsubscribe != usual) {
    out->mutable_suppress()->set_unsubscribe(LifeText(lives.unsubscribe));
  }
}

void Convert(const StreamPolicy& from, v1::Stream* out) {
  out->set_name(from.name);
  out->set_isolation(from.isolation);
  out->set_priority(std::string(ToString(from.priority)));
  out->set_expiry(ToString(from.expiry));
  out->set_retry_schedule(from.retry_schedule);
}

void Convert(const SourcePolicy& from, v1::Source* out) {
  out->set_name(from.name);
  out->set_address(from.address);
  if (from.bind != from.address) out->set_bind(from.bind);
  out->set_ehlo(from.ehlo);
  out->set_egress(from.egress);
  out->set_proxy(from.proxy);
  if (!from.warmup) return;
  out->mutable_warmup()->set_plan(from.warmup->plan);
  if (from.warmup->start) out->mutable_warmup()->set_start(DateText(*from.warmup->start));
  out->mutable_warmup()->set_stage(from.warmup->stage);
}

void Convert(const PoolPolicy& from, v1::Pool* out) {
  out->set_name(from.name);
  out->set_overflow(from.overflow);
  for (const PoolMember& member : from.members) {
    v1::PoolMember* added = out->add_members();
    added->set_source(member.source);
    added->set_weight(member.weight);
    added->set_reserve(member.reserve);
  }
}

void Convert(const RouteRule& from, v1::Route* out) {
  ToProto(from.match, out->mutable_match());
  out->set_pool(from.pool);
  out->set_smart_host(from.smart_host);
}

void Convert(const SmartHostPolicy& from, v1::SmartHost* out) {
  out->set_name(from.name);
  for (const std::string& host : from.hosts) out->add_hosts(host);
  out->set_port(from.port);
  out->set_user(from.user);
  out->set_password_file(from.password_file);
  out->set_tls(std::string(ToString(from.tls)));
}

void Convert(const ShapingRule& from, v1::ShapingRule* out) {
  ToProto(from.match, out->mutable_match());
  if (from.connections) out->set_connections(*from.connections);
  if (from.source_connections) out->set_source_connections(*from.source_connections);
  if (from.connections_per_address) out->set_connections_per_address(*from.connections_per_address);
  out->set_idle_timeout(DurationText(from.idle_timeout));
  if (from.messages_per_connection) out->set_messages_per_connection(*from.messages_per_connection);
  if (from.recipients_per_transaction) {
    out->set_recipients_per_transaction(*from.recipients_per_transaction);
  }
  out->set_rate(RateText(from.rate));
  out->set_connection_rate(RateText(from.connection_rate));
  out->set_bytes_rate(RateText(from.bytes_rate));
  if (from.tls) out->set_tls(std::string(ToString(*from.tls)));
  if (from.ipv6) out->set_ipv6(std::string(ToString(*from.ipv6)));
  out->set_retry_schedule(from.retry_schedule);
}

void Convert(const AutomationRule& from, v1::AutomationRule* out) {
  ToProto(from.match, out->mutable_match());
  out->set_when(RateText(from.when));
  out->set_suspend(DurationText(from.suspend));
  out->set_slow_to(from.slow_to);
  if (from.connections) out->set_connections(*from.connections);
  if (from.transcode) out->set_transcode(*from.transcode);
  out->set_retry_after(DurationText(from.retry_after));
  out->set_scope(std::string(ToString(from.scope)));
}

void Convert(const RetrySchedule& from, v1::RetrySchedule* out) {
  out->set_name(from.name);
  for (const Duration wait : from.waits) out->add_waits(ToString(wait));
  for (const ReplyClass reply_class : from.reply_classes) {
    out->add_reply_classes(std::string(ToString(reply_class)));
  }
}

void Convert(const WarmupPlan& from, v1::WarmupPlan* out) {
  out->set_name(from.name);
  for (const WarmupPlan::StageCaps& stage : from.stages) {
    auto* added = out->add_stages();
    for (const auto& [provider, cap] : stage) (*added->mutable_caps())[provider] = cap;
  }
}

void Convert(const DkimKey& from, v1::DkimKey* out) {
  out->set_domain(from.domain);
  out->set_selector(from.selector);
  out->set_key(from.key);
  out->set_algorithm(from.algorithm);
}

void Convert(const HealthRulePolicy& from, v1::HealthRule* out) {
  out->set_rule(from.rule);
  out->set_disabled(from.disabled);
  out->set_over(DurationText(from.over));
  out->set_rest(DurationText(from.rest));
  out->set_longest_rest(DurationText(from.longest_rest));
  out->set_probe_every(DurationText(from.probe_every));
  if (from.least) out->set_least(*from.least);
  if (from.probes) out->set_probes(*from.probes);
  if (from.share) out->set_share(*from.share);
  if (from.slow_to) out->set_slow_to(*from.slow_to);
}

void Convert(const ProviderRule& from, v1::ProviderRule* out) {
  out->set_mx_suffix(from.mx_suffix);
  out->set_provider(from.provider);
}

void Convert(const ReplyRule& from, v1::ReplyRule* out) { ToProto(from, out); }

template <class From, class To>
void ConvertAll(const std::vector<From>& from, google::protobuf::RepeatedPtrField<To>* out) {
  for (const From& one : from) Convert(one, out->Add());
}

}  // namespace

void ToProto(const ReplyRule& from, v1::ReplyRule* out) {
  out->set_name(from.name);
  for (const std::string& provider : from.providers) out->add_providers(provider);
  out->set_pattern(from.pattern);
  if (from.code_from == from.code_to) {
    out->set_code(Cat(from.code_from));
  } else if (from.code_to - from.code_from == 99) {
    out->set_code(Cat(from.code_from / 100, "xx"));
  }
  for (const Stage stage : from.stages) out->add_stages(std::string(ToString(stage)));
  out->set_reply_class(std::string(ToString(from.reply_class)));
  if (from.scope) out->set_scope(std::string(ToString(*from.scope)));
  if (from.disposition) out->set_disposition(std::string(ToString(*from.disposition)));
}

void ToProto(const Match& from, v1::Match* out) {
  out->set_tenant(from.tenant);
  out->set_stream(from.stream);
  out->set_campaign(from.campaign);
  out->set_provider(from.provider);
  out->set_site(from.site);
  out->set_domain(from.domain);
  out->set_sender_domain(from.sender_domain);
  for (const auto& [name, value] : from.tags) (*out->mutable_tags())[name] = value;
  out->set_source(from.source);
  out->set_pool(from.pool);
  out->set_reply(from.reply);
  out->set_reply_class(from.reply_class);
}

void ToProto(const ShapingRule& from, v1::ShapingRule* out) { Convert(from, out); }
void ToProto(const AutomationRule& from, v1::AutomationRule* out) { Convert(from, out); }

void ToProto(const PolicyDocument& from, v1::Policy* out) {
  out->Clear();
  ConvertAll(from.tenants, out->mutable_tenants());
  ConvertAll(from.streams, out->mutable_streams());
  ConvertAll(from.sources, out->mutable_sources());
  ConvertAll(from.pools, out->mutable_pools());
  ConvertAll(from.routes, out->mutable_routes());
  ConvertAll(from.smart_hosts, out->mutable_smart_hosts());
  ConvertAll(from.shaping, out->mutable_shaping());
  ConvertAll(from.automation, out->mutable_automation());
  ConvertAll(from.retry_schedules, out->mutable_retry_schedules());
  ConvertAll(from.warmup_plans, out->mutable_warmup_plans());
  ConvertAll(from.dkim_keys, out->mutable_dkim_keys());
  ConvertAll(from.providers, out->mutable_providers());
  ConvertAll(from.reply_rules, out->mutable_reply_rules());
  ConvertAll(from.health, out->mutable_health());
  for (const std::string& header : from.tag_headers) out->add_tag_headers(header);
  out->mutable_retention()->set_events(ToString(from.event_retention));
}

std::vector<PolicyFinding> ValidatePolicy(const v1::Policy& policy, PolicyDocument* out) {
  std::vector<PolicyFinding> findings = FromProto(policy, out);
  std::vector<PolicyFinding> more = CheckPolicy(*out);
  findings.insert(findings.end(), more.begin(), more.end());
  return findings;
}

bool HasErrors(const std::vector<PolicyFinding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const PolicyFinding& f) { return f.is_error; });
}

absl::StatusOr<std::string> PolicyToJson(const v1::Policy& policy) {
  std::string out;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  const auto status = google::protobuf::util::MessageToJsonString(policy, &out, options);
  if (!status.ok())
    return absl::InvalidArgumentError(Cat("not writable as JSON: ", status.ToString()));
  return out;
}

absl::Status PolicyFromJson(std::string_view json, v1::Policy* out) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto status = google::protobuf::util::JsonStringToMessage(std::string(json), out, options);
  if (!status.ok())
    return absl::InvalidArgumentError(Cat("not a policy in JSON: ", status.ToString()));
  return absl::OkStatus();
}

absl::StatusOr<PolicyDocument> PolicyDocumentFromJson(std::string_view json) {
  v1::Policy policy;
  if (const absl::Status parsed = PolicyFromJson(json, &policy); !parsed.ok()) return parsed;
  PolicyDocument out;
  const std::vector<PolicyFinding> findings = FromProto(policy, &out);
  if (!findings.empty()) {
    return absl::InvalidArgumentError(Cat(findings[0].path, ": ", findings[0].description));
  }
  return out;
}

absl::StatusOr<std::string> PolicyDocumentToJson(const PolicyDocument& policy) {
  v1::Policy proto;
  ToProto(policy, &proto);
  return PolicyToJson(proto);
}

}  // namespace sluice::wire
