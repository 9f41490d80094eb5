#include "scheduler/admin/queue_verbs.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "base/status.h"
#include "base/text.h"
#include "mail/ids.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

using google::protobuf::util::TimeUtil;

void SetTime(Instant at, google::protobuf::Timestamp* out) { *out = TimeUtil::MicrosecondsToTimestamp(ToMicros(at)); }

const std::map<v1::OperationKind, std::string>& Kinds() {
  static const std::map<v1::OperationKind, std::string> kinds = {
      {v1::OPERATION_KIND_CANCEL, "cancel"},
      {v1::OPERATION_KIND_BOUNCE, "bounce"},
      {v1::OPERATION_KIND_MOVE, "move"},
      {v1::OPERATION_KIND_RETRY_NOW, "retry_now"},
      {v1::OPERATION_KIND_RELEASE_HELD, "release_held"}};
  return kinds;
}

void ToProto(const storage::OperationRow& from, v1::Operation* out) {
  out->set_operation_id(Cat(from.id));
  for (const auto& [kind, name] : Kinds()) {
    if (name == from.kind) out->set_kind(kind);
  }
  if (!google::protobuf::util::JsonStringToMessage(from.filter_json, out->mutable_filter()).ok()) {
    out->set_error("its filter cannot be read");
  }
  SetTime(from.started_at, out->mutable_started_at());
  if (from.ended_at) SetTime(*from.ended_at, out->mutable_ended_at());
  out->set_done_count(from.done);
  out->set_too_late_count(from.too_late);
  out->set_author(from.author);
  out->set_reason(from.reason);
  out->set_target_pool(from.target_pool);
  out->set_stopped(from.stopped);
  if (from.message_id != 0) out->set_message_id(FormatMessageId(MessageId(from.message_id)));
}

absl::StatusOr<int64_t> OperationId(const std::string& text) {
  int64_t id = 0;
  const char* end = text.data() + text.size();
  if (text.empty() || std::from_chars(text.data(), end, id).ptr != end || id <= 0) {
    return wire::FieldError("operation_id", "is not one that was answered; `sluicectl operations list` shows them");
  }
  return id;
}

// What the store can tell apart; more is for operations, which ask the index.
absl::StatusOr<storage::QueueFilter> FilterOf(const v1::Match& match) {
  if (!match.site().empty()) {
    return wire::FieldError("filter.site", "is not stored with entries; filter by domain or provider");
  }
  if (!match.pool().empty()) {
    return wire::FieldError("filter.pool", "is not stored with entries; filter by stream or provider");
  }
  return storage::QueueFilter{.tenant = match.tenant(),
                              .stream = match.stream(),
                              .campaign = match.campaign(),
                              .domain = match.domain(),
                              .sender_domain = match.sender_domain(),
                              .provider = match.provider(),
                              .last_source = match.source()};
}

void ToProto(const storage::QueueEntryRow& row, v1::QueueEntry* out) {
  out->set_queue_entry_id(FormatQueueEntryId(QueueEntryId(row.id)));
  out->set_message_id(FormatMessageId(MessageId(row.message_id)));
  out->set_recipient(row.recipient);
  out->set_stream(row.stream);
  out->set_campaign(row.campaign);
  SetTime(row.accepted_at, out->mutable_accepted_at());
  SetTime(row.due_at, out->mutable_due_at());
  SetTime(row.expires_at, out->mutable_expires_at());
  out->set_attempts(row.attempts);
  out->set_last_source(row.last_source);
  out->set_held(row.held);
}

}  // namespace

absl::Status QueueVerbs::ListQueue(const v1::ListQueueRequest& request, v1::ListQueueResponse* response) {
  int size = request.page_size();
  RETURN_IF_ERROR(CheckPageSize(size, 100, 1000));
  ASSIGN_OR_RETURN(const storage::QueueFilter filter, FilterOf(request.filter()));
  int64_t after = 0;
  if (!request.page_token().empty()) {
    const absl::StatusOr<QueueEntryId> id = ParseQueueEntryId(request.page_token());
    if (!id.ok()) return wire::FieldError("page_token", "is not one that was answered");
    after = id->value();
  }
  ASSIGN_OR_RETURN(const std::vector<storage::QueueEntryRow> rows, entries_.List(filter, after, size));
  for (const storage::QueueEntryRow& row : rows) ToProto(row, response->add_entries());
  if (static_cast<int>(rows.size()) == size) {
    response->set_next_page_token(FormatQueueEntryId(QueueEntryId(rows.back().id)));
  }
  return absl::OkStatus();
}

