#include "mail/merge_template.h"

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/encoded_word.h"
#include "mail/mime.h"
#include "mail/utf8.h"

namespace sluice {
namespace {

// Beyond this a header line is folded where it has blanks.
constexpr size_t kLine = 76;
// Quoted-printable triples a byte; HTML escaping makes six of one.
constexpr size_t kMostGrowth = 6;
// A line has 998 characters at most, and a URL comes with more than the value.
constexpr size_t kMostPlainBytes = 400;

void AppendHtml(std::string& out, std::string_view value) {
  for (const char c : value) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
}

// Line ends of a value as mail has them.
std::string WithCrlf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 32);
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r' && text.substr(i + 1).starts_with('\n')) ++i;
    if (c == '\r' || c == '\n') {
      out += "\r\n";
    } else {
      out += c;
    }
  }
  return out;
}

bool IsAtomText(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c == ' ' || (IsAtomChar(c) && c > 0); });
}

void AppendFolded(std::string& out, std::string_view name, std::string_view value) {
  Append(out, name, ": ");
  size_t used = name.size() + 2;
  while (!value.empty()) {
    const size_t word = std::min(value.find(' ', 1), value.size());
    if (used + word > kLine && value.front() == ' ' && used > name.size() + 2) {
      out += "\r\n";
      used = 0;
    }
    out.append(value.substr(0, word));
    used += word;
    value.remove_prefix(word);
  }
}

bool HasLongWord(std::string_view text) {
  size_t run = 0;
  for (const char c : text) {
    run = c == ' ' ? 0 : run + 1;
    if (run > 900) return true;
  }
  return false;
}

absl::Status Bad(std::string_view name, std::string_view why) {
  return absl::InvalidArgumentError(Cat("the value of ", Quoted(name), " ", why));
}

}  // namespace

absl::StatusOr<MergeTemplate::Bound> MergeTemplate::Bind(const Values& values) const {
  Bound bound;
  for (const std::string& name : names_) {
    const std::optional<std::string_view> value = values(name);
    if (!value.has_value()) {
      return absl::InvalidArgumentError(
          Cat("there is no value of ", Quoted(name), ", which the content names: give one, empty "
              "if need be"));
    }
    if (!IsValidUtf8(*value)) return Bad(name, "is not UTF-8: encode it so");
    bound.push_back(*value);
  }
  return bound;
}

absl::Status MergeTemplate::CheckUse(const std::string& name, std::string_view value, Use use) {
  if (use == Use::kText || use == Use::kHtml) {
    if (value.find('\0') == std::string_view::npos) return absl::OkStatus();
    return Bad(name, "has a NUL character in it: remove it");
  }
  for (const char c : value) {
    if (c == '\r' || c == '\n') return Bad(name, "has a line end in it and stands in a header: remove it");
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return Bad(name, "has a control character in it and stands in a header: remove it");
    }
  }
  const bool is_plain = IsAscii(value) && value.find_first_of(" <>\"") == std::string_view::npos;
  if ((use == Use::kPlain || use == Use::kAddress) && value.size() > kMostPlainBytes) {
    return Bad(name, Cat("has ", value.size(), " bytes and stands in a header that cannot be "
                         "folded: at most ", kMostPlainBytes));
  }
  if (use == Use::kPlain && !is_plain) {
    return Bad(name, "stands in a header that takes printable ASCII without blanks, quotes and "
                     "angle brackets: encode it");
  }
  if (use == Use::kAddress &&
      !(is_plain && value.find_first_of("(),:;[]\\") == std::string_view::npos)) {
    return Bad(name, "stands within the angle brackets of an address: give an address, or a part of one");
  }
  return absl::OkStatus();
}

absl::Status MergeTemplate::CheckPieces(const std::vector<Piece>& pieces, const MergeTemplate& self,
                                        const Bound& bound, size_t& bytes) {
  for (const Piece& piece : pieces) {
    RETURN_IF_ERROR(CheckPieces(piece.phrase, self, bound, bytes));
    if (piece.field < 0) continue;
    const auto field = static_cast<size_t>(piece.field);
    RETURN_IF_ERROR(CheckUse(self.names_[field], bound[field], piece.use));
    bytes += bound[field].size() * kMostGrowth;
  }
  return absl::OkStatus();
}

