#include "smtp/dsn.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr size_t kMostStatusBytes = 64 << 10;
constexpr size_t kMostRecipients = 100;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWordChar(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
         c == '_' || c == '@';
}
std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// `smtp; 550 …` → `550 …`. The type is a word; what has a longer or odd one is no type.
std::string_view WithoutType(std::string_view value) {
  const size_t semicolon = value.find(';');
  if (semicolon == std::string_view::npos || semicolon > 32) return value;
  const std::string_view type = TrimBlanks(value.substr(0, semicolon));
  if (!std::all_of(type.begin(), type.end(), IsWordChar)) return value;
  return TrimBlanks(value.substr(semicolon + 1));
}

// At `at`: three digits 4xx or 5xx that stand alone.
bool IsCodeAt(std::string_view text, size_t at) {
  if (at + 3 > text.size() || (text[at] != '4' && text[at] != '5')) return false;
  if (!IsDigit(text[at + 1]) || !IsDigit(text[at + 2])) return false;
  if (text[at + 1] > '5') return false;  // No server answers 560 and up; years and sizes do.
  if (at > 0 && IsWordChar(text[at - 1])) return false;
  if (at + 3 == text.size()) return true;
  const char after = text[at + 3];
  return after == ' ' || after == '-' || after == ':' || after == '\t' || after == ',' ||
         after == ')' || after == '#' || after == '_';
}

// At `at`: 5.1.1 that stands alone; `length` is what it takes.
std::optional<EnhancedStatus> StatusAt(std::string_view text, size_t at, size_t& length) {
  if (at > 0 && IsWordChar(text[at - 1]) && text[at - 1] != '-') return std::nullopt;
  size_t end = at;
  while (end < text.size() && (IsDigit(text[end]) || text[end] == '.') && end - at < 12) ++end;
  while (end > at && text[end - 1] == '.') --end;
  if (end < text.size() && IsWordChar(text[end]) && text[end] != '.' && text[end] != '-') {
    return std::nullopt;
  }
  length = end - at;
  const auto status = EnhancedStatus::Parse(text.substr(at, length));
  return status && status->klass != 2 ? status : std::nullopt;
}

// Every repetition of the code and the status goes, with the dash or blank behind it.
std::string WithoutRepetition(std::string_view text, const SmtpReply& reply) {
  const std::string code = std::to_string(reply.code);
  const std::string status = reply.enhanced ? ToString(*reply.enhanced) : std::string();
  std::string out;
  size_t at = 0;
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    if (reply.code != 0 && IsCodeAt(text, at) && rest.starts_with(code)) {
      at += 3;
      if (at < text.size() && (text[at] == '-' || text[at] == ' ' || text[at] == ':')) ++at;
      if (!status.empty() && text.substr(at).starts_with(status)) at += status.size();
      while (at < text.size() && text[at] == ' ') ++at;
      continue;
    }
    if (!status.empty() && out.empty() && rest.starts_with(status)) {
      at += status.size();
      while (at < text.size() && text[at] == ' ') ++at;
      continue;
    }
    out += text[at++];
  }
  return out;
}

std::optional<DsnAction> ActionOf(std::string_view value) {
  const std::string word = LowerCase(TrimBlanks(value.substr(0, value.find_first_of(" (;"))));
  if (word == "failed" || word == "failure") return DsnAction::kFailed;
  if (word == "delayed") return DsnAction::kDelayed;
  if (word == "delivered") return DsnAction::kDelivered;
  if (word == "relayed") return DsnAction::kRelayed;
  if (word == "expanded") return DsnAction::kExpanded;
  return std::nullopt;
}

// `5.1.1 (bad destination mailbox)`; also 5.1.1 with a blank too much.
std::optional<EnhancedStatus> StatusField(std::string_view value) {
  std::string digits;
  for (const char c : value.substr(0, value.find('('))) {
    if (IsDigit(c) || c == '.') digits += c;
  }
  return EnhancedStatus::Parse(digits);
}

std::optional<DsnRecipient> RecipientOf(const HeaderFields& fields) {
  DsnRecipient out;
  out.final_recipient = AddressInText(fields.Find("final-recipient"));
  out.original_recipient = AddressInText(fields.Find("original-recipient"));
  if (out.final_recipient.empty() && out.original_recipient.empty()) return std::nullopt;
  out.remote_mta = WithoutType(fields.Find("remote-mta"));
  out.reply = ReplyInText(WithoutType(fields.Find("diagnostic-code")));
  const auto status = StatusField(fields.Find("status"));
  // The server's own status says more than the reporter's; 5.0.0 says nothing.
  if (!out.reply.enhanced && status && status->klass != 2) out.reply.enhanced = status;
  const auto action = ActionOf(fields.Find("action"));
  const bool transient = status && status->klass == 4;
  out.action = action.value_or(transient ? DsnAction::kDelayed : DsnAction::kFailed);
  return out;
}

bool IsStatusPart(const MimePart& part) {
  return part.type == "message/delivery-status" || part.type == "message/global-delivery-status";
}

}  // namespace

std::string AddressInText(std::string_view text) {
  text = WithoutType(text);
  const size_t open = text.find('<');
  if (open != std::string_view::npos) {
    text = text.substr(open + 1);
    return std::string(TrimBlanks(text.substr(0, text.find('>'))));
  }
  text = TrimBlanks(text);
  return std::string(text.substr(0, text.find_first_of(" \t(,;")));
}

SmtpReply ReplyInText(std::string_view text) {
  text = text.substr(0, kMaxReplyTextBytes);
  SmtpReply reply;
  for (size_t at = 0; at < text.size(); ++at) {
    if (!IsDigit(text[at])) continue;
    size_t length = 0;
    if (reply.code == 0 && IsCodeAt(text, at)) {
      reply.code = (text[at] - '0') * 100 + (text[at + 1] - '0') * 10 + (text[at + 2] - '0');
    } else if (const auto status = StatusAt(text, at, length); status && !reply.enhanced) {
      reply.enhanced = status;
    }
    while (at + 1 < text.size() && (IsDigit(text[at + 1]) || text[at + 1] == '.')) ++at;
  }
  AppendSanitised(reply.text, WithoutRepetition(text, reply), kMaxReplyTextBytes);
  return reply;
}

std::optional<Dsn> ReadDsn(const MimeMessage& message) {
  const auto part = std::find_if(message.parts.begin(), message.parts.end(), IsStatusPart);
  if (part == message.parts.end()) return std::nullopt;
  const std::string body = DecodedBody(*part, kMostStatusBytes);
  std::string_view rest = body;
  Dsn dsn;
  while (!rest.empty() && dsn.recipients.size() < kMostRecipients) {
    const HeaderFields fields = ReadHeaderFields(rest);
    if (const auto mta = fields.Find("reporting-mta"); !mta.empty()) dsn.reporting_mta = WithoutType(mta);
    if (const auto id = fields.Find("original-envelope-id"); !id.empty()) dsn.envelope_id = id;
    if (auto recipient = RecipientOf(fields)) dsn.recipients.push_back(*std::move(recipient));
  }
  if (dsn.recipients.empty()) return std::nullopt;
  return dsn;
}

}  // namespace sluice
