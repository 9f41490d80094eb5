// The check of one submission: request in, what is to be committed out, or what is wrong with it
// field by field. Pure but for the tokens; any thread.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "ingest/added_headers.h"
#include "ingest/directory.h"
#include "ingest/submission.h"
#include "storage/queue_store.h"
#include "storage/suppression_set.h"

namespace sluice::ingest {

struct SubmitRules {
  size_t content_bytes = limits::kContentBytes;
  bool normalise_line_ends = true;
  // Whether mail to user@[192.0.2.1] is taken.
  bool allow_address_literals = false;
};

struct CheckedSubmission {
  storage::AcceptedMessage message;
  // Recipients that are not in `message`.
  std::vector<Verdict> refused;
};

// At most kMostViolations are named. A bad recipient is a verdict, not a violation, as long as not all
// are bad. When those that are left are all suppressed the message has no recipients: only its verdicts
// are kept.
inline constexpr size_t kMostViolations = 10;
std::variant<CheckedSubmission, SubmitError> CheckSubmission(const SubmissionRequest& request,
                                                             const TenantPolicy& tenant,
                                                             const Directory& directory,
                                                             const storage::SuppressionSet& suppressions,
                                                             const SubmitRules& rules, Instant now,
                                                             MessageIdTokens& tokens);

// Bytes that holding a request of `request_bytes` with so many submissions costs, for admission;
// never zero.
size_t HeldBytes(size_t request_bytes, size_t submissions);

}  // namespace sluice::ingest
