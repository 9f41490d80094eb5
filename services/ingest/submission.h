// A submission and its answer as ingest's use cases see them: no proto types, views of the request
// instead of copies. The meaning of each field stands in proto/sluice/v1/submission.proto.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"

namespace sluice::ingest {

// A map of the request, in any order; names are unique.
using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

// RFC 3461 NOTIFY as a bit set; the numbers are stored (queue_entry.dsn_notify).
inline constexpr int16_t kNotifyNever = 1;
inline constexpr int16_t kNotifySuccess = 2;
inline constexpr int16_t kNotifyFailure = 4;
inline constexpr int16_t kNotifyDelay = 8;

struct RecipientRequest {
  std::string_view address;
  Pairs metadata;
  Pairs merge_values;
  int16_t dsn_notify = 0;
  int32_t engagement = 0;
};

// Views live as long as the request they were decoded from.
struct SubmissionRequest {
  std::string_view idempotency_key;
  std::string_view stream;
  std::string_view campaign;
  std::string_view return_path;
  std::string_view content;
  std::vector<RecipientRequest> recipients;
  std::optional<Instant> first_attempt_at;
  std::optional<Instant> expires_at;
  int16_t priority = 0;  // 0 = the stream's, 1 normal, 2 high.
  bool merge = false;
  Pairs metadata;
  std::string_view list_unsubscribe_url;
  int16_t dsn_return = 0;  // 0 not given, 1 full, 2 headers.
  std::string_view dsn_envelope_id;
  // Of the call, well-formed; empty = none. No part of the content: a retry may have another one.
  std::string_view traceparent = {};
};

// What is wrong with which field of the request, and how to mend it (google.rpc.BadRequest).
struct FieldViolation {
  std::string field;
  std::string description;
  friend bool operator==(const FieldViolation&, const FieldViolation&) = default;
};

// A recipient that is not sent to.
struct Verdict {
  int32_t index = 0;
  std::string reason;
  std::string description;
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

// Why a submission was not accepted. Nothing of it is stored, unless the code is UNAVAILABLE after
// a commit in doubt.
struct SubmitError {
  absl::StatusCode code = absl::StatusCode::kInternal;
  std::string message;
  std::vector<FieldViolation> violations = {};
  // When to try again; zero = the same request will fail again.
  Duration retry_after{0};
};

// Accepted: committed and flushed.
struct SubmitAnswer {
  int64_t message_id = 0;
  std::vector<Verdict> refused = {};
  bool repeated = false;
};

using SubmitOutcome = std::variant<SubmitAnswer, SubmitError>;

}  // namespace sluice::ingest
