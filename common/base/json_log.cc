#include "base/json_log.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace sluice {
namespace {

constexpr size_t kMostDigits = 15;

// Bytes of the character of UTF-8 (RFC 3629) at the start of `text`; 0 = it is none.
size_t CharacterBytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  }
  const unsigned char second = byte(1);
  const bool is_wrong = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
                        (lead == 0xf4 && second > 0x8f);
  return is_wrong ? 0 : bytes;
}

// A peer's reply may be anything; JSON is UTF-8.
void AppendString(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const auto byte = static_cast<unsigned char>(c);
    const size_t bytes = CharacterBytes(text);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else if (bytes == 0) {
      out += "\\ufffd";
    } else {
      out += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  out += '"';
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// As JSON writes them: no leading zeros, digits on both sides of a point.
bool IsNumber(std::string_view text) {
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  const size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point), fraction = text.substr(std::min(point + 1, text.size()));
  if (whole.empty() || whole.size() + fraction.size() > kMostDigits || (whole.size() > 1 && whole.front() == '0')) return false;
  if (point < text.size() && fraction.empty()) return false;
  return std::all_of(whole.begin(), whole.end(), IsDigit) && std::all_of(fraction.begin(), fraction.end(), IsDigit);
}

// The value at the start of `rest`, without its quotes; nothing when it does not end.
std::optional<std::string> TakeQuoted(std::string_view& rest) {
  std::string value;
  for (size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return value;
    }
    if (rest[i] != '\\') {
      value += rest[i];
      continue;
    }
    if (++i == rest.size()) break;
    if (rest[i] == 'n') {
      value += '\n';
    } else if (rest[i] == 'x' && i + 2 < rest.size()) {
      const auto digit = [&](size_t at) { return IsDigit(rest[at]) ? rest[at] - '0' : rest[at] - 'a' + 10; };
      value += static_cast<char>(digit(i + 1) << 4 | (digit(i + 2) & 15));
      i += 2;
    } else {
      value += rest[i];
    }
  }
  return std::nullopt;
}

bool TakePair(std::string_view& rest, std::string& out) {
  const size_t equals = rest.find('=');
  if (equals == 0 || equals == std::string_view::npos || rest.substr(0, equals).find(' ') != std::string_view::npos) return false;
  AppendString(out, rest.substr(0, equals));
  out += ':';
  rest.remove_prefix(equals + 1);
  if (!rest.empty() && rest.front() == '"') {
    const std::optional<std::string> value = TakeQuoted(rest);
    if (!value.has_value() || !(rest.empty() || rest.front() == ' ')) return false;
    AppendString(out, *value);
    return true;
  }
  const std::string_view word = rest.substr(0, rest.find(' '));
  if (IsNumber(word) || word == "true" || word == "false") {
    out += word;
  } else {
    AppendString(out, word);
  }
  rest.remove_prefix(word.size());
  return true;
}

}  // namespace

std::string JsonOf(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  std::string out = "{";
  for (std::string_view rest = line; !rest.empty();) {
    if (rest.front() == ' ') {
      rest.remove_prefix(1);
      continue;
    }
    if (out.size() > 1) out += ',';
    if (TakePair(rest, out)) continue;
    out = "{\"text\":";
    AppendString(out, line);
    break;
  }
  return out + "}\n";
}

void JsonSink::Write(std::string_view lines) {
  std::string out;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    out += JsonOf(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  under_.Write(out);
}

}  // namespace sluice
