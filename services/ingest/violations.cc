#include "ingest/violations.h"

#include "base/text.h"
#include "mail/utf8.h"

namespace sluice::ingest {
namespace {

// Message and details travel in trailers, of which gRPC clients take 8 KB by default.
constexpr size_t kMostDescription = 300;
constexpr size_t kMostMessage = 1'000;

}  // namespace

void Violations::Add(std::string field, std::string description) {
  all_denied_ = false;
  if (violations_.size() == most_) {
    ++left_out_;
    return;
  }
  if (description.size() > kMostDescription)
    description = Cat(Utf8Prefix(description, kMostDescription), "…");
  violations_.push_back({std::move(field), std::move(description)});
}

void Violations::Add(std::string field, const absl::Status& status) {
  if (!status.ok()) Add(std::move(field), std::string(View(status.message())));
}

void Violations::Deny(std::string field, std::string description) {
  const bool all_denied = all_denied_;
  Add(std::move(field), std::move(description));
  all_denied_ = all_denied;
}

SubmitError Violations::ToError() const {
  SubmitError error{.code = all_denied_ ? absl::StatusCode::kPermissionDenied
                                        : absl::StatusCode::kInvalidArgument,
                    .message = {},
                    .violations = violations_};
  size_t left_out = left_out_;
  for (const FieldViolation& violation : violations_) {
    if (!error.message.empty() &&
        error.message.size() + violation.description.size() > kMostMessage) {
      ++left_out;
      continue;
    }
    Append(error.message, error.message.empty() ? "" : "; ", violation.field, ": ",
           violation.description);
  }
  if (left_out > 0) Append(error.message, "; and ", left_out, " more");
  return error;
}

}  // namespace sluice::ingest
