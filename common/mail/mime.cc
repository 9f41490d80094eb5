#include "mail/mime.h"

#include <algorithm>

#include "base/base64.h"
#include "base/status.h"
#include "base/text.h"
#include "mail/header_section.h"

namespace sluice {
namespace {

constexpr size_t kLine = 76;

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool IsTokenChar(char c) {
  return c > ' ' && c < 0x7f && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

std::string_view TakeToken(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), IsTokenChar);
  const auto token = text.substr(0, static_cast<size_t>(end - text.begin()));
  text.remove_prefix(token.size());
  return token;
}

void SkipBlanks(std::string_view& text) {
  const size_t at = text.find_first_not_of(" \t\r\n");
  text.remove_prefix(at == std::string_view::npos ? text.size() : at);
}

std::string TakeValue(std::string_view& text) {
  if (!text.starts_with('"')) return std::string(TakeToken(text));
  std::string value;
  size_t at = 1;
  for (; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    value += text[at];
  }
  text.remove_prefix(std::min(at + 1, text.size()));
  return value;
}

std::string FieldText(std::string_view header, std::string_view name) {
  const auto value = FindField(header, name);
  return value.has_value() ? Unfold(*value) : "";
}

TransferEncoding EncodingOf(std::string_view header) {
  const std::string name = Lower(FieldText(header, "content-transfer-encoding"));
  if (name == "quoted-printable") return TransferEncoding::kQuotedPrintable;
  if (name == "base64") return TransferEncoding::kBase64;
  const bool is_plain = name.empty() || name == "7bit" || name == "8bit" || name == "binary";
  return is_plain ? TransferEncoding::kPlain : TransferEncoding::kOther;
}

bool IsSealing(std::string_view type) {
  return type == "multipart/signed" || type == "multipart/encrypted" ||
         type == "application/pkcs7-mime" || type == "application/x-pkcs7-mime" ||
         type.starts_with("message/");
}

class Walker {
 public:
  explicit Walker(std::string_view message) : message_(message) {}

  absl::StatusOr<std::vector<MimeEntity>> Walk() {
    RETURN_IF_ERROR(Part(0, message_.size(), "text/plain", false, 0));
    return std::move(entities_);
  }

 private:
  absl::Status Part(size_t begin, size_t end, std::string_view usual, bool is_sealed, int depth) {
    if (depth > kMostMimeDepth) {
      return absl::InvalidArgumentError(
          Cat("parts are nested more than ", kMostMimeDepth, " deep: make the message simpler"));
    }
    MimeEntity entity;
    entity.header = begin;
    entity.body = BodyOf(begin, end);
    entity.end = end;
    const std::string_view header = message_.substr(begin, entity.body - begin);
    const std::string type = FieldText(header, "content-type");
    entity.type = ParseContentType(type.empty() ? usual : type);
    entity.encoding = EncodingOf(header);
    entity.is_attachment =
        Lower(FieldText(header, "content-disposition")).starts_with("attachment");
    entity.is_sealed = is_sealed || IsSealing(entity.type.type);
    const std::string boundary(entity.type.Get("boundary"));
    entity.is_multipart = entity.type.type.starts_with("multipart/") && !boundary.empty();
    if (entities_.size() == kMostMimeEntities) {
      return absl::InvalidArgumentError(
          Cat("there are more than ", kMostMimeEntities, " parts: make the message simpler"));
    }
    entities_.push_back(entity);
    return entity.is_multipart ? Parts(entity, boundary, depth) : absl::OkStatus();
  }

  // The offset behind the blank line that ends a header.
  size_t BodyOf(size_t begin, size_t end) const {
    if (message_.substr(begin, end - begin).starts_with("\r\n")) return begin + 2;
    const size_t at = message_.substr(0, end).find("\r\n\r\n", begin);
    return at == std::string_view::npos ? end : at + 4;
  }

