// Compiling a merge template: where the fields are, and what stands around them.
#include <algorithm>

#include "base/base64.h"
#include "base/status.h"
#include "base/text.h"
#include "mail/encoded_word.h"
#include "mail/header_kind.h"
#include "mail/header_section.h"
#include "mail/limits.h"
#include "mail/merge_template.h"
#include "mail/mime.h"

namespace sluice {
namespace {

constexpr std::string_view kOpen = "{{", kClose = "}}";

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}

}  // namespace

class MergeCompiler {
 public:
  using Piece = MergeTemplate::Piece;
  using Segment = MergeTemplate::Segment;
  using Use = MergeTemplate::Use;

  absl::StatusOr<MergeTemplate> Compile(std::string_view added, std::string_view message) {
    RETURN_IF_ERROR(Header(added, nullptr));
    ASSIGN_OR_RETURN(const std::vector<MimeEntity> leaves, ReadMimeLeaves(message));
    const size_t blank = message.find("\r\n\r\n");
    const size_t body = blank == std::string_view::npos ? message.size() : blank + 4;
    size_t done = body;
    bool is_header_done = false;
    for (size_t i = 0; i < leaves.size(); ++i) {
      const MimeEntity& leaf = leaves[i];
      Segment text;
      ASSIGN_OR_RETURN(const bool is_merged, Leaf(message, leaf, i, text));
      if (leaf.header == 0) {
        RETURN_IF_ERROR(Header(message.substr(0, body), is_merged ? &leaf : nullptr));
        is_header_done = true;
        if (!is_merged) continue;
      } else {
        if (!is_header_done) RETURN_IF_ERROR(Header(message.substr(0, body), nullptr));
        is_header_done = true;
        if (!is_merged) continue;
        Verbatim(message.substr(done, leaf.header - done));
        Retype(message.substr(leaf.header, leaf.body - leaf.header), leaf);
      }
      out_.segments_.push_back(std::move(text));
      done = leaf.end;
    }
    if (!is_header_done) RETURN_IF_ERROR(Header(message.substr(0, body), nullptr));
    Verbatim(message.substr(done));
    for (const Segment& segment : out_.segments_) CountFixed(segment);
    return std::move(out_);
  }

 private:
  int FieldOf(std::string_view name) {
    const auto found = std::find(out_.names_.begin(), out_.names_.end(), name);
    const auto number = static_cast<int>(found - out_.names_.begin());
    if (found == out_.names_.end()) out_.names_.emplace_back(name);
    return number;
  }

  // Takes the field behind `{{` at the front; an error when there is none.
  absl::StatusOr<Piece> TakeField(std::string_view& text, Use use, std::string_view where) {
    const size_t end = text.substr(0, limits::kMergeKeyBytes + 16).find(kClose);
    std::string_view inner = text.substr(0, end == std::string_view::npos ? 0 : end);
    inner.remove_prefix(std::min(kOpen.size(), inner.size()));
    while (inner.starts_with(' ')) inner.remove_prefix(1);
    while (inner.ends_with(' ')) inner.remove_suffix(1);
    const bool is_raw = inner.starts_with('&');
    if (is_raw) inner.remove_prefix(1);
    while (is_raw && inner.starts_with(' ')) inner.remove_prefix(1);
    const bool is_name = !inner.empty() && inner.size() <= limits::kMergeKeyBytes &&
                         std::all_of(inner.begin(), inner.end(), IsNameChar);
    if (!is_name) {
      return absl::InvalidArgumentError(
          Cat(where, ": ", Quoted(text.substr(0, 24)),
              " is no merge field: write {{name}} or {{&name}}, and \\{{ for the braces themselves"));
    }
    text.remove_prefix(end + kClose.size());
    Piece piece;
    piece.field = FieldOf(inner);
    piece.use = is_raw && use == Use::kHtml ? Use::kText : use;
    return piece;
  }

