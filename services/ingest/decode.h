// Between the public API's messages and the plain structs of the use cases.
#pragma once

#include "ingest/submission.h"

namespace sluice::v1 {
class Submission;
class SubmitOutcome;
class SubmitResult;
}  // namespace sluice::v1

namespace sluice::ingest {

// The views live as long as `submission`. Never fails: what is out of range (a time before 1970, an
// enum from the future) comes out as a value that the check refuses, or as "not given".
SubmissionRequest Decode(const v1::Submission& submission);

void Encode(const SubmitAnswer& answer, v1::SubmitResult& out);
void Encode(const SubmitOutcome& outcome, v1::SubmitOutcome& out);
// With google.rpc details: BadRequest for violations, RetryInfo for a retry.
absl::Status ToStatus(const SubmitError& error);

}  // namespace sluice::ingest
