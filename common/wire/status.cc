#include "wire/status.h"

#include <google/protobuf/any.pb.h>

#include "base/check.h"
#include "base/text.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace sluice::wire {
namespace {

constexpr char kErrorDomain[] = "sluice";
constexpr char kTypePrefix[] = "type.googleapis.com/";

template <class Detail>
std::string TypeUrl() {
  return Cat(kTypePrefix, Detail::descriptor()->full_name());
}

template <class Detail>
void Attach(absl::Status& status, const Detail& detail) {
  status.SetPayload(TypeUrl<Detail>(), absl::Cord(detail.SerializeAsString()));
}

template <class Detail>
std::optional<Detail> DetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(TypeUrl<Detail>());
  Detail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

// A peer may send a number that no code has.
absl::StatusCode KnownCode(int code) {
  return code >= 0 && code <= 16 ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown;
}

}  // namespace

absl::Status FieldViolations(const std::vector<FieldViolation>& violations) {
  SLUICE_CHECK(!violations.empty());
  std::string message;
  google::rpc::BadRequest details;
  for (const FieldViolation& violation : violations) {
    Append(message, message.empty() ? "" : "; ", violation.field, ": ", violation.description);
    auto* added = details.add_field_violations();
    added->set_field(violation.field);
    added->set_description(violation.description);
  }
  absl::Status status = absl::InvalidArgumentError(message);
  Attach(status, details);
  return status;
}

absl::Status FieldError(std::string field, std::string description) {
  return FieldViolations({{std::move(field), std::move(description)}});
}

absl::Status WithRetry(absl::Status status, Duration delay) {
  google::rpc::RetryInfo details;
  const int64_t micros = delay.count();
  details.mutable_retry_delay()->set_seconds(micros / 1'000'000);
  details.mutable_retry_delay()->set_nanos(static_cast<int32_t>(micros % 1'000'000 * 1'000));
  Attach(status, details);
  return status;
}

absl::Status Retry(absl::StatusCode code, std::string_view message, Duration delay) {
  return WithRetry(absl::Status(code, AbslView(message)), delay);
}

absl::Status WithReason(absl::Status status, const ErrorReason& reason) {
  google::rpc::ErrorInfo details;
  details.set_domain(kErrorDomain);
  details.set_reason(reason.reason);
  for (const auto& [key, value] : reason.metadata) (*details.mutable_metadata())[key] = value;
  Attach(status, details);
  return status;
}

std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status) {
  std::vector<FieldViolation> out;
  if (const auto details = DetailOf<google::rpc::BadRequest>(status)) {
    for (const auto& v : details->field_violations()) out.push_back({v.field(), v.description()});
  }
  return out;
}

std::optional<Duration> RetryDelayOf(const absl::Status& status) {
  const auto details = DetailOf<google::rpc::RetryInfo>(status);
  if (!details) return std::nullopt;
  return std::chrono::seconds(details->retry_delay().seconds()) +
         Duration(details->retry_delay().nanos() / 1'000);
}

std::optional<ErrorReason> ErrorReasonOf(const absl::Status& status) {
  const auto details = DetailOf<google::rpc::ErrorInfo>(status);
  if (!details) return std::nullopt;
  return ErrorReason{details->reason(), {details->metadata().begin(), details->metadata().end()}};
}

void ToProto(const absl::Status& status, google::rpc::Status* out) {
  out->Clear();
  out->set_code(static_cast<int>(status.code()));
  out->set_message(Cat(status.message()));
  status.ForEachPayload([out](absl::string_view type_url, const absl::Cord& payload) {
    auto* detail = out->add_details();
    detail->set_type_url(Cat(type_url));
    detail->set_value(std::string(payload));
  });
}

absl::Status FromProto(const google::rpc::Status& status) {
  absl::Status out(KnownCode(status.code()), status.message());
  for (const auto& detail : status.details()) {
    out.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return out;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status details;
  ToProto(status, &details);
  return {static_cast<grpc::StatusCode>(status.code()), details.message(),
          details.details().empty() ? std::string() : details.SerializeAsString()};
}

absl::Status FromGrpc(const grpc::Status& status) {
  absl::Status out(KnownCode(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (!out.ok() && details.ParseFromString(status.error_details())) {
    for (const auto& detail : details.details()) {
      out.SetPayload(detail.type_url(), absl::Cord(detail.value()));
    }
  }
  return out;
}

}  // namespace sluice::wire