  // `text` in literals and fields. Answers whether there was anything to replace.
  absl::StatusOr<bool> Pieces(std::string_view text, Use use, std::string_view where,
                              std::vector<Piece>& pieces) {
    bool is_changed = false;
    std::string literal;
    const auto flush = [&] {
      if (literal.empty()) return;
      Piece piece;
      piece.literal = std::move(literal);
      pieces.push_back(std::move(piece));
      literal.clear();
    };
    while (true) {
      const size_t at = text.find(kOpen);
      literal.append(text.substr(0, at));
      if (at == std::string_view::npos) break;
      text.remove_prefix(at);
      is_changed = true;
      if (literal.ends_with('\\')) {
        literal.back() = '{';
        literal += '{';
        text.remove_prefix(kOpen.size());
        continue;
      }
      flush();
      ASSIGN_OR_RETURN(Piece field, TakeField(text, use, where));
      pieces.push_back(std::move(field));
    }
    flush();
    return is_changed;
  }

  // ---- headers ----

  void Verbatim(std::string_view bytes) {
    if (bytes.empty()) return;
    Segment segment;
    segment.verbatim = bytes;
    out_.segments_.push_back(std::move(segment));
  }
  void Own(std::string text) {
    Segment segment;
    segment.own = std::move(text);
    out_.segments_.push_back(std::move(segment));
  }

  // A header section, with its blank line if it has one. `merged`: its body is written anew.
  absl::Status Header(std::string_view header, const MimeEntity* merged) {
    bool has_mime = false;
    while (!header.empty()) {
      if (header.starts_with("\r\n")) {
        if (merged != nullptr) Own(NewType(*merged, !has_mime));
        Verbatim(header);
        return absl::OkStatus();
      }
      const std::string_view field = TakeFieldLines(header);
      const std::string name = LowerName(field.substr(0, std::min(field.find(':'), field.size())));
      has_mime = has_mime || name == "mime-version";
      const bool is_replaced = merged != nullptr && IsTypeField(name);
      if (is_replaced) continue;
      RETURN_IF_ERROR(Field(field, name));
    }
    return absl::OkStatus();
  }

  // The header of a part, its type fields replaced.
  void Retype(std::string_view header, const MimeEntity& leaf) {
    while (!header.empty() && !header.starts_with("\r\n")) {
      const std::string_view field = TakeFieldLines(header);
      if (!IsTypeField(LowerName(field.substr(0, std::min(field.find(':'), field.size()))))) {
        Verbatim(field);
      }
    }
    Own(NewType(leaf, false));
    Verbatim("\r\n");
  }

  static bool IsTypeField(std::string_view name) {
    return name == "content-type" || name == "content-transfer-encoding";
  }

  static std::string NewType(const MimeEntity& leaf, bool needs_version) {
    ContentType type = leaf.type;
    type.Set("charset", "utf-8");
    const bool is_base64 = leaf.encoding == TransferEncoding::kBase64;
    return Cat(needs_version ? "MIME-Version: 1.0\r\n" : "", "Content-Type: ", ToString(type),
               "\r\nContent-Transfer-Encoding: ", is_base64 ? "base64" : "quoted-printable", "\r\n");
  }

  absl::Status Field(std::string_view field, const std::string& name) {
    const size_t colon = field.find(':');
    const HeaderKind kind = KindOfHeader(name);
    const bool is_untouched = kind == HeaderKind::kFixed || name.starts_with("content-");
    if (colon == std::string_view::npos || is_untouched) {
      Verbatim(field);
      return absl::OkStatus();
    }
    const std::string where = Cat("the header '", field.substr(0, colon), "'");
    const std::string raw = Unfold(field.substr(colon + 1));
    Segment segment;
    bool is_changed = false;
    if (kind == HeaderKind::kAddresses) {
      segment.kind = Segment::Kind::kStructured;
      ASSIGN_OR_RETURN(is_changed, Addresses(raw, where, segment.pieces));
    } else if (kind == HeaderKind::kPlain) {
      segment.kind = Segment::Kind::kStructured;
      ASSIGN_OR_RETURN(is_changed, Pieces(raw, Use::kPlain, where, segment.pieces));
    } else {
      segment.kind = Segment::Kind::kUnstructured;
      ASSIGN_OR_RETURN(is_changed, Pieces(DecodeWords(raw), Use::kHeader, where, segment.pieces));
    }
    if (!is_changed) {
      Verbatim(field);
      return absl::OkStatus();
    }
    segment.own = field.substr(0, colon);
    out_.segments_.push_back(std::move(segment));
    return absl::OkStatus();
  }

