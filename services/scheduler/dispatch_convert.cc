#include "scheduler/dispatch_convert.h"

#include <algorithm>

#include "base/text.h"
#include "wire/policy_convert.h"
#include "wire/stage_times.h"

namespace sluice::scheduler {
namespace {

constexpr size_t kChunkBytes = 256 << 10;

// STAGE_BODY → body, as the schema spells it.
std::string StageName(v1::Stage stage) {
  std::string name = v1::Stage_Name(stage);
  if (name.starts_with("STAGE_")) name.erase(0, 6);
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return name;
}

// A day: beyond it an egress is mistaken.
constexpr int64_t kMostRetryAfterMicros = 86'400'000'000;

AttemptReport ReportFrom(v1::AttemptReport& from) {
  v1::Attempt& attempt = *from.mutable_attempt();
  AttemptReport out;
  out.entry_id = static_cast<int64_t>(from.queue_entry_id());
  out.message_id = static_cast<int64_t>(from.message_id());
  out.attempt_id = static_cast<int64_t>(from.attempt_id());
  out.number = from.report_number();
  out.attempt = attempt.number();
  out.disposition = attempt.disposition();
  out.stage = StageName(attempt.stage());
  out.source = std::move(*attempt.mutable_source());
  out.mx_host = std::move(*attempt.mutable_mx_host());
  out.mx_address = std::move(*attempt.mutable_mx_address());
  out.enhanced_status = std::move(*attempt.mutable_reply()->mutable_enhanced_status());
  out.reply = std::move(*attempt.mutable_reply()->mutable_text());
  out.reply_code = attempt.reply().code();
  out.reply_class = std::move(*attempt.mutable_reply_class());
  if (const v1::TlsFacts& tls = attempt.tls(); !tls.version().empty()) {
    const std::string_view proved = tls.verified() ? "verified" : std::string_view(tls.detail());
    out.tls = Cat(tls.version(), " ", tls.cipher(), proved.empty() ? "" : " ", proved);
  }
  out.started_at = FromMicros(attempt.started_at_micros());
  out.duration_micros = attempt.duration_micros();
  out.times = ToString(wire::FromProto(attempt.times()));
  out.possible_duplicate = attempt.possible_duplicate();
  out.retry_after = Duration(std::clamp<int64_t>(from.retry_after_micros(), 0, kMostRetryAfterMicros));
  out.rcpt_sent = from.rcpt_sent();
  return out;
}

std::string HolderPrefix(const std::string& egress) { return Cat("egress ", egress, "/"); }

void FillContent(const Content& content, v1::MessageContent& out) {
  out.set_encoding(static_cast<v1::ContentEncoding>(content.encoding));
  out.set_size_bytes(content.size_bytes);
  out.set_prepended_headers(content.prepended_headers);
  out.set_has_8bit(content.has_8bit);
  out.set_needs_smtputf8(content.needs_smtputf8);
  out.set_merge(content.merge);
  out.set_dsn_envelope_id(content.dsn_envelope_id);
  out.set_dsn_return(content.dsn_return);
}

void AddContent(const Content& content, v1::DeliverResponse& response) {
  size_t offset = 0;
  do {
    v1::ContentChunk& chunk = *response.add_contents();
    chunk.set_message_id(static_cast<uint64_t>(content.message_id));
    if (offset == 0) {
      FillContent(content, *chunk.mutable_content());
      chunk.set_return_path(content.return_path);
    }
    const size_t size = std::min(kChunkBytes, content.data.size() - offset);
    chunk.mutable_content()->set_data(content.data.data() + offset, size);
    offset += size;
    chunk.set_last(offset == content.data.size());
  } while (offset < content.data.size());
}

void AddRelease(ReleasedEntry& entry, v1::Release& out) {
  out.set_queue_entry_id(static_cast<uint64_t>(entry.entry_id));
  out.set_message_id(static_cast<uint64_t>(entry.message_id));
  out.set_attempt_id(static_cast<uint64_t>(entry.attempt_id));
  out.set_attempt(entry.attempt);
  out.set_recipient(std::move(entry.payload.recipient));
  out.set_source(std::move(entry.source));
  out.set_provider(std::move(entry.provider));
  out.set_site(std::move(entry.site));
  for (std::string& host : entry.mx_hosts) out.add_mx_hosts(std::move(host));
  out.set_priority(static_cast<v1::Priority>(entry.priority));
  out.set_not_after_micros(ToMicros(entry.not_after));
  if (entry.one_rcpt) out.set_one_rcpt(true);
  for (auto& [name, value] : entry.payload.merge_values) (*out.mutable_merge_values())[name] = std::move(value);
  for (const int notify : entry.payload.dsn_notify) out.add_dsn_notify(notify);
  if (!entry.payload.traceparent.empty()) out.set_traceparent(std::move(entry.payload.traceparent));
  out.set_tenant(std::move(entry.tenant));
  out.set_stream(std::move(entry.stream));
  out.set_campaign(std::move(entry.campaign));
  out.set_pool(std::move(entry.pool));
  if (const SmartHostPolicy* host = entry.smart_host.get()) {
    v1::SmartHost& to = *out.mutable_smart_host();
    to.set_name(host->name);
    to.set_port(host->port);
    to.set_user(host->user);
    to.set_password_file(host->password_file);
    to.set_tls(std::string(ToString(host->tls)));
  }
}

}  // namespace

std::vector<RoomAt> FromProto(const v1::Rooms& rooms) {
  std::vector<RoomAt> out;
  for (const v1::Room& room : rooms.rooms()) {
    RoomAt& to = out.emplace_back(RoomAt{room.source(), room.provider(), room.site(), std::nullopt});
    if (room.has_most_in_flight()) to.most = std::max<int64_t>(room.most_in_flight(), 0);
  }
  return out;
}

std::vector<Constraint> FromProto(const v1::Reactions& reactions, const std::string& egress, Instant now) {
  std::vector<Constraint> out;
  for (const v1::Reaction& from : reactions.reactions()) {
    Constraint& to = out.emplace_back();
    const auto cause = ParseConstraintCause(from.cause());
    to.cause = cause == ConstraintCause::kAimd ? ConstraintCause::kAimd : ConstraintCause::kAutomation;
    to.scope = {.source = from.scope().source(),
                .provider = from.scope().provider(),
                .tenant = from.scope().tenant(),
                .campaign = from.scope().campaign(),
                .domain = from.scope().domain(),
                .site = from.scope().site()};
    to.rule = from.rule();
    // What does not read says nothing any more.
    if (const auto value = ParseConstraintValue(from.value()); value.ok()) to.value = *value;
    to.evidence = from.evidence();
    to.since = now;
    if (from.until_micros() != 0) to.until = FromMicros(from.until_micros());
    to.author = Cat("egress ", egress);
  }
  return out;
}

EgressHello FromProto(const v1::Hello& hello) {
  return {.egress_id = hello.egress_id(),
          .version = hello.version(),
          .incarnation = hello.incarnation(),
          .credit_entries = hello.credit_entries(),
          .credit_bytes = hello.credit_bytes(),
          .bind_addresses = {hello.bind_addresses().begin(), hello.bind_addresses().end()}};
}

DeliverInput FromProto(v1::DeliverRequest& request) {
  DeliverInput out;
  for (const uint64_t id : request.begun()) out.begun.push_back(static_cast<int64_t>(id));
  out.reports.reserve(static_cast<size_t>(request.reports_size()));
  for (v1::AttemptReport& report : *request.mutable_reports()) out.reports.push_back(ReportFrom(report));
  for (v1::Return& returned : *request.mutable_returns()) {
    out.returns.push_back({.entry_id = static_cast<int64_t>(returned.queue_entry_id()),
                           .attempt_id = static_cast<int64_t>(returned.attempt_id()),
                           .reason = std::move(*returned.mutable_reason()),
                           .detail = std::move(*returned.mutable_detail())});
  }
  for (const uint64_t id : request.content_needed()) out.content_needed.push_back(static_cast<int64_t>(id));
  for (const uint64_t id : request.inventory().begun()) out.inventory.push_back(static_cast<int64_t>(id));
  for (const uint64_t id : request.inventory().reported()) out.inventory.push_back(static_cast<int64_t>(id));
  out.inventory_complete = request.inventory().complete();
  return out;
}

void ToProto(DeliverBatch& batch, v1::DeliverResponse& response) {
  for (const auto& content : batch.contents) AddContent(*content, response);
  for (ReleasedEntry& entry : batch.releases) AddRelease(entry, *response.add_releases());
  if (batch.settled_through >= 0) response.set_settled_through(batch.settled_through);
  for (const int64_t number : batch.not_owned) response.add_not_owned(number);
}

v1::Assignment ToProto(const std::vector<AssignedSource>& sources) {
  v1::Assignment out;
  for (const AssignedSource& source : sources) {
    v1::AssignedSource& to = *out.add_sources();
    to.set_name(source.name);
    to.set_bind_address(source.bind);
    to.set_ehlo(source.ehlo);
    to.set_epoch(source.epoch);
    to.set_proxy(source.proxy);
    for (const std::string& pool : source.pools) to.add_pools(pool);
  }
  return out;
}

v1::Shaping ToProto(const ShapingOrder& order) {
  v1::Shaping out;
  for (const PlacedRule& placed : order.rules) {
    v1::PlacedRule& to = *out.add_rules();
    to.set_index(placed.index);
    wire::ToProto(placed.rule, to.mutable_rule());
  }
  for (const Constraint& constraint : order.constraints) {
    v1::LimitingConstraint& to = *out.add_constraints();
    to.set_constraint_id(constraint.id);
    to.mutable_scope()->set_source(constraint.scope.source);
    to.mutable_scope()->set_pool(constraint.scope.pool);
    to.mutable_scope()->set_provider(constraint.scope.provider);
    to.mutable_scope()->set_site(constraint.scope.site);
    to.set_cause(std::string(ToString(constraint.cause)));
    to.set_value(ToString(constraint.value));
    if (constraint.until) to.set_until_micros(ToMicros(*constraint.until));
  }
  for (const ReplyRule& rule : order.reply_rules) wire::ToProto(rule, out.add_reply_rules());
  for (const PlacedAutomation& placed : order.automation) {
    v1::PlacedAutomation& to = *out.add_automation();
    to.set_index(placed.index);
    wire::ToProto(placed.rule, to.mutable_rule());
  }
  return out;
}

v1::SigningKeys ToProto(const std::vector<SigningKey>& keys) {
  v1::SigningKeys out;
  for (const SigningKey& key : keys) {
    v1::SigningKey& to = *out.add_keys();
    to.set_tenant(key.tenant);
    to.set_domain(key.domain);
    to.set_selector(key.selector);
    to.set_key(key.key);
    to.set_algorithm(key.algorithm);
  }
  return out;
}

HandedBatch FromProto(v1::AcceptedBatch& batch) {
  HandedBatch out{.shard = batch.shard(), .writer = batch.writer(), .seq = batch.seq(), .messages = {}};
  out.messages.reserve(static_cast<size_t>(batch.messages_size()));
  for (v1::AcceptedMessage& from : *batch.mutable_messages()) {
    HandedMessage& to = out.messages.emplace_back();
    to.message_id = from.message_id();
    to.part = from.content_partition();
    to.tenant = std::move(*from.mutable_tenant());
    to.stream = std::move(*from.mutable_stream());
    to.campaign = std::move(*from.mutable_campaign());
    to.sender_domain = std::move(*from.mutable_sender_domain());
    for (const std::string& tag : from.tags()) Append(to.tags, tag, "\n");
    to.priority = from.priority();
    to.accepted_at = FromMicros(from.accepted_at_micros());
    to.due_at = FromMicros(from.due_at_micros());
    to.expires_at = FromMicros(from.expires_at_micros());
    if (!from.content().data().empty()) {
      v1::MessageContent& content = *from.mutable_content();
      auto kept = std::make_shared<Content>();
      kept->message_id = from.message_id();
      kept->return_path = std::move(*from.mutable_return_path());
      kept->prepended_headers = std::move(*content.mutable_prepended_headers());
      kept->data = std::move(*content.mutable_data());
      kept->dsn_envelope_id = std::move(*content.mutable_dsn_envelope_id());
      kept->encoding = content.encoding();
      kept->size_bytes = content.size_bytes();
      kept->has_8bit = content.has_8bit();
      kept->needs_smtputf8 = content.needs_smtputf8();
      kept->merge = content.merge();
      kept->dsn_return = content.dsn_return();
      to.content = std::move(kept);
    }
    to.recipients.reserve(static_cast<size_t>(from.recipients_size()));
    for (v1::AcceptedRecipient& recipient : *from.mutable_recipients()) {
      HandedRecipient& added = to.recipients.emplace_back();
      added.domain = std::move(*recipient.mutable_domain());
      added.payload.recipient = std::move(*recipient.mutable_address());
      for (const auto& [name, value] : recipient.merge_values()) added.payload.merge_values.emplace_back(name, value);
      added.payload.dsn_notify.assign(recipient.dsn_notify().begin(), recipient.dsn_notify().end());
      added.payload.traceparent = std::move(*recipient.mutable_traceparent());
      added.engagement = recipient.engagement();
    }
  }
  return out;
}

std::vector<storage::TlsResultRow> RowsOf(v1::TlsResults& results) {
  std::vector<storage::TlsResultRow> rows;
  for (v1::TlsResult& from : *results.mutable_results()) {
    if (rows.size() == kMostTlsResults) break;
    rows.push_back({.day = std::move(*from.mutable_day()),
                    .domain = std::move(*from.mutable_domain()),
                    .report_to = std::move(*from.mutable_report_to()),
                    .policy_type = std::move(*from.mutable_policy_type()),
                    .policy_text = std::move(*from.mutable_policy_text()),
                    .failure = std::move(*from.mutable_failure()),
                    .source_address = std::move(*from.mutable_source_address()),
                    .mx_host = std::move(*from.mutable_mx_host()),
                    .mx_address = std::move(*from.mutable_mx_address()),
                    .detail = std::move(*from.mutable_detail()),
                    .sessions = from.sessions()});
  }
  return rows;
}

std::vector<storage::ShareUse> FromProto(const v1::ShareUses& uses, const std::string& egress) {
  std::vector<storage::ShareUse> out;
  for (const v1::ShareUse& use : uses.uses()) {
    if (out.size() >= kMostShareUses) break;
    out.push_back({.holder = Cat(HolderPrefix(egress), use.holder()),
                   .rate_key = use.limit(),
                   .used = std::max<int64_t>(use.used(), 0),
                   .wants = use.wants()});
    if (use.has_lowered_to()) out.back().lowered_to = std::max<int64_t>(use.lowered_to(), 0);
  }
  return out;
}

v1::Shares ToProto(const std::vector<storage::OwnShare>& own, const std::string& egress) {
  v1::Shares out;
  for (const auto& [key, row] : own) {
    v1::Share& share = *out.add_shares();
    share.set_holder(row.holder.substr(HolderPrefix(egress).size()));
    share.set_limit(key);
    share.set_most(row.most);
    share.set_target(row.target);
    share.set_granted_of(row.of);
  }
  return out;
}

}  // namespace sluice::scheduler
