#include "mail/seven_bit.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "mail/ascii_field.h"
#include "mail/header_kind.h"
#include "mail/header_section.h"
#include "mail/mime.h"
#include "mail/utf8.h"

namespace sluice {
namespace {

constexpr EnhancedStatus kNotConverted{5, 6, 3};
// RFC 6531: a header with UTF-8 that the recipient's host does not take.
constexpr EnhancedStatus kUtf8Header{5, 6, 9};

size_t Count8Bit(std::string_view bytes) {
  return static_cast<size_t>(
      std::count_if(bytes.begin(), bytes.end(), [](char c) { return static_cast<signed char>(c) < 0; }));
}

// Signatures of others over the whole message, which any change would break.
bool IsSignedAlready(std::string_view message) {
  return FindField(message, "dkim-signature").has_value() ||
         FindField(message, "arc-message-signature").has_value();
}

class Writer {
 public:
  Writer(std::string_view message, bool also_body) : message_(message), also_body_(also_body) {}

  SevenBit Write() {
    if (IsSignedAlready(message_)) {
      Refuse(kNotConverted, "the message is signed already, and writing it anew would break that: send it in 7 bits");
    } else if (also_body_) {
      Parts();
    } else {
      const size_t blank = message_.find("\r\n\r\n");
      const size_t body = blank == std::string_view::npos ? message_.size() : blank + 2;
      Header(message_.substr(0, body), Type::kKeep, "");
      out_.message += message_.substr(body);
    }
    if (!out_.why.empty()) out_.message.clear();
    return std::move(out_);
  }

 private:
  // What becomes of a header's transfer encoding.
  enum class Type { kKeep, kSevenBit, kQuotedPrintable, kBase64 };

  void Parts() {
    const auto parts = ReadMimeEntities(message_);
    if (!parts.ok()) return Refuse(kNotConverted, std::string(View(parts.status().message())));
    size_t done = 0;
    for (const MimeEntity& part : *parts) {
      if (!out_.why.empty()) return;
      out_.message += message_.substr(done, part.header - done);
      done = Part(part, part.header == 0);
    }
    out_.message += message_.substr(done);
    if (out_.why.empty() && !IsAscii(out_.message)) {
      Refuse(kNotConverted, "there are 8-bit bytes between its parts: send them as base64");
    }
  }

  // Answers up to where the message is written.
  size_t Part(const MimeEntity& part, bool is_first) {
    const std::string_view header = message_.substr(part.header, part.body - part.header);
    const std::string_view body = message_.substr(part.body, part.end - part.body);
    if (part.is_sealed) {
      if (!IsAscii(body) || (!is_first && !IsAscii(header))) {
        Refuse(kNotConverted, Cat("the part ", Quoted(part.type.type),
                                  " with 8-bit bytes is signed, encrypted or a message of its own, "
                                  "and must not be changed: send it in 7 bits"));
      }
      is_first ? Header(header, Type::kKeep, "") : static_cast<void>(out_.message += header);
      return part.body;
    }
    if (part.is_multipart || IsAscii(body)) {
      const bool is_labelled = part.encoding == TransferEncoding::kPlain;
      Header(header, is_labelled ? Type::kSevenBit : Type::kKeep, "");
      return part.body;
    }
    // A multipart that names no boundary has no parts to encode, and is none itself.
    const bool is_broken = part.type.type.starts_with("multipart/");
    if (part.encoding != TransferEncoding::kPlain || is_broken) {
      Refuse(kNotConverted, Cat("the part ", Quoted(part.type.type),
                                " holds 8-bit bytes that its transfer encoding has no place for"));
      return part.body;
    }
    return Leaf(part, header, body, is_first);
  }

  size_t Leaf(const MimeEntity& part, std::string_view header, std::string_view body, bool is_first) {
    // Quoted-printable where it is the shorter one, and only for text: it is line by line.
    const bool is_text = part.type.type.starts_with("text/");
    const bool is_quoted = is_text && Count8Bit(body) * 6 < body.size();
    const std::string_view charset = IsValidUtf8(body) ? "utf-8" : "unknown-8bit";
    const bool has_charset = !is_text || !part.type.Get("charset").empty();
    Header(header, is_quoted ? Type::kQuotedPrintable : Type::kBase64, has_charset ? "" : charset);
    if (is_quoted) {
      AppendQuotedPrintable(out_.message, body);
    } else {
      AppendBase64Lines(out_.message, body);
      // A boundary brings its own line end.
      if (!is_first) out_.message.resize(out_.message.size() - 2);
    }
    return part.end;
  }

  // A header section with its blank line, if it has one. `charset`: of text that does not say it
  // (RFC 1428 has a name for bytes that nobody knows).
  void Header(std::string_view header, Type type, std::string_view charset) {
    bool has_version = false, is_typed = false, is_labelled = false;
    while (!header.empty() && !header.starts_with("\r\n")) {
      const std::string_view field = TakeFieldLines(header);
      const std::string name = LowerName(field.substr(0, std::min(field.find(':'), field.size())));
      has_version = has_version || name == "mime-version";
      if (name == "content-transfer-encoding" && type != Type::kKeep) {
        Label(type);
        is_labelled = true;
      } else if (name == "content-type" && !charset.empty()) {
        WriteType(field.substr(field.find(':') + 1), charset);
        is_typed = true;
      } else {
        Field(field, name);
      }
    }
    const bool is_coded = type == Type::kQuotedPrintable || type == Type::kBase64;
    if (is_coded && is_top_ && !has_version) out_.message += "MIME-Version: 1.0\r\n";
    if (is_coded && !charset.empty() && !is_typed) WriteType("text/plain", charset);
    if (is_coded && !is_labelled) Label(type);
    out_.message += header;
    is_top_ = false;
  }

  void Field(std::string_view field, std::string_view name) {
    const std::optional<std::string> ascii = AsciiField(field);
    if (ascii.has_value()) {
      out_.message += *ascii;
    } else {
      Refuse(kUtf8Header, Cat("the header ", Quoted(name),
                              " holds UTF-8 that cannot be written in ASCII: send it encoded, or to "
                              "hosts with SMTPUTF8"));
    }
  }

  void WriteType(std::string_view value, std::string_view charset) {
    ContentType type = ParseContentType(Unfold(value));
    type.Set("charset", charset);
    Append(out_.message, "Content-Type: ", ToString(type), "\r\n");
  }

  void Label(Type type) {
    const std::string_view name = type == Type::kBase64            ? "base64"
                                  : type == Type::kQuotedPrintable ? "quoted-printable"
                                                                   : "7bit";
    Append(out_.message, "Content-Transfer-Encoding: ", name, "\r\n");
  }

  void Refuse(EnhancedStatus status, std::string why) {
    if (!out_.why.empty()) return;
    out_.status = status;
    out_.why = std::move(why);
  }

  const std::string_view message_;
  const bool also_body_;
  bool is_top_ = true;
  SevenBit out_;
};

}  // namespace

SevenBit MakeSevenBit(std::string_view message, bool also_body) {
  return Writer(message, also_body).Write();
}

}  // namespace sluice
