// absl::Status on our side, grpc::Status and google.rpc.Status on the wire: codes map 1:1 and the
// details of google.rpc (BadRequest, RetryInfo, ErrorInfo) ride along as payloads, so that a use
// case builds a rich error without seeing a proto type. Not a place for SMTP refusals: those are
// values (mail/disposition.h).
#pragma once

#include <grpcpp/support/status.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"

namespace google::rpc {
class Status;
}

namespace sluice::wire {

// One field of a request and what to do about it. `field` is a path: `recipients[3].address`.
struct FieldViolation {
  std::string field;
  std::string description;
  friend bool operator==(const FieldViolation&, const FieldViolation&) = default;
};

// A machine-readable reason (UPPER_SNAKE_CASE), for example NOT_ACTIVE with metadata `endpoint`.
struct ErrorReason {
  std::string reason;
  std::map<std::string, std::string> metadata;
  friend bool operator==(const ErrorReason&, const ErrorReason&) = default;
};

// INVALID_ARGUMENT whose message is "field: description; field: description" and whose details are
// a BadRequest. `violations` must not be empty.
absl::Status FieldViolations(const std::vector<FieldViolation>& violations);
absl::Status FieldError(std::string field, std::string description);
// `status` with a RetryInfo: the caller may try the same again after `delay`. OK stays as it is.
absl::Status WithRetry(absl::Status status, Duration delay);
absl::Status Retry(absl::StatusCode code, std::string_view message, Duration delay);
// `status` with an ErrorInfo of domain `sluice`.
absl::Status WithReason(absl::Status status, const ErrorReason& reason);

// What a status carries; empty when it carries none (or one that does not parse: it came from the
// network).
std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status);
std::optional<Duration> RetryDelayOf(const absl::Status& status);
std::optional<ErrorReason> ErrorReasonOf(const absl::Status& status);

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);
// For results inside a stream (SubmitOutcome.error).
void ToProto(const absl::Status& status, google::rpc::Status* out);
absl::Status FromProto(const google::rpc::Status& status);

}  // namespace sluice::wire
