#include "egress/convert.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.h"
#include "mail/utf8.h"
#include "smtp/dsn_request.h"
#include "wire/policy_convert.h"
#include "wire/stage_times.h"

namespace sluice::egress {
namespace {

constexpr size_t kMostReplyTextBytes = 1024;

v1::Disposition ToProto(Disposition disposition) {
  switch (disposition) {
    case Disposition::kDelivered:
      return v1::DISPOSITION_DELIVERED;
    case Disposition::kDeferred:
      return v1::DISPOSITION_DEFERRED;
    case Disposition::kBounced:
      return v1::DISPOSITION_BOUNCED;
  }
  return v1::DISPOSITION_UNSPECIFIED;
}

v1::Stage ToProto(Stage stage) {
  switch (stage) {
    case Stage::kLocal:
      return v1::STAGE_LOCAL;
    case Stage::kDns:
      return v1::STAGE_DNS;
    case Stage::kConnect:
      return v1::STAGE_CONNECT;
    case Stage::kBanner:
      return v1::STAGE_BANNER;
    case Stage::kEhlo:
      return v1::STAGE_EHLO;
    case Stage::kStarttls:
      return v1::STAGE_STARTTLS;
    case Stage::kAuth:
      return v1::STAGE_AUTH;
    case Stage::kMail:
      return v1::STAGE_MAIL;
    case Stage::kRcpt:
      return v1::STAGE_RCPT;
    case Stage::kData:
      return v1::STAGE_DATA;
    case Stage::kBody:
      return v1::STAGE_BODY;
  }
  return v1::STAGE_UNSPECIFIED;
}

uint64_t Raw(int64_t id) { return static_cast<uint64_t>(id); }

void FillReply(const SmtpReply& reply, v1::Reply& out) {
  out.set_code(reply.code);
  if (reply.enhanced.has_value()) out.set_enhanced_status(ToString(*reply.enhanced));
  AppendSanitised(*out.mutable_text(), reply.text, kMostReplyTextBytes);
}

void FillReport(const NumberedReport& numbered, v1::AttemptReport& out) {
  const Report& report = *numbered.report;
  out.set_queue_entry_id(Raw(report.entry.value()));
  out.set_message_id(Raw(report.message.value()));
  out.set_attempt_id(report.attempt_id);
  out.set_report_number(numbered.number);
  out.set_rcpt_sent(report.rcpt_sent);
  v1::Attempt& attempt = *out.mutable_attempt();
  attempt.set_number(report.attempt);
  attempt.set_disposition(ToProto(report.disposition));
  attempt.set_stage(ToProto(report.stage));
  FillReply(report.reply, *attempt.mutable_reply());
  if (report.reply_class != ReplyClass::kNone) {
    const std::string_view name = ToString(report.reply_class);
    attempt.set_reply_class(name.data(), name.size());
  }
  attempt.set_source(report.source.value());
  attempt.set_mx_host(report.mx_host);
  attempt.set_mx_address(report.mx_address);
  if (!report.tls_version.empty()) {
    attempt.mutable_tls()->set_version(report.tls_version);
    attempt.mutable_tls()->set_cipher(report.tls_cipher);
    attempt.mutable_tls()->set_verified(report.tls_verified);
    attempt.mutable_tls()->set_detail(report.tls_detail);
  }
  attempt.set_started_at_micros(ToMicros(report.started_at));
  attempt.set_duration_micros(report.duration.count());
  attempt.set_possible_duplicate(report.possible_duplicate);
  out.set_retry_after_micros(report.retry_after.count());
  *attempt.mutable_times() = wire::ToProto(report.times);
}

void FillInventory(const Inventory& inventory, v1::Inventory& out) {
  for (const QueueEntryId id : inventory.begun) out.add_begun(Raw(id.value()));
  for (const QueueEntryId id : inventory.reported) out.add_reported(Raw(id.value()));
  out.set_complete(inventory.is_complete);
}

}  // namespace

ContentPart FromProto(v1::ContentChunk& chunk, std::string spare) {
  ContentPart part;
  v1::MessageContent& content = *chunk.mutable_content();
  part.is_last = chunk.last();
  ContentFields& fields = part.fields;
  fields.id = MessageId(static_cast<int64_t>(chunk.message_id()));
  fields.encoding = content.encoding() == v1::CONTENT_ENCODING_LZ4 ? ContentEncoding::kLz4
                                                                   : ContentEncoding::kIdentity;
  fields.data = std::exchange(*content.mutable_data(), std::move(spare));
  fields.size_bytes = content.size_bytes() < 0 ? 0 : static_cast<size_t>(content.size_bytes());
  fields.prepended_headers = std::move(*content.mutable_prepended_headers());
  fields.return_path = std::move(*chunk.mutable_return_path());
  fields.has_8bit = content.has_8bit();
  fields.needs_smtputf8 = content.needs_smtputf8();
  fields.has_merge = content.merge();
  fields.dsn_envelope_id = std::move(*content.mutable_dsn_envelope_id());
  fields.dsn_return = DsnReturnOf(content.dsn_return());
  return part;
}

EntryPtr FromProto(v1::Release& release, std::shared_ptr<Session> session) {
  auto entry = std::make_unique<Entry>();
  entry->id = QueueEntryId(static_cast<int64_t>(release.queue_entry_id()));
  entry->message = MessageId(static_cast<int64_t>(release.message_id()));
  entry->attempt_id = release.attempt_id();
  entry->attempt = release.attempt();
  entry->recipient = std::move(*release.mutable_recipient());
  entry->has_utf8_address = !IsAscii(entry->recipient);
  entry->source = SourceName(std::move(*release.mutable_source()));
  entry->provider = Provider(std::move(*release.mutable_provider()));
  entry->site = SiteName(std::move(*release.mutable_site()));
  entry->mx_hosts.reserve(static_cast<size_t>(release.mx_hosts_size()));
  for (std::string& host : *release.mutable_mx_hosts()) entry->mx_hosts.push_back(std::move(host));
  entry->is_high = release.priority() == v1::PRIORITY_HIGH;
  entry->not_after = FromMicros(release.not_after_micros());
  entry->one_rcpt = release.one_rcpt();
  for (auto& [name, value] : *release.mutable_merge_values()) {
    entry->merge_values.emplace(name, std::move(value));
  }
  for (const int value : release.dsn_notify()) entry->dsn_notify |= DsnNotifyBit(value);
  entry->tenant = TenantName(std::move(*release.mutable_tenant()));
  entry->stream = StreamName(std::move(*release.mutable_stream()));
  entry->campaign = CampaignName(std::move(*release.mutable_campaign()));
  entry->pool = PoolName(std::move(*release.mutable_pool()));
  entry->traceparent = std::move(*release.mutable_traceparent());
  if (release.has_smart_host()) {
    auto host = std::make_shared<SmartHostPolicy>();
    host->name = release.smart_host().name();
    host->port = release.smart_host().port();
    host->user = release.smart_host().user();
    host->password_file = release.smart_host().password_file();
    host->tls = ParseTlsMode(release.smart_host().tls()).value_or(TlsMode::kVerified);
    entry->smart_host = std::move(host);
  }
  entry->session = std::move(session);
  return entry;
}

std::vector<AssignedSource> FromProto(const v1::Assignment& assignment) {
  std::vector<AssignedSource> sources;
  for (const v1::AssignedSource& from : assignment.sources()) {
    AssignedSource source;
    source.name = SourceName(from.name());
    source.bind_address = from.bind_address();
    source.ehlo = from.ehlo();
    source.epoch = from.epoch();
    source.proxy = ParseProxyAddress(from.proxy());
    source.pools.assign(from.pools().begin(), from.pools().end());
    sources.push_back(std::move(source));
  }
  return sources;
}

std::vector<SigningKey> FromProto(const v1::SigningKeys& keys) {
  std::vector<SigningKey> out;
  for (const v1::SigningKey& from : keys.keys()) {
    out.push_back({.tenant = from.tenant(),
                   .domain = from.domain(),
                   .selector = from.selector(),
                   .key = from.key(),
                   .algorithm = from.algorithm()});
  }
  return out;
}

LimitBook FromProto(const v1::Shaping& shaping) {
  std::vector<PlacedRule> rules;
  for (const v1::PlacedRule& from : shaping.rules()) {
    // What control has checked reads; a value that this version does not know is left out.
    PlacedRule placed{.index = from.index(), .rule = {}};
    wire::FromProto(from.rule(), &placed.rule);
    rules.push_back(std::move(placed));
  }
  std::vector<Constraint> constraints;
  for (const v1::LimitingConstraint& from : shaping.constraints()) {
    const auto value = ParseConstraintValue(from.value());
    if (!value.ok()) continue;
    Constraint constraint;
    constraint.id = from.constraint_id();
    constraint.scope = {.source = from.scope().source(),
                        .provider = from.scope().provider(),
                        .pool = from.scope().pool(),
                        .site = from.scope().site()};
    constraint.cause = ParseConstraintCause(from.cause()).value_or(ConstraintCause::kShaping);
    constraint.value = *value;
    if (from.until_micros() != 0) constraint.until = FromMicros(from.until_micros());
    constraints.push_back(std::move(constraint));
  }
  return LimitBook(std::move(rules), std::move(constraints));
}

std::vector<ReplyRule> ReplyRulesOf(const v1::Shaping& shaping) {
  std::vector<ReplyRule> out;
  for (const v1::ReplyRule& from : shaping.reply_rules()) out.push_back(wire::FromProto(from));
  return out;
}

v1::DeliverRequest ToProto(const DeliverBatch& batch) {
  v1::DeliverRequest request;
  if (batch.inventory.has_value()) FillInventory(*batch.inventory, *request.mutable_inventory());
  for (const QueueEntryId id : batch.begun) request.add_begun(Raw(id.value()));
  for (const NumberedReport& report : batch.reports) FillReport(report, *request.add_reports());
  for (const Return& returned : batch.returns) {
    v1::Return& out = *request.add_returns();
    out.set_queue_entry_id(Raw(returned.entry.value()));
    out.set_attempt_id(returned.attempt_id);
    const std::string_view reason = ToString(returned.reason);
    out.set_reason(reason.data(), reason.size());
    out.set_detail(returned.detail);
  }
  for (const MessageId id : batch.content_needed) request.add_content_needed(Raw(id.value()));
  return request;
}

v1::AssignmentResult ToProto(const BindResult& result) {
  v1::AssignmentResult out;
  out.set_source(result.source.value());
  out.set_epoch(result.epoch);
  out.set_bound(result.status.ok());
  if (!result.status.ok()) out.set_error(std::string(View(result.status.message())));
  return out;
}

std::vector<PlacedAutomation> AutomationOf(const v1::Shaping& shaping) {
  std::vector<PlacedAutomation> out;
  for (const v1::PlacedAutomation& from : shaping.automation()) {
    PlacedAutomation placed{.index = from.index(), .rule = {}};
    wire::FromProto(from.rule(), &placed.rule);
    out.push_back(std::move(placed));
  }
  return out;
}

v1::Reactions ToProto(const std::vector<NumberedReaction>& reactions) {
  v1::Reactions message;
  for (const auto& [number, reaction] : reactions) {
    v1::Reaction& out = *message.add_reactions();
    out.set_number(number);
    out.mutable_scope()->set_source(reaction.scope.source);
    out.mutable_scope()->set_provider(reaction.scope.provider);
    out.mutable_scope()->set_site(reaction.scope.site);
    out.mutable_scope()->set_tenant(reaction.scope.tenant);
    out.mutable_scope()->set_campaign(reaction.scope.campaign);
    out.mutable_scope()->set_domain(reaction.scope.domain);
    out.set_cause(std::string(ToString(reaction.cause)));
    out.set_rule(reaction.rule);
    out.set_value(ToString(reaction.value));
    AppendSanitised(*out.mutable_evidence(), reaction.evidence, kMostReplyTextBytes);
    if (reaction.until) out.set_until_micros(reaction.until->time_since_epoch().count());
  }
  return message;
}

v1::ShareUses ToProto(const std::vector<HeldUse>& uses) {
  v1::ShareUses message;
  for (const auto& [holder, use] : uses) {
    v1::ShareUse& out = *message.add_uses();
    out.set_holder(holder);
    out.set_limit(use.limit);
    out.set_used(use.used);
    out.set_wants(use.wants);
    if (use.lowered_to) out.set_lowered_to(*use.lowered_to);
  }
  return message;
}

std::vector<HeldShare> FromProto(const v1::Shares& shares) {
  std::vector<HeldShare> out;
  for (const v1::Share& share : shares.shares()) {
    out.push_back({.holder = share.holder(),
                   .share = {.limit = share.limit(), .most = share.most(), .target = share.target(), .of = share.granted_of()}});
  }
  return out;
}

v1::Rooms ToProto(std::span<const RoomFor> rooms) {
  v1::Rooms message;
  for (const RoomFor& room : rooms) {
    v1::Room& out = *message.add_rooms();
    out.set_source(room.source.value());
    out.set_provider(room.provider.value());
    out.set_site(room.site.value());
    if (room.most_in_flight) out.set_most_in_flight(*room.most_in_flight);
  }
  return message;
}

v1::TlsResults ToProto(const std::vector<TlsResults::Counted>& results) {
  v1::TlsResults message;
  for (const auto& [result, count] : results) {
    v1::TlsResult& out = *message.add_results();
    out.set_day(result.day);
    out.set_domain(result.domain);
    out.set_report_to(result.report_to);
    out.set_policy_type(std::string(ToString(result.policy)));
    out.set_policy_text(result.policy_text);
    out.set_failure(std::string(ToString(result.failure)));
    out.set_source_address(result.source_address);
    out.set_mx_host(result.mx_host);
    out.set_mx_address(result.mx_address);
    AppendSanitised(*out.mutable_detail(), result.detail, TlsResults::kMostDetailBytes);
    out.set_sessions(count);
  }
  return message;
}

std::vector<TraceFilter> FromProto(const v1::TraceOrder& order) {
  std::vector<TraceFilter> filters;
  for (const v1::TraceFilter& filter : order.filters()) {
    filters.push_back({.source = filter.source(), .domain = filter.domain()});
  }
  return filters;
}

v1::TraceLines ToProto(const std::deque<TracedLine>& lines, int64_t dropped) {
  v1::TraceLines out;
  out.set_dropped(dropped);
  for (const TracedLine& line : lines) {
    v1::TraceLine& added = *out.add_lines();
    added.set_at_micros(ToMicros(line.at));
    added.set_connection(line.subject.connection);
    added.set_source(line.subject.source);
    added.set_domain(line.subject.domain);
    added.set_mx_host(line.subject.mx_host);
    added.set_mx_address(line.subject.mx_address);
    added.set_direction(line.direction == TraceDirection::kSent ? v1::TRACE_DIRECTION_SENT
                        : line.direction == TraceDirection::kReceived
                            ? v1::TRACE_DIRECTION_RECEIVED
                            : v1::TRACE_DIRECTION_NOTE);
    added.set_text(line.text);
  }
  return out;
}

}  // namespace sluice::egress
