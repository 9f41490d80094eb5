#include "smtp/feedback_message.h"

#include <algorithm>

#include "smtp/arf.h"
#include "smtp/dsn.h"
#include "smtp/loose_bounce.h"
#include "smtp/mime.h"
#include "smtp/token_search.h"
#include "smtp/verp.h"

namespace sluice {
namespace {

constexpr size_t kMostMessageBytes = 1 << 20;
constexpr size_t kMostPartBytes = 256 << 10;
constexpr size_t kMostTextBytes = 64 << 10;
constexpr size_t kMostTokens = 64;

// The reporter's own words: text before HTML.
std::string ReadableText(const MimeMessage& message) {
  for (const std::string_view type : {"text/plain", "text/html"}) {
    for (const MimePart& part : message.parts) {
      if (part.type != type) continue;
      std::string text = DecodedBody(part, kMostTextBytes);
      return type == "text/html" ? TextOfHtml(text) : text;
    }
  }
  return {};
}

FeedbackMessage OfDsn(const Dsn& dsn) {
  FeedbackMessage out{.shape = "dsn"};
  const auto has = [&](DsnAction action) {
    return std::any_of(dsn.recipients.begin(), dsn.recipients.end(),
                       [&](const DsnRecipient& one) { return one.action == action; });
  };
  if (!has(DsnAction::kFailed)) {
    out.kind = has(DsnAction::kDelayed) ? FeedbackKind::kDelay : FeedbackKind::kReceipt;
    return out;
  }
  out.kind = FeedbackKind::kBounce;
  for (const DsnRecipient& one : dsn.recipients) {
    if (one.action != DsnAction::kFailed) continue;
    // What we sent to is the original; forwarding makes another one of it.
    out.recipients.push_back(
        {one.original_recipient.empty() ? one.final_recipient : one.original_recipient, one.reply});
  }
  return out;
}

FeedbackMessage OfAbuse(const AbuseReport& report) {
  FeedbackMessage out{.kind = FeedbackKind::kComplaint, .shape = "arf"};
  const std::string& type = report.feedback_type;
  if (type == "not-spam" || type.starts_with("auth-failure") || type == "dmarc") {
    out.kind = FeedbackKind::kOther;
  } else if (type == "opt-out" || type == "opt-out-list" || type == "unsubscribe") {
    out.kind = FeedbackKind::kUnsubscribe;
  }
  for (const std::string& address : report.original_recipients) out.recipients.push_back({address, {}});
  return out;
}

// Feedback loops older than RFC 5965: the original message attached to a few words.
bool IsOldComplaint(const MimeMessage& message) {
  const std::string subject = LowerCase(message.headers.Find("subject"));
  const std::string from = LowerCase(message.headers.Find("from"));
  return !message.headers.Find("x-hmxmroriginalrecipient").empty() ||
         subject.find("email feedback report") != std::string::npos ||
         (subject.find("complaint about message from") != std::string::npos &&
          from.find("staff@hotmail.com") != std::string::npos);
}

bool IsAutoReply(const HeaderFields& headers) {
  const std::string submitted = LowerCase(headers.Find("auto-submitted"));
  const std::string precedence = LowerCase(headers.Find("precedence"));
  if (submitted.starts_with("auto-replied") || precedence == "auto_reply") return true;
  for (const std::string_view name : {"x-autoreply", "x-autorespond", "x-autoreply-from"}) {
    if (!headers.Find(name).empty()) return true;
  }
  const std::string subject = LowerCase(headers.Find("subject"));
  for (const std::string_view word :
       {"out of office", "automatic reply", "auto-reply", "autoreply", "abwesenheit",
        "automatische antwort", "réponse automatique", "respuesta automática"}) {
    if (subject.find(word) != std::string::npos) return true;
  }
  return false;
}

FeedbackMessage Judge(const MimeMessage& message, std::string_view envelope_from) {
  // Sendmail's vacation sends DSN-like headers, too: the parts say more than the headers.
  if (const auto report = ReadAbuseReport(message)) return OfAbuse(*report);
  if (const auto dsn = ReadDsn(message)) return OfDsn(*dsn);
  if (IsOldComplaint(message)) {
    FeedbackMessage out{.kind = FeedbackKind::kComplaint, .shape = "old"};
    const std::string recipient = AddressInText(message.headers.Find("x-hmxmroriginalrecipient"));
    if (!recipient.empty()) out.recipients.push_back({recipient, {}});
    return out;
  }
  if (message.headers.Find("x-failed-recipients").empty() && IsAutoReply(message.headers)) {
    return {.kind = FeedbackKind::kAutoReply, .shape = "auto"};
  }
  if (const auto type = MediaType(message.headers.Find("content-type"));
      type == "multipart/report" &&
      LowerCase(MediaParameter(message.headers.Find("content-type"), "report-type")) ==
          "disposition-notification") {
    return {.kind = FeedbackKind::kReceipt, .shape = "mdn"};
  }
  if (auto bounce = ReadLooseBounce(message.headers, ReadableText(message), envelope_from.empty())) {
    return *std::move(bounce);
  }
  return {};
}

std::vector<std::string> TokensOf(const MimeMessage& message, std::string_view envelope_to) {
  std::vector<std::string> tokens;
  if (const auto token = TokenOfVerpAddress(envelope_to)) FindTokens(*token, kMostTokens, tokens);
  for (const auto& [name, value] : message.headers.all()) FindTokens(value, kMostTokens, tokens);
  // The original is attached, quoted, or its header alone is.
  for (const MimePart& part : message.parts) {
    FindTokens(DecodedBody(part, kMostPartBytes), kMostTokens, tokens);
  }
  return tokens;
}

}  // namespace

std::string_view ToString(FeedbackKind kind) {
  switch (kind) {
    case FeedbackKind::kBounce: return "bounce";
    case FeedbackKind::kComplaint: return "complaint";
    case FeedbackKind::kUnsubscribe: return "unsubscribe";
    case FeedbackKind::kDelay: return "delay";
    case FeedbackKind::kReceipt: return "receipt";
    case FeedbackKind::kAutoReply: return "auto_reply";
    case FeedbackKind::kOther: return "other";
  }
  return "other";
}

FeedbackMessage ReadFeedbackMessage(std::string_view message, std::string_view envelope_to,
                                    std::string_view envelope_from) {
  const MimeMessage mime = ReadMimeMessage(message.substr(0, kMostMessageBytes));
  FeedbackMessage out = Judge(mime, envelope_from);
  out.tokens = TokensOf(mime, envelope_to);
  return out;
}

}  // namespace sluice
