#include "ingest/decode.h"

#include <google/protobuf/map.h>

#include "mail/ids.h"
#include "sluice/v1/submission.pb.h"
#include "wire/status.h"

namespace sluice::ingest {
namespace {

using StringMap = google::protobuf::Map<std::string, std::string>;

Pairs ToPairs(const StringMap& map) {
  Pairs pairs;
  pairs.reserve(map.size());
  for (const auto& [name, value] : map) pairs.emplace_back(name, value);
  return pairs;
}

// Far from overflow; any client's time in that range is exact.
constexpr int64_t kMostSeconds = 253'402'300'799;  // The end of year 9999, as protobuf defines it.

Instant ToInstant(const google::protobuf::Timestamp& at) {
  const int64_t seconds = std::clamp<int64_t>(at.seconds(), 0, kMostSeconds);
  return FromMicros(seconds * 1'000'000 + std::clamp(at.nanos(), 0, 999'999'999) / 1000);
}

int16_t NotifyBits(const v1::Recipient& recipient) {
  int bits = 0;
  for (const int value : recipient.dsn_notify()) {
    if (value >= v1::DSN_NOTIFY_NEVER && value <= v1::DSN_NOTIFY_DELAY) bits |= 1 << (value - 1);
  }
  return static_cast<int16_t>(bits);
}

RecipientRequest DecodeRecipient(const v1::Recipient& recipient) {
  return {.address = recipient.address(),
          .metadata = ToPairs(recipient.metadata()),
          .merge_values = ToPairs(recipient.merge_values()),
          .dsn_notify = NotifyBits(recipient),
          .engagement = recipient.engagement()};
}

}  // namespace

SubmissionRequest Decode(const v1::Submission& submission) {
  SubmissionRequest request;
  request.idempotency_key = submission.idempotency_key();
  request.stream = submission.stream();
  request.campaign = submission.campaign();
  request.return_path = submission.return_path();
  request.content = submission.content();
  request.recipients.reserve(static_cast<size_t>(submission.recipients_size()));
  for (const v1::Recipient& recipient : submission.recipients()) {
    request.recipients.push_back(DecodeRecipient(recipient));
  }
  if (submission.has_first_attempt_at())
    request.first_attempt_at = ToInstant(submission.first_attempt_at());
  if (submission.has_expires_at()) request.expires_at = ToInstant(submission.expires_at());
  if (submission.priority() == v1::PRIORITY_NORMAL || submission.priority() == v1::PRIORITY_HIGH) {
    request.priority = static_cast<int16_t>(submission.priority());
  }
  request.merge = submission.merge();
  request.metadata = ToPairs(submission.metadata());
  request.list_unsubscribe_url = submission.list_unsubscribe_url();
  if (submission.dsn_return() == v1::DSN_RETURN_FULL ||
      submission.dsn_return() == v1::DSN_RETURN_HEADERS) {
    request.dsn_return = static_cast<int16_t>(submission.dsn_return());
  }
  request.dsn_envelope_id = submission.dsn_envelope_id();
  return request;
}

void Encode(const SubmitAnswer& answer, v1::SubmitResult& out) {
  out.set_message_id(FormatMessageId(MessageId(answer.message_id)));
  out.set_repeated(answer.repeated);
  for (const Verdict& verdict : answer.refused) {
    v1::RecipientVerdict& refused = *out.add_refused();
    refused.set_index(verdict.index);
    refused.set_reason(verdict.reason);
    refused.set_description(verdict.description);
  }
}

void Encode(const SubmitOutcome& outcome, v1::SubmitOutcome& out) {
  if (const auto* answer = std::get_if<SubmitAnswer>(&outcome)) {
    Encode(*answer, *out.mutable_result());
  } else {
    wire::ToProto(ToStatus(std::get<SubmitError>(outcome)), out.mutable_error());
  }
}

absl::Status ToStatus(const SubmitError& error) {
  absl::Status status(error.code, error.message);
  if (!error.violations.empty()) {
    std::vector<wire::FieldViolation> violations;
    for (const FieldViolation& violation : error.violations) {
      violations.push_back({violation.field, violation.description});
    }
    // The details of a PERMISSION_DENIED name fields just as those of an INVALID_ARGUMENT do.
    wire::FieldViolations(violations)
        .ForEachPayload([&](absl::string_view type, const absl::Cord& payload) {
          status.SetPayload(type, payload);
        });
  }
  return error.retry_after > Duration(0) ? wire::WithRetry(std::move(status), error.retry_after)
                                         : status;
}

}  // namespace sluice::ingest