  // Quoted strings that hold fields become phrases; elsewhere a field is a display name or an
  // address, and within angle brackets a part of an address.
  absl::StatusOr<bool> Addresses(std::string_view text, std::string_view where,
                                 std::vector<Piece>& pieces) {
    bool is_changed = false, in_angle = false;
    std::string literal;
    const auto flush = [&] {
      if (literal.empty()) return;
      Piece piece;
      piece.literal = std::move(literal);
      pieces.push_back(std::move(piece));
      literal.clear();
    };
    while (!text.empty()) {
      if (text.starts_with(kOpen)) {
        is_changed = true;
        flush();
        ASSIGN_OR_RETURN(Piece field,
                         TakeField(text, in_angle ? Use::kAddress : Use::kPhrase, where));
        pieces.push_back(std::move(field));
      } else if (text.front() == '"') {
        std::string inside;
        const std::string_view quoted = TakeQuoted(text, inside);
        Piece phrase;
        ASSIGN_OR_RETURN(const bool has_field, Pieces(inside, Use::kHeader, where, phrase.phrase));
        if (!has_field) {
          literal.append(quoted);
          continue;
        }
        is_changed = true;
        flush();
        pieces.push_back(std::move(phrase));
      } else {
        in_angle = text.front() == '<' || (in_angle && text.front() != '>');
        literal += text.front();
        text.remove_prefix(1);
      }
    }
    flush();
    return is_changed;
  }

  static std::string_view TakeQuoted(std::string_view& text, std::string& inside) {
    size_t at = 1;
    for (; at < text.size() && text[at] != '"'; ++at) {
      if (text[at] == '\\' && at + 1 < text.size() && text.substr(at + 1, 2) != kOpen) ++at;
      inside += text[at];
    }
    const std::string_view quoted = text.substr(0, std::min(at + 1, text.size()));
    text.remove_prefix(quoted.size());
    return quoted;
  }

  // ---- text ----

  // False: the part goes as it is.
  absl::StatusOr<bool> Leaf(std::string_view message, const MimeEntity& leaf, size_t number,
                            Segment& segment) {
    if (!leaf.type.type.starts_with("text/") || leaf.is_attachment) return false;
    const std::string_view coded = message.substr(leaf.body, leaf.end - leaf.body);
    std::optional<std::string> bytes = Decode(coded, leaf.encoding);
    const std::string where = Cat("part ", number + 1, " (", leaf.type.type, ")");
    if (!bytes.has_value() || bytes->find(kOpen) == std::string::npos) return false;
    const std::optional<std::string> text = ToUtf8(*bytes, leaf.type.Get("charset"));
    if (!text.has_value()) {
      return absl::InvalidArgumentError(
          Cat(where, " is not in its character set ", Quoted(leaf.type.Get("charset")),
              ", or we do not know it: send it as utf-8"));
    }
    if (text->find(kOpen) == std::string::npos) return false;
    if (leaf.is_sealed) {
      return absl::InvalidArgumentError(
          Cat(where, " holds merge fields and is signed, encrypted or an attached message: it "
                     "cannot be changed, so fill them in before"));
    }
    segment.kind = leaf.encoding == TransferEncoding::kBase64 ? Segment::Kind::kBase64
                                                              : Segment::Kind::kQuotedPrintable;
    const Use use = leaf.type.type == "text/html" ? Use::kHtml : Use::kText;
    return Pieces(*text, use, where, segment.pieces);
  }

  static std::optional<std::string> Decode(std::string_view coded, TransferEncoding encoding) {
    switch (encoding) {
      case TransferEncoding::kPlain:
        return std::string(coded);
      case TransferEncoding::kQuotedPrintable:
        return DecodeQuotedPrintable(coded);
      case TransferEncoding::kBase64:
        return DecodeBase64(coded);
      case TransferEncoding::kOther:
        return std::nullopt;
    }
    return std::nullopt;
  }

  void CountFixed(const Segment& segment) {
    const size_t growth = segment.kind == Segment::Kind::kVerbatim ? 1 : 4;
    out_.fixed_bytes_ += segment.verbatim.size() + segment.own.size() + 8;
    for (const Piece& piece : segment.pieces) {
      out_.fixed_bytes_ += piece.literal.size() * growth;
      for (const Piece& part : piece.phrase) out_.fixed_bytes_ += part.literal.size() * growth;
    }
  }

  MergeTemplate out_;
};

absl::StatusOr<MergeTemplate> MergeTemplate::Compile(std::string_view added,
                                                     std::string_view message) {
  return MergeCompiler().Compile(added, message);
}

}  // namespace sluice
