#include "ingest/added_headers.h"

#include <random>

#include "base/text.h"
#include "mail/date.h"
#include "mail/message_id_header.h"

namespace sluice::ingest {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";

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

std::string AddedHeaders(const ContentFacts& facts, std::string_view list_unsubscribe_url,
                         Instant now, MessageIdTokens& tokens) {
  std::string headers;
  if (!facts.has_date) Append(headers, "Date: ", FormatDate(now), "\r\n");
  if (!facts.has_message_id) {
    Append(headers, "Message-ID: ", MakeMessageIdHeader(tokens.Next(), facts.from.front().domain()),
           "\r\n");
  }
  if (!list_unsubscribe_url.empty()) {
    Append(headers, "List-Unsubscribe: <", list_unsubscribe_url, ">\r\n");
    if (list_unsubscribe_url.starts_with("https:")) {
      Append(headers, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    }
  }
  return headers;
}

}  // namespace sluice::ingest
