#include "ingest/added_headers.h"

#include <random>

#include "base/text.h"
#include "mail/date.h"
#include "mail/message_id_header.h"
#include "smtp/token.h"

namespace sluice::ingest {
namespace {

constexpr size_t kFeedbackWordBytes = 64;
constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";

// A part of Feedback-ID: colons separate the parts, and blanks and the like do not belong there.
std::string FeedbackWord(std::string_view text) {
  std::string word(text.substr(0, kFeedbackWordBytes));
  for (char& c : word) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!is_plain) c = '_';
  }
  return word;
}

}  // namespace

MessageIdTokens::MessageIdTokens() {
  std::random_device random;
  for (int i = 0; i < 16; ++i) prefix_ += kAlphabet[random() & 31];
}

std::string MessageIdTokens::Next() {
  std::string token = prefix_;
  token += '.';
  uint64_t rest = next_.fetch_add(1, std::memory_order_relaxed);
  do {
    token += kAlphabet[rest & 31];
    rest >>= 5;
  } while (rest != 0);
  return token;
}

std::string AddedHeaders(const ContentFacts& facts, const SubmissionRequest& request,
                         const TenantPolicy& tenant, Instant now, MessageIdTokens& tokens) {
  std::string headers;
  if (!facts.has_date) Append(headers, "Date: ", FormatDate(now), "\r\n");
  if (!facts.has_message_id) {
    Append(headers, "Message-ID: ", MakeMessageIdHeader(tokens.Next(), facts.from.front().domain()),
           "\r\n");
  }
  if (const std::string_view url = request.list_unsubscribe_url; !url.empty()) {
    Append(headers, "List-Unsubscribe: <", url, ">\r\n");
    if (url.starts_with("https:")) {
      Append(headers, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    }
  }
  if (!tenant.token_header.empty()) {
    Append(headers, tenant.token_header, ": ", kTokenPlaceholder, "\r\n");
  }
  if (!tenant.feedback_sender.empty() && !facts.has_feedback_id) {
    Append(headers, "Feedback-ID: ", FeedbackWord(request.campaign), ":", FeedbackWord(tenant.name),
           ":", FeedbackWord(request.stream), ":", tenant.feedback_sender, "\r\n");
  }
  return headers;
}

}  // namespace sluice::ingest
