#include "mail/ascii_field.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "mail/domain.h"
#include "mail/encoded_word.h"
#include "mail/header_kind.h"
#include "mail/header_section.h"
#include "mail/limits.h"
#include "mail/utf8.h"

namespace sluice {
namespace {

// RFC 2231 §3: longer values go in pieces, so that lines stay short.
constexpr size_t kParameterPiece = 60;
// RFC 5322 §2.1.1: lines should have no more than 78 characters.
constexpr size_t kFoldAt = 60;

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

// Behind the quoted string or comment at the front; comments nest. The end if it never ends.
size_t EndOfQuoted(std::string_view text) {
  const bool is_comment = text.front() == '(';
  int depth = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\') {
      ++at;
    } else if (is_comment) {
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
      if (depth == 0) return at + 1;
    } else if (c == '"' && at > 0) {
      return at + 1;
    }
  }
  return text.size();
}

// Without the quotes or parentheses around, and the backslashes before characters.
std::string Inside(std::string_view quoted) {
  std::string out;
  for (size_t at = 1; at + 1 < quoted.size(); ++at) {
    if (quoted[at] == '\\' && at + 2 < quoted.size()) ++at;
    out += quoted[at];
  }
  return out;
}

size_t Column(const std::string& out) {
  const size_t line = out.rfind('\n');
  return line == std::string::npos ? out.size() : out.size() - line - 1;
}

// What was folded before is so again.
void Fold(std::string& out, std::string_view next) {
  if (Column(out) < kFoldAt || next.empty()) return;
  out += IsBlank(next.front()) ? "\r\n" : "\r\n ";
}

// One address list; what is ASCII keeps its bytes.
class AddressField {
 public:
  explicit AddressField(std::string& out) : out_(out) {}

  bool Write(std::string_view text) {
    while (!text.empty()) {
      const size_t end = Element(text);
      const char last = end < text.size() ? text[end] : '\0';
      const std::string_view element = text.substr(0, end);
      const bool is_phrase = last == '<' || last == ':';
      if (!(is_phrase ? Phrase(element) : Address(element))) return false;
      text.remove_prefix(end);
      if (last == '<') {
        const size_t close = std::min(text.find('>'), text.size() - 1);
        if (!Address(text.substr(0, close + 1))) return false;
        text.remove_prefix(close + 1);
      } else if (!text.empty()) {
        out_ += text.front();
        text.remove_prefix(1);
        Fold(out_, text);
      }
    }
    return true;
  }

 private:
  // The offset of the special that ends what stands at the front.
  static size_t Element(std::string_view text) {
    size_t at = 0;
    while (at < text.size() && std::string_view("<:,;").find(text[at]) == std::string_view::npos) {
      const bool is_quoted = text[at] == '"' || text[at] == '(';
      at += is_quoted ? EndOfQuoted(text.substr(at)) : 1;
    }
    return at;
  }

  bool Phrase(std::string_view phrase) {
    if (IsAscii(phrase)) {
      out_ += phrase;
      return true;
    }
    std::string text;
    std::string comments;
    while (!phrase.empty()) {
      const bool is_quoted = phrase.front() == '"' || phrase.front() == '(';
      const size_t size = is_quoted ? EndOfQuoted(phrase) : 1;
      const std::string_view piece = phrase.substr(0, size);
      if (piece.front() == '(') {
        comments += piece;
      } else {
        text += is_quoted ? Inside(piece) : std::string(piece);
      }
      phrase.remove_prefix(size);
    }
    Words(DecodeWords(Trim(text)));
    out_ += ' ';
    if (!comments.empty()) {
      if (!Comment(comments)) return false;
      out_ += ' ';
    }
    return true;
  }

  void Words(std::string_view text) {
    if (!out_.empty() && !IsBlank(out_.back())) out_ += ' ';
    AppendEncodedWords(out_, text, Column(out_));
  }

  bool Comment(std::string_view comment) {
    if (IsAscii(comment)) {
      out_ += comment;
      return true;
    }
    out_ += '(';
    AppendEncodedWords(out_, DecodeWords(Inside(comment)), Column(out_));
    out_ += ')';
    return true;
  }

