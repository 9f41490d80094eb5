#include "ingest/event_convert.h"

#include <algorithm>
#include <cctype>

#include "base/clock.h"
#include "base/text.h"
#include "ingest/stored_text.h"
#include "mail/ids.h"
#include "sluice/v1/events.pb.h"
#include "sluice/v1/submission.pb.h"
#include "wire/stage_times.h"

namespace sluice::ingest {
namespace {

constexpr std::string_view kKindPrefix = "EVENT_KIND_";

std::string Upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  return text;
}

void SetTime(Instant at, google::protobuf::Timestamp& out) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  out.set_seconds(seconds.time_since_epoch().count());
  out.set_nanos(static_cast<int32_t>((at - seconds).count() * 1000));
}

// "TLSv1.3 CIPHER verified", "TLSv1.3 CIPHER WHY NOT", "TLSv1.3 CIPHER" or "".
void SetTls(std::string_view text, v1::TlsFacts& out) {
  const size_t first = text.find(' ');
  out.set_version(std::string(text.substr(0, first)));
  if (first == std::string_view::npos) return;
  text.remove_prefix(first + 1);
  const size_t second = text.find(' ');
  out.set_cipher(std::string(text.substr(0, second)));
  if (second == std::string_view::npos) return;
  text.remove_prefix(second + 1);
  out.set_verified(text == "verified");
  if (!out.verified()) out.set_detail(std::string(text));
}

v1::Disposition DispositionOf(const std::string& kind) {
  if (kind == "delivered" || kind == "late_delivery") return v1::DISPOSITION_DELIVERED;
  if (kind == "bounced") return v1::DISPOSITION_BOUNCED;
  if (kind == "deferred" || kind == "superseded") return v1::DISPOSITION_DEFERRED;
  return v1::DISPOSITION_UNSPECIFIED;
}

void SetAttempt(const storage::StoredEvent& event, v1::Attempt& out) {
  out.set_number(event.attempt);
  out.set_disposition(DispositionOf(event.kind));
  v1::Stage stage = v1::STAGE_UNSPECIFIED;
  if (v1::Stage_Parse(Cat("STAGE_", Upper(event.stage)), &stage)) out.set_stage(stage);
  out.mutable_reply()->set_code(event.reply_code);
  out.mutable_reply()->set_enhanced_status(event.enhanced_status);
  out.mutable_reply()->set_text(event.reply);
  out.set_reply_class(event.reply_class);
  out.set_source(event.source);
  out.set_mx_host(event.mx_host);
  out.set_mx_address(event.mx_address);
  if (!event.tls.empty()) SetTls(event.tls, *out.mutable_tls());
  // occurred_at is when it ended.
  out.set_started_at_micros(ToMicros(event.occurred_at) - event.duration_micros);
  out.set_duration_micros(event.duration_micros);
  out.set_possible_duplicate(event.possible_duplicate);
  if (!event.times.empty()) *out.mutable_times() = wire::ToProto(ParseStageTimes(event.times));
}

}  // namespace

int KindNumber(const std::string& name) {
  v1::EventKind kind = v1::EVENT_KIND_UNSPECIFIED;
  return v1::EventKind_Parse(Cat(kKindPrefix, Upper(name)), &kind) ? kind : 0;
}

std::string KindName(int number) {
  if (!v1::EventKind_IsValid(number) || number == v1::EVENT_KIND_UNSPECIFIED) return "";
  std::string name =
      v1::EventKind_Name(static_cast<v1::EventKind>(number)).substr(kKindPrefix.size());
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return name;
}

void ToProto(const storage::StoredEvent& event, v1::Event& out) {
  out.set_event_id(Cat(event.shard, "-", event.seq));
  out.set_kind(static_cast<v1::EventKind>(KindNumber(event.kind)));
  SetTime(event.occurred_at, *out.mutable_occurred_at());
  out.set_tenant(event.tenant);
  if (event.message_id != 0) out.set_message_id(FormatMessageId(MessageId(event.message_id)));
  out.set_recipient(event.recipient);
  out.set_stream(event.stream);
  out.set_campaign(event.campaign);
  for (auto& [name, value] : DecodeJsonMap(event.metadata_json))
    (*out.mutable_metadata())[name] = value;
  if (DispositionOf(event.kind) != v1::DISPOSITION_UNSPECIFIED)
    SetAttempt(event, *out.mutable_attempt());
  out.set_pool(event.pool);
  out.set_provider(event.provider);
  out.set_site(event.site);
  if (event.due_at.has_value()) SetTime(*event.due_at, *out.mutable_due_at());
  out.set_detail(event.detail);
  out.set_source(event.source);
}

void ToProto(const storage::QueueEntryRow& entry, v1::QueueEntry& out) {
  out.set_queue_entry_id(FormatQueueEntryId(QueueEntryId(entry.id)));
  out.set_message_id(FormatMessageId(MessageId(entry.message_id)));
  out.set_recipient(entry.recipient);
  out.set_stream(entry.stream);
  out.set_campaign(entry.campaign);
  SetTime(entry.accepted_at, *out.mutable_accepted_at());
  SetTime(entry.due_at, *out.mutable_due_at());
  SetTime(entry.expires_at, *out.mutable_expires_at());
  out.set_attempts(entry.attempts);
  out.set_last_source(entry.last_source);
  out.set_held(entry.held);
}

}  // namespace sluice::ingest
