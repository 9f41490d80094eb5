#include "ingest/handoff_convert.h"

#include <string_view>

#include "ingest/stored_text.h"
#include "sluice/v1/intake.pb.h"
#include "sluice/v1/submission.pb.h"

namespace sluice::ingest {
namespace {

using storage::AcceptedMessage;
using storage::AcceptedRecipient;

// message.flags.
constexpr int16_t kHas8bit = 1;
constexpr int16_t kNeedsSmtputf8 = 2;
constexpr int16_t kMerge = 4;

// `lines` is name=value, one a line, as queue_entry.tags.
void AddTags(std::string_view lines, v1::AcceptedMessage& out) {
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    if (end > 0) out.add_tags(std::string(lines.substr(0, end)));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

void FillRecipient(AcceptedRecipient& recipient, v1::AcceptedRecipient& out) {
  out.set_address(std::move(recipient.address));
  out.set_domain(std::move(recipient.domain));
  out.set_engagement(recipient.engagement);
  if (!recipient.traceparent.empty()) out.set_traceparent(std::move(recipient.traceparent));
  if (!recipient.merge_values_json.empty()) {
    for (auto& [name, value] : DecodeJsonMap(recipient.merge_values_json)) {
      (*out.mutable_merge_values())[name] = std::move(value);
    }
  }
  // The bits of queue_entry.dsn_notify stand for v1::DsnNotify 1 to 4.
  for (int value = v1::DSN_NOTIFY_NEVER; value <= v1::DSN_NOTIFY_DELAY; ++value) {
    if ((recipient.dsn_notify & (1 << (value - 1))) != 0) out.add_dsn_notify(value);
  }
}

void FillContent(AcceptedMessage& message, v1::MessageContent& out) {
  out.set_encoding(static_cast<v1::ContentEncoding>(message.encoding));
  out.set_data(std::move(message.content));
  out.set_size_bytes(message.size_bytes);
  out.set_prepended_headers(std::move(message.prepended_headers));
  out.set_has_8bit((message.flags & kHas8bit) != 0);
  out.set_needs_smtputf8((message.flags & kNeedsSmtputf8) != 0);
  out.set_merge((message.flags & kMerge) != 0);
  out.set_dsn_envelope_id(std::move(message.dsn_envelope_id));
  out.set_dsn_return(message.dsn_return);
}

void FillMessage(CommittedBatch::Message& accepted, int32_t content_partition,
                 v1::AcceptedMessage& out) {
  AcceptedMessage& message = accepted.message;
  out.set_message_id(accepted.id);
  out.set_content_partition(content_partition);
  out.set_tenant(std::move(message.tenant));
  out.set_stream(std::move(message.stream));
  out.set_campaign(std::move(message.campaign));
  out.set_return_path(std::move(message.return_path));
  out.set_sender_domain(std::move(message.sender_domain));
  out.set_priority(static_cast<v1::Priority>(message.priority));
  out.set_accepted_at_micros(ToMicros(message.accepted_at));
  out.set_due_at_micros(ToMicros(message.due_at));
  out.set_expires_at_micros(ToMicros(message.expires_at));
  AddTags(message.tags, out);
  FillContent(message, *out.mutable_content());
  for (AcceptedRecipient& recipient : message.recipients)
    FillRecipient(recipient, *out.add_recipients());
}

}  // namespace

void ToProto(CommittedBatch batch, v1::AcceptedBatch& out) {
  out.set_shard(batch.shard);
  out.set_writer(batch.writer);
  out.set_seq(batch.seq);
  out.mutable_messages()->Reserve(static_cast<int>(batch.messages.size()));
  for (CommittedBatch::Message& message : batch.messages) {
    FillMessage(message, batch.content_partition, *out.add_messages());
  }
}

}  // namespace sluice::ingest
