#include "storage/feedback_intake.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/status.h"
#include "base/text.h"
#include "policy/bounce_class.h"

namespace sluice::storage {
namespace {

constexpr size_t kMostDetailBytes = 512;
constexpr size_t kMostReplyBytes = 1'024;

std::string_view EventKindOf(FeedbackKind kind) {
  return kind == FeedbackKind::kComplaint     ? "complained"
         : kind == FeedbackKind::kUnsubscribe ? "unsubscribed"
                                              : "bounced_later";
}

bool IsActedOn(FeedbackKind kind) {
  return kind == FeedbackKind::kBounce || kind == FeedbackKind::kComplaint ||
         kind == FeedbackKind::kUnsubscribe;
}

// Of the copy that the token names; a report of one recipient is about that copy, however it is called.
SmtpReply ReplyFor(const FeedbackMessage& message) {
  return message.recipients.empty() ? SmtpReply() : message.recipients.front().reply;
}

struct Judged {
  SuppressionReason reason;
  SuppressionLife life;
};

Judged JudgedBy(FeedbackKind kind, const SuppressionLives& lives) {
  switch (kind) {
    case FeedbackKind::kComplaint: return {SuppressionReason::kComplaint, lives.complaint};
    case FeedbackKind::kUnsubscribe: return {SuppressionReason::kUnsubscribe, lives.unsubscribe};
    default: return {SuppressionReason::kBounce, lives.bounce};
  }
}

}  // namespace

absl::StatusOr<std::optional<TokenKeys>> ReadTokenKeys(const std::string& file) {
  if (file.empty()) return std::optional<TokenKeys>();
  std::ifstream in(file);
  if (!in) return absl::NotFoundError(Cat("token.file: cannot read ", file));
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  absl::StatusOr<TokenKeys> keys = TokenKeys::Parse(text);
  if (!keys.ok()) return absl::InvalidArgumentError(Cat("token.file: ", keys.status().message()));
  return std::optional<TokenKeys>(*std::move(keys));
}

std::string_view ToString(FeedbackFate fate) {
  switch (fate) {
    case FeedbackFate::kRecorded: return "recorded";
    case FeedbackFate::kRepeated: return "repeated";
    case FeedbackFate::kUnmatched: return "unmatched";
    case FeedbackFate::kDropped: return "dropped";
  }
  return "dropped";
}

Feedback FeedbackIntake::ToFeedback(const FeedbackReport& report, FeedbackSubject subject) const {
  Feedback out{.kind = std::string(EventKindOf(report.kind)),
               .subject = std::move(subject),
               .reply = report.reply.text.substr(0, kMostReplyBytes),
               .detail = report.detail.substr(0, kMostDetailBytes),
               .occurred_at = report.occurred_at};
  if (report.reply.enhanced) out.enhanced_status = ToString(*report.reply.enhanced);
  const bool is_bounce = report.kind == FeedbackKind::kBounce;
  const ReplyClass reply_class = is_bounce ? ClassifyBounce(report.reply) : ReplyClass::kNone;
  if (is_bounce) out.reply_class = ToString(reply_class);
  if (is_bounce && reply_class != ReplyClass::kRcptBad) return out;
  const Judged judged = JudgedBy(report.kind, lives_of_(out.subject.tenant));
  const auto address = SuppressedAddress(out.subject.recipient);
  if (!judged.life.is_on || !address.ok()) return out;
  out.suppression = Suppression{.tenant = out.subject.tenant,
                                .address = *address,
                                .reason = judged.reason,
                                .detail = is_bounce ? ToString(report.reply).substr(0, kMostDetailBytes)
                                                    : out.detail,
                                .created_at = report.occurred_at};
  if (judged.life.age) out.suppression->expires_at = report.occurred_at + *judged.life.age;
  return out;
}

absl::StatusOr<std::vector<FeedbackOutcome>> FeedbackIntake::TakeReports(
    const std::vector<FeedbackReport>& reports, Instant now) const {
  std::vector<FeedbackKey> keys;
  for (const FeedbackReport& report : reports) {
    keys.push_back({report.message_id, report.queue_entry_id, report.recipient});
  }
  ASSIGN_OR_RETURN(auto subjects, store_.Match(keys));
  std::vector<FeedbackOutcome> outcomes(reports.size());
  std::vector<Feedback> matched;
  std::vector<size_t> places;
  for (size_t i = 0; i < reports.size(); ++i) {
    const FeedbackReport& report = reports[i];
    outcomes[i].kind = report.kind;
    const bool stands_alone = report.message_id == 0 && !report.tenant.empty() &&
                              !report.recipient.empty() && report.kind != FeedbackKind::kBounce;
    if (!subjects[i] && stands_alone) {
      subjects[i] = FeedbackSubject{.tenant = report.tenant, .recipient = report.recipient};
    }
    const bool is_others = subjects[i] && !report.tenant.empty() && subjects[i]->tenant != report.tenant;
    if (!subjects[i] || is_others) continue;
    matched.push_back(ToFeedback(report, *std::move(subjects[i])));
    places.push_back(i);
  }
  if (matched.empty()) return outcomes;
  ASSIGN_OR_RETURN(const std::vector<bool> is_new, store_.Record(matched, now));
  for (size_t i = 0; i < places.size(); ++i) {
    outcomes[places[i]].fate = is_new[i] ? FeedbackFate::kRecorded : FeedbackFate::kRepeated;
  }
  return outcomes;
}

absl::StatusOr<FeedbackOutcome> FeedbackIntake::TakeMessage(std::string_view message,
                                                            std::string_view envelope_to,
                                                            std::string_view envelope_from,
                                                            Instant now) const {
  const FeedbackMessage read = ReadFeedbackMessage(message, envelope_to, envelope_from);
  if (!IsActedOn(read.kind)) return FeedbackOutcome{FeedbackFate::kDropped, read.kind};
  for (const std::string& token : read.tokens) {
    if (!keys_) break;
    const auto content = keys_->Decode(token);
    if (!content.ok()) continue;
    FeedbackReport report{.kind = read.kind,
                          .message_id = content->message.value(),
                          .queue_entry_id = content->entry.value(),
                          .reply = ReplyFor(read),
                          .detail = Cat("by mail, ", read.shape),
                          .occurred_at = now};
    ASSIGN_OR_RETURN(const auto outcomes, TakeReports({report}, now));
    return outcomes.front();
  }
  return FeedbackOutcome{FeedbackFate::kUnmatched, read.kind};
}

}  // namespace sluice::storage
