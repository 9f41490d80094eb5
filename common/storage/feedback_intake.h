// Takes what came back, structured or as mail: reads it, matches it, decides whether it suppresses its
// recipient, and records it once. Shared by the feedback listener and AdminService.ReportFeedback.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "mail/policy_document.h"
#include "smtp/feedback_message.h"
#include "smtp/token.h"
#include "storage/feedback_store.h"

namespace sluice::storage {

// The secrets in a file (smtp/token.h); nothing when `file` is empty.
absl::StatusOr<std::optional<TokenKeys>> ReadTokenKeys(const std::string& file);

struct FeedbackReport {
  FeedbackKind kind = FeedbackKind::kOther;  // kBounce, kComplaint or kUnsubscribe.
  // A message and one of its recipients; or, for complaints and unsubscribes, tenant and recipient.
  int64_t message_id = 0;
  int64_t queue_entry_id = 0;
  std::string tenant{}, recipient{};
  SmtpReply reply{};
  std::string detail{};
  Instant occurred_at{};
};

enum class FeedbackFate : uint8_t {
  kRecorded,
  kRepeated,   // Told before: nothing changed.
  kUnmatched,  // Nothing of ours, or too old.
  kDropped,    // Read, and nothing to act on: delays, receipts, auto replies, others.
};
std::string_view ToString(FeedbackFate fate);

struct FeedbackOutcome {
  FeedbackFate fate = FeedbackFate::kUnmatched;
  FeedbackKind kind = FeedbackKind::kOther;
};

// Thread-safe; waits for the database.
class FeedbackIntake {
 public:
  using LivesOf = std::function<SuppressionLives(const std::string& tenant)>;
  // Without `keys` mail is matched to nothing.
  FeedbackIntake(FeedbackStore& store, std::optional<TokenKeys> keys, LivesOf lives_of)
      : store_(store), keys_(std::move(keys)), lives_of_(std::move(lives_of)) {}

  // In their order; at most 1,000.
  absl::StatusOr<std::vector<FeedbackOutcome>> TakeReports(const std::vector<FeedbackReport>& reports,
                                                           Instant now) const;
  absl::StatusOr<FeedbackOutcome> TakeMessage(std::string_view message, std::string_view envelope_to,
                                              std::string_view envelope_from, Instant now) const;

 private:
  Feedback ToFeedback(const FeedbackReport& report, FeedbackSubject subject) const;

  FeedbackStore& store_;
  const std::optional<TokenKeys> keys_;
  const LivesOf lives_of_;
};

}  // namespace sluice::storage
