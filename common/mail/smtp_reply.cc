#include "mail/smtp_reply.h"

#include <charconv>

#include "base/text.h"

namespace sluice {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// One to three digits, as RFC 3463 §2 allows.
std::optional<uint16_t> ReadNumber(std::string_view& text) {
  size_t length = 0;
  while (length < text.size() && IsDigit(text[length])) {
    ++length;
  }
  if (length == 0 || length > 3) {
    return std::nullopt;
  }
  uint16_t value = 0;
  std::from_chars(text.data(), text.data() + length, value);
  text.remove_prefix(length);
  return value;
}

bool Skip(std::string_view& text, char c) {
  if (!text.starts_with(c)) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

// Length of the UTF-8 character at the start of `bytes` (overlong forms, surrogates and what lies
// past U+10FFFF are none), or 0.
size_t Utf8Length(std::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char first = at(0);
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes.size() < length) {
    return 0;
  }
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  if (at(1) < low || at(1) > high) {
    return 0;
  }
  for (size_t i = 2; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  return length;
}

}  // namespace

std::optional<EnhancedStatus> EnhancedStatus::ParsePrefix(std::string_view text, size_t& length) {
  std::string_view rest = text;
  const auto klass = ReadNumber(rest);
  if (!klass || (*klass != 2 && *klass != 4 && *klass != 5) || !Skip(rest, '.')) {
    return std::nullopt;
  }
  const auto subject = ReadNumber(rest);
  if (!subject || !Skip(rest, '.')) {
    return std::nullopt;
  }
  const auto detail = ReadNumber(rest);
  if (!detail || !(rest.empty() || rest.front() == ' ' || rest.front() == '\t')) {
    return std::nullopt;
  }
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) {
    rest.remove_prefix(1);
  }
  length = text.size() - rest.size();
  return EnhancedStatus{static_cast<uint8_t>(*klass), *subject, *detail};
}

std::optional<EnhancedStatus> EnhancedStatus::Parse(std::string_view text) {
  size_t length = 0;
  const auto status = ParsePrefix(text, length);
  const bool whole = status && length == text.size() && IsDigit(text.back());
  return whole ? status : std::nullopt;
}

std::string ToString(EnhancedStatus status) {
  return Cat(static_cast<int>(status.klass), '.', status.subject, '.', status.detail);
}

std::string ToString(const SmtpReply& reply) {
  std::string out;
  out.reserve(16 + reply.text.size());
  if (reply.code != 0) {
    Append(out, reply.code);
  }
  if (reply.enhanced) {
    Append(out, out.empty() ? "" : " ", ToString(*reply.enhanced));
  }
  if (!reply.text.empty()) {
    Append(out, out.empty() ? "" : " ", reply.text);
  }
  return out;
}

std::optional<SmtpReply> ParseSmtpReply(std::string_view text) {
  SmtpReply reply;
  if (text.size() >= 3 && IsDigit(text[0]) && IsDigit(text[1]) && IsDigit(text[2]) &&
      (text.size() == 3 || text[3] == ' ')) {
    std::from_chars(text.data(), text.data() + 3, reply.code);
    text.remove_prefix(text.size() == 3 ? 3 : 4);
  }
  size_t length = 0;
  reply.enhanced = EnhancedStatus::ParsePrefix(text, length);
  if (reply.code == 0 && !reply.enhanced) {
    return std::nullopt;
  }
  AppendSanitised(reply.text, text.substr(length), kMaxReplyTextBytes);
  return reply;
}

SmtpReply LocalReply(EnhancedStatus enhanced, std::string_view text) {
  SmtpReply reply{.code = 0, .enhanced = enhanced, .text = {}};
  AppendSanitised(reply.text, text, kMaxReplyTextBytes);
  return reply;
}

void AppendSanitised(std::string& out, std::string_view bytes, size_t most) {
  for (size_t i = 0; i < bytes.size() && out.size() < most;) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte >= 0x20 && byte < 0x7f) {
      out += bytes[i++];
      continue;
    }
    const size_t length = byte >= 0x80 ? Utf8Length(bytes.substr(i)) : 0;
    // U+0080 to U+009F are control characters too.
    const bool is_control =
        length == 2 && byte == 0xc2 && static_cast<unsigned char>(bytes[i + 1]) < 0xa0;
    if (length == 0 || is_control) {
      out += byte == '\t' || byte == '\r' || byte == '\n' ? ' ' : '?';
      i += is_control ? length : 1;
    } else if (out.size() + length <= most) {
      out.append(bytes, i, length);
      i += length;
    } else {
      return;
    }
  }
}

}  // namespace sluice