  absl::Status Parts(const MimeEntity& whole, const std::string& boundary, int depth) {
    const std::string delimiter = Cat("--", boundary);
    const std::string_view usual =
        whole.type.type == "multipart/digest" ? "message/rfc822" : "text/plain";
    size_t part = std::string_view::npos;
    for (size_t line = whole.body; line < whole.end;) {
      const size_t lf = std::min(message_.find('\n', line), whole.end - 1);
      const std::string_view text = message_.substr(line, lf + 1 - line);
      if (text.starts_with(delimiter)) {
        const std::string_view rest = text.substr(delimiter.size());
        const bool is_last = rest.starts_with("--");
        if (is_last || rest.find_first_not_of(" \t\r\n") == std::string_view::npos) {
          if (part != std::string_view::npos) {
            const size_t end = std::max(part, line >= 2 ? line - 2 : line);
            RETURN_IF_ERROR(Part(part, end, usual, whole.is_sealed, depth + 1));
          }
          part = lf + 1;
          if (is_last) return absl::OkStatus();
        }
      }
      line = lf + 1;
    }
    if (part == std::string_view::npos || part >= whole.end) return absl::OkStatus();
    return Part(part, whole.end, usual, whole.is_sealed, depth + 1);
  }

  const std::string_view message_;
  std::vector<MimeEntity> entities_;
};

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string_view ContentType::Get(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return "";
}

void ContentType::Set(std::string_view name, std::string_view value) {
  for (auto& [key, old] : parameters) {
    if (key == name) {
      old = value;
      return;
    }
  }
  parameters.emplace_back(name, value);
}

ContentType ParseContentType(std::string_view value) {
  ContentType out;
  SkipBlanks(value);
  const std::string_view major = TakeToken(value);
  if (major.empty() || !value.starts_with('/')) return out;
  value.remove_prefix(1);
  const std::string_view minor = TakeToken(value);
  if (minor.empty()) return out;
  out.type = Lower(Cat(major, "/", minor));
  while (true) {
    SkipBlanks(value);
    if (!value.starts_with(';')) return out;
    value.remove_prefix(1);
    SkipBlanks(value);
    const std::string name = Lower(TakeToken(value));
    if (name.empty() || !value.starts_with('=')) return out;
    value.remove_prefix(1);
    out.parameters.emplace_back(name, TakeValue(value));
  }
}

std::string ToString(const ContentType& type) {
  std::string out = type.type;
  for (const auto& [name, value] : type.parameters) {
    Append(out, ";\r\n ", name, "=\"");
    for (const char c : value) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out;
}

absl::StatusOr<std::vector<MimeEntity>> ReadMimeEntities(std::string_view message) {
  return Walker(message).Walk();
}

absl::StatusOr<std::vector<MimeEntity>> ReadMimeLeaves(std::string_view message) {
  ASSIGN_OR_RETURN(std::vector<MimeEntity> entities, ReadMimeEntities(message));
  std::erase_if(entities, [](const MimeEntity& entity) { return entity.is_multipart; });
  return entities;
}

std::optional<std::string> DecodeQuotedPrintable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '=') {
      out += text[at];
      continue;
    }
    std::string_view rest = text.substr(at + 1);
    const size_t blanks = std::min(rest.find_first_not_of(" \t"), rest.size());
    if (rest.substr(blanks).starts_with("\r\n")) {
      at += blanks + 2;
    } else if (rest.size() >= 2 && HexValue(rest[0]) >= 0 && HexValue(rest[1]) >= 0) {
      out += static_cast<char>(HexValue(rest[0]) * 16 + HexValue(rest[1]));
      at += 2;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

void AppendQuotedPrintable(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  size_t used = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("\r\n")) {
      out += "\r\n";
      used = 0;
      ++at;
      continue;
    }
    const bool is_blank = c == ' ' || c == '\t';
    const bool ends_line = rest.size() == 1 || rest.substr(1).starts_with("\r\n");
    const bool is_safe = (c > ' ' && c < 0x7f && c != '=') || (is_blank && !ends_line);
    if (used + (is_safe ? 1 : 3) > kLine - (ends_line ? 0 : 1)) {
      out += "=\r\n";
      used = 0;
    }
    // No line may be taken for a boundary.
    const bool is_plain = is_safe && !(used == 0 && rest.starts_with("--"));
    const size_t size = is_plain ? 1 : 3;
    if (is_plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '=';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
    used += size;
  }
}

void AppendBase64Lines(std::string& out, std::string_view bytes) {
  constexpr size_t kBytes = kLine / 4 * 3;
  for (size_t at = 0; at < bytes.size(); at += kBytes) {
    AppendBase64(out, bytes.substr(at, kBytes));
    out += "\r\n";
  }
}

}  // namespace sluice
