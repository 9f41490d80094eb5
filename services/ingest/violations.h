// Collects what is wrong with a request, so that a client hears of everything at once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ingest/submission.h"

namespace sluice::ingest {

class Violations {
 public:
  explicit Violations(size_t most) : most_(most) {}

  // The field is wrong: INVALID_ARGUMENT.
  void Add(std::string field, std::string description);
  void Add(std::string field, const absl::Status& status);
  // The tenant may not do that: PERMISSION_DENIED, unless something is wrong besides.
  void Deny(std::string field, std::string description);

  bool empty() const { return violations_.empty(); }
  // Only when not empty.
  SubmitError ToError() const;

 private:
  size_t most_;
  bool all_denied_ = true;
  size_t left_out_ = 0;
  std::vector<FieldViolation> violations_;
};

}  // namespace sluice::ingest