absl::Status MergeTemplate::Check(const Values& values, size_t most_bytes) const {
  ASSIGN_OR_RETURN(const Bound bound, Bind(values));
  size_t bytes = fixed_bytes_;
  for (const Segment& segment : segments_) {
    RETURN_IF_ERROR(CheckPieces(segment.pieces, *this, bound, bytes));
  }
  if (bytes <= most_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(Cat("with these values the message may have ", bytes,
                                        " bytes: at most ", most_bytes,
                                        " are allowed, shorten the values"));
}

std::string MergeTemplate::Text(const std::vector<Piece>& pieces, const Bound& bound) {
  std::string out;
  for (const Piece& piece : pieces) {
    if (piece.field < 0) {
      out += piece.literal;
    } else if (piece.use == Use::kHtml) {
      AppendHtml(out, bound[static_cast<size_t>(piece.field)]);
    } else {
      out += bound[static_cast<size_t>(piece.field)];
    }
  }
  return out;
}

// A display name: as it is, quoted, or encoded. A lone field may be an address instead.
void MergeTemplate::AppendPhrase(std::string& out, const Piece& piece, const Bound& bound) {
  const bool was_quoted = piece.field < 0;
  const std::string text =
      was_quoted ? Text(piece.phrase, bound) : std::string(bound[static_cast<size_t>(piece.field)]);
  if (!was_quoted && (IsAtomText(text) || EmailAddress::Parse(text).ok())) {
    out += text;
  } else if (!IsAscii(text)) {
    AppendEncodedWords(out, text, kLine / 2);
  } else {
    out += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
}

std::string MergeTemplate::FieldValue(const Segment& segment, const Bound& bound) {
  if (segment.kind == Segment::Kind::kUnstructured) return Text(segment.pieces, bound);
  std::string value;
  for (const Piece& piece : segment.pieces) {
    const bool is_phrase = !piece.phrase.empty() || (piece.field >= 0 && piece.use == Use::kPhrase);
    if (is_phrase) {
      AppendPhrase(value, piece, bound);
    } else {
      value += piece.field < 0 ? std::string_view(piece.literal)
                               : bound[static_cast<size_t>(piece.field)];
    }
  }
  return value;
}

void MergeTemplate::AppendSegment(std::string& out, const Segment& segment, const Bound& bound) {
  using Kind = Segment::Kind;
  if (segment.kind == Kind::kVerbatim) {
    Append(out, segment.verbatim, segment.own);
  } else if (segment.kind == Kind::kQuotedPrintable) {
    AppendQuotedPrintable(out, WithCrlf(Text(segment.pieces, bound)));
  } else if (segment.kind == Kind::kBase64) {
    AppendBase64Lines(out, WithCrlf(Text(segment.pieces, bound)));
  } else {
    const std::string value = FieldValue(segment, bound);
    const bool must_encode = segment.kind == Kind::kUnstructured &&
                             (!IsAscii(value) || value.find("=?") != std::string::npos ||
                              HasLongWord(value));
    if (must_encode) {
      Append(out, segment.own, ": ");
      AppendEncodedWords(out, value, segment.own.size() + 2);
    } else {
      AppendFolded(out, segment.own, value);
    }
    out += "\r\n";
  }
}

absl::StatusOr<std::string> MergeTemplate::Render(const Values& values) const {
  ASSIGN_OR_RETURN(const Bound bound, Bind(values));
  size_t bytes = fixed_bytes_;
  for (const Segment& segment : segments_) {
    RETURN_IF_ERROR(CheckPieces(segment.pieces, *this, bound, bytes));
  }
  std::string out;
  out.reserve(fixed_bytes_ + fixed_bytes_ / 8);
  for (const Segment& segment : segments_) AppendSegment(out, segment, bound);
  return out;
}

absl::StatusOr<std::optional<std::string>> MergeTemplate::RenderField(std::string_view name,
                                                                      const Values& values) const {
  const auto is_named = [name](const Segment& segment) {
    return segment.own.size() == name.size() &&
           std::equal(name.begin(), name.end(), segment.own.begin(), [](char a, char b) {
             return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b);
           });
  };
  for (const Segment& segment : segments_) {
    if (segment.kind != Segment::Kind::kStructured || !is_named(segment)) continue;
    ASSIGN_OR_RETURN(const Bound bound, Bind(values));
    return std::optional<std::string>(FieldValue(segment, bound));
  }
  return std::optional<std::string>();
}

}  // namespace sluice
