// Everything of a submission but its content and the addresses of its recipients: stream, return
// path, times, sizes of keys and metadata, DSN wishes.
#pragma once

#include "base/clock.h"
#include "ingest/directory.h"
#include "ingest/submission.h"
#include "ingest/violations.h"
#include "mail/address.h"

namespace sluice::ingest {

struct Envelope {
  ReturnPath return_path;
  // Each recipient has a return path of its own; `return_path` is null.
  bool uses_verp = false;
  int16_t priority = 1;
  Instant due_at{};
  Instant expires_at{};
};

// The answer counts only when nothing was added to `wrong`.
Envelope CheckEnvelope(const SubmissionRequest& request, const TenantPolicy& tenant,
                       const Directory& directory, Instant now, Violations& wrong);

}  // namespace sluice::ingest