absl::Status QueueVerbs::SummarizeQueue(const v1::SummarizeQueueRequest& request,
                                        v1::SummarizeQueueResponse* response) {
  int groups = request.max_groups();
  if (groups < 0) return wire::FieldError("max_groups", "is negative; write 1 or more, or leave it out");
  groups = groups == 0 ? 20 : std::min(groups, 1000);
  const std::string by = request.group_by().empty() ? "provider" : request.group_by();
  ASSIGN_OR_RETURN(const storage::QueueFilter filter, FilterOf(request.filter()));
  const auto found = entries_.Summarize(filter, by, groups);
  if (absl::IsInvalidArgument(found.status())) {
    return wire::FieldError("group_by", "takes provider, tenant, stream, campaign, domain, sender_domain or source");
  }
  RETURN_IF_ERROR(found.status());
  for (const storage::QueueGroup& group : *found) {
    v1::SummarizeQueueResponse::Group* added = response->add_groups();
    added->set_name(group.name);
    added->set_entries(group.entries);
    SetTime(group.oldest_accepted_at, added->mutable_oldest_accepted_at());
    SetTime(group.next_due_at, added->mutable_next_due_at());
  }
  return absl::OkStatus();
}

absl::Status QueueVerbs::StartOperation(std::string actor, const v1::StartOperationRequest& request,
                                        v1::StartOperationResponse* response) {
  OperationOrder order;
  storage::OperationRow& operation = order.operation;
  const auto kind = Kinds().find(request.kind());
  if (kind == Kinds().end()) {
    return wire::FieldError("kind", "is missing: cancel, bounce, move, retry_now or release_held");
  }
  operation.kind = kind->second;
  if (!request.filter().reply().empty() || !request.filter().reply_class().empty()) {
    return wire::FieldError("filter.reply", "is for automation rules; leave it out");
  }
  if (!google::protobuf::util::MessageToJsonString(request.filter(), &operation.filter_json).ok()) {
    return wire::FieldError("filter", "holds text that is not UTF-8");
  }
  if (!request.message_id().empty()) {
    const absl::StatusOr<MessageId> id = ParseMessageId(request.message_id());
    if (!id.ok()) return wire::FieldError("message_id", std::string(View(id.status().message())));
    operation.message_id = id->value();
  }
  order.names_something = operation.message_id != 0 || request.filter().ByteSizeLong() > 0;
  operation.target_pool = request.target_pool();
  operation.reason = request.reason();
  operation.author = std::move(actor);
  ASSIGN_OR_RETURN(const storage::OperationRow started, operations_.Start(order));
  ToProto(started, response->mutable_operation());
  return absl::OkStatus();
}

absl::Status QueueVerbs::GetOperation(const v1::GetOperationRequest& request, v1::GetOperationResponse* response) {
  ASSIGN_OR_RETURN(const int64_t id, OperationId(request.operation_id()));
  ASSIGN_OR_RETURN(const storage::OperationRow operation, operations_.Get(id));
  ToProto(operation, response->mutable_operation());
  return absl::OkStatus();
}

absl::Status QueueVerbs::ListOperations(const v1::ListOperationsRequest& request,
                                        v1::ListOperationsResponse* response) {
  ASSIGN_OR_RETURN(const auto listed, operations_.List({request.page_size(), request.page_token()}));
  for (const storage::OperationRow& operation : listed.operations) ToProto(operation, response->add_operations());
  response->set_next_page_token(listed.next_page_token);
  return absl::OkStatus();
}

absl::Status QueueVerbs::StopOperation(std::string actor, const v1::StopOperationRequest& request,
                                       v1::StopOperationResponse* response) {
  ASSIGN_OR_RETURN(const int64_t id, OperationId(request.operation_id()));
  ASSIGN_OR_RETURN(const storage::OperationRow operation, operations_.Stop(id, actor));
  ToProto(operation, response->mutable_operation());
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