  // With or without angle brackets, comments around.
  bool Address(std::string_view text) {
    std::string address;
    while (!text.empty()) {
      if (text.front() == '(') {
        const size_t size = EndOfQuoted(text);
        if (!Spec(std::exchange(address, {}))) return false;
        if (!Comment(text.substr(0, size))) return false;
        text.remove_prefix(size);
      } else {
        const size_t size = text.front() == '"' ? EndOfQuoted(text) : 1;
        address += text.substr(0, size);
        text.remove_prefix(size);
      }
    }
    return Spec(address);
  }

  bool Spec(const std::string& address) {
    const size_t at = address.rfind('@');
    if (IsAscii(address)) {
      out_ += address;
      return true;
    }
    if (at == std::string::npos || !IsAscii(std::string_view(address).substr(0, at))) return false;
    std::string_view domain = std::string_view(address).substr(at + 1);
    const size_t end = std::min(domain.find_first_of("> \t"), domain.size());
    const auto ascii = NormaliseDomain(domain.substr(0, end));
    if (!ascii.ok() || !IsAscii(domain.substr(end))) return false;
    Append(out_, std::string_view(address).substr(0, at + 1), *ascii, domain.substr(end));
    return true;
  }

  std::string& out_;
};

// ---- parameters ----

void AppendPercent(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out += '%';
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

bool IsAttributeChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

void AppendExtended(std::string& out, std::string_view name, std::string_view value) {
  std::string coded;
  for (const char c : value) {
    IsAttributeChar(c) ? static_cast<void>(coded += c) : AppendPercent(coded, c);
  }
  if (coded.size() <= kParameterPiece) {
    Append(out, "\r\n ", name, "*=utf-8''", coded);
    return;
  }
  for (size_t at = 0, number = 0; at < coded.size(); ++number) {
    size_t end = std::min(at + kParameterPiece, coded.size());
    // An octet stays in one piece.
    for (size_t back = 1; back <= 2 && end < coded.size(); ++back) {
      if (coded[end - back] == '%') end -= back;
    }
    Append(out, number == 0 ? "" : ";", "\r\n ", name, "*", number, number == 0 ? "*=utf-8''" : "*=",
           std::string_view(coded).substr(at, end - at));
    at = end;
  }
}

bool Parameters(std::string_view text, std::string& out) {
  for (bool is_first = true;; is_first = false) {
    size_t end = 0;
    while (end < text.size() && text[end] != ';') {
      const bool is_quoted = text[end] == '"' || text[end] == '(';
      end += is_quoted ? EndOfQuoted(text.substr(end)) : 1;
    }
    const std::string_view one = text.substr(0, end);
    const size_t equals = one.find('=');
    if (IsAscii(one)) {
      if (!is_first) Fold(out, one);
      out += one;
    } else if (is_first || equals == std::string_view::npos || !IsAscii(one.substr(0, equals))) {
      return false;
    } else {
      const std::string_view name = Trim(one.substr(0, equals));
      std::string_view value = Trim(one.substr(equals + 1));
      // Of what is coded already, or tells where parts begin, nothing may change.
      if (name.ends_with('*') || LowerName(name) == "boundary") return false;
      AppendExtended(out, name, value.starts_with('"') ? Inside(value) : std::string(value));
    }
    if (end == text.size()) return true;
    out += ';';
    text.remove_prefix(end + 1);
  }
}

bool HasLongLine(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find("\r\n"), text.size());
    if (end > limits::kLineBytes) return true;
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  return false;
}

}  // namespace

std::optional<std::string> AsciiField(std::string_view field) {
  if (IsAscii(field)) return std::string(field);
  const size_t colon = field.find(':');
  if (colon == std::string_view::npos || !IsAscii(field.substr(0, colon))) return std::nullopt;
  if (!IsValidUtf8(field)) return std::nullopt;
  const std::string value = Unfold(field.substr(colon + 1));
  std::string out(Cat(field.substr(0, colon), ": "));
  bool is_written = false;
  switch (KindOfHeader(LowerName(field.substr(0, colon)))) {
    case HeaderKind::kText:
      AppendEncodedWords(out, DecodeWords(value), Column(out));
      is_written = true;
      break;
    case HeaderKind::kAddresses:
      is_written = AddressField(out).Write(value);
      break;
    case HeaderKind::kParameters:
      is_written = Parameters(value, out);
      break;
    case HeaderKind::kPlain:
    case HeaderKind::kFixed:
      break;
  }
  out += "\r\n";
  if (!is_written || !IsAscii(out) || HasLongLine(out)) return std::nullopt;
  return out;
}

}  // namespace sluice
