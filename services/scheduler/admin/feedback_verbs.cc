#include "scheduler/admin/feedback_verbs.h"

#include <google/protobuf/util/time_util.h>

#include <set>

#include "base/status.h"
#include "base/text.h"
#include "mail/ids.h"
#include "mail/suppression.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

using storage::FeedbackFate;
using storage::FeedbackOutcome;
using storage::FeedbackReport;

constexpr int kMostReports = 1'000;
constexpr size_t kMostRawBytes = 1 << 20;
constexpr auto kClocksDiffer = std::chrono::hours(1);
constexpr int kLeastCode = 200, kMostCode = 599;

absl::StatusOr<FeedbackKind> KindOf(v1::EventKind kind, const std::string& path) {
  switch (kind) {
    case v1::EVENT_KIND_COMPLAINED: return FeedbackKind::kComplaint;
    case v1::EVENT_KIND_BOUNCED_LATER: return FeedbackKind::kBounce;
    case v1::EVENT_KIND_UNSUBSCRIBED: return FeedbackKind::kUnsubscribe;
    default:
      return wire::FieldError(
          path + ".kind",
          "is no feedback; write EVENT_KIND_COMPLAINED, EVENT_KIND_BOUNCED_LATER or EVENT_KIND_UNSUBSCRIBED");
  }
}

// All of it may be left out.
absl::Status TakeReply(const v1::Reply& from, const std::string& path, SmtpReply& out) {
  if (from.code() != 0 && (from.code() < kLeastCode || from.code() > kMostCode)) {
    return wire::FieldError(path + ".code", Cat("is no reply code; write one from ", kLeastCode, " to ", kMostCode));
  }
  out.code = from.code();
  out.enhanced = EnhancedStatus::Parse(from.enhanced_status());
  if (!out.enhanced && !from.enhanced_status().empty()) {
    return wire::FieldError(path + ".enhanced_status", Cat(Quoted(from.enhanced_status()), " is none; write it as in 5.1.1"));
  }
  return absl::OkStatus();
}

absl::StatusOr<FeedbackReport> ReportOf(const v1::Feedback& from, const std::string& path, Instant now) {
  FeedbackReport out;
  ASSIGN_OR_RETURN(out.kind, KindOf(from.kind(), path));
  out.tenant = from.tenant();
  out.recipient = from.recipient();
  if (from.recipient().empty()) {
    return wire::FieldError(path + ".recipient", "is empty; name whose copy it is about, or give `raw`");
  }
  if (const auto address = SuppressedAddress(from.recipient()); !address.ok()) {
    return wire::FieldError(path + ".recipient", Cat(Quoted(from.recipient()), ": ", address.status().message()));
  }
  if (!from.message_id().empty()) {
    const auto id = ParseMessageId(from.message_id());
    if (!id.ok()) return wire::FieldError(path + ".message_id", Cat(id.status().message()));
    out.message_id = id->value();
  } else if (from.tenant().empty() || out.kind == FeedbackKind::kBounce) {
    return wire::FieldError(path + ".message_id",
                            "is empty; only complaints and unsubscribes can name a tenant and a recipient instead");
  }
  RETURN_IF_ERROR(TakeReply(from.reply(), path + ".reply", out.reply));
  AppendSanitised(out.reply.text, from.reply().text(), 1'024);
  out.detail = "reported";
  out.occurred_at = from.has_occurred_at() ? FromMicros(google::protobuf::util::TimeUtil::TimestampToMicroseconds(
                                                 from.occurred_at()))
                                           : now;
  if (out.occurred_at > now + kClocksDiffer) return wire::FieldError(path + ".occurred_at", "is in the future; leave it out for now");
  return out;
}

void Count(const FeedbackOutcome& outcome, v1::ReportFeedbackResponse* response) {
  const bool matched = outcome.fate == FeedbackFate::kRecorded || outcome.fate == FeedbackFate::kRepeated;
  if (matched) {
    response->set_matched_count(response->matched_count() + 1);
  } else {
    response->set_unmatched_count(response->unmatched_count() + 1);
  }
  if (outcome.fate == FeedbackFate::kRepeated) response->set_repeated_count(response->repeated_count() + 1);
}

}  // namespace

absl::Status ReportFeedback(const FeedbackFace& face, Instant now,
                            const v1::ReportFeedbackRequest& request,
                            v1::ReportFeedbackResponse* response) {
  if (request.feedback_size() > kMostReports) {
    return wire::FieldError("feedback", Cat("has more than ", kMostReports, " elements; send them in parts"));
  }
  std::vector<FeedbackReport> reports;
  std::set<std::string> tenants;
  std::vector<const std::string*> raw;
  for (int i = 0; i < request.feedback_size(); ++i) {
    const v1::Feedback& one = request.feedback(i);
    const std::string path = Cat("feedback[", i, "]");
    if (one.raw().size() > kMostRawBytes) {
      return wire::FieldError(path + ".raw", "is larger than a megabyte; the first part of the message is enough");
    }
    if (!one.raw().empty()) {
      raw.push_back(&one.raw());
      continue;
    }
    ASSIGN_OR_RETURN(reports.emplace_back(), ReportOf(one, path, now));
    if (one.tenant().empty() || !tenants.insert(one.tenant()).second) continue;
    ASSIGN_OR_RETURN(const bool is_known, face.knows_tenant(one.tenant()));
    if (!is_known) return wire::FieldError(path + ".tenant", Cat("the policy has no tenant ", Quoted(one.tenant())));
  }
  if (!reports.empty()) {
    ASSIGN_OR_RETURN(const auto outcomes, face.intake.TakeReports(reports, now));
    for (const FeedbackOutcome& outcome : outcomes) Count(outcome, response);
  }
  for (const std::string* message : raw) {
    ASSIGN_OR_RETURN(const FeedbackOutcome outcome, face.intake.TakeMessage(*message, "", "", now));
    Count(outcome, response);
  }
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
