#include "smtp/mime.h"

#include <algorithm>

#include "base/base64.h"

namespace sluice {
namespace {

constexpr size_t kMostFields = 200;
constexpr size_t kMostValueBytes = 8 << 10;
constexpr size_t kMostParts = 32;
constexpr int kMostDepth = 8;

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (IsBlank(text.front()) || text.front() == '\r')) text.remove_prefix(1);
  while (!text.empty() && (IsBlank(text.back()) || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

// Without its line end; `text` moves behind it.
std::string_view TakeLine(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::string DecodeQuotedPrintable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      out += text[i];
      continue;
    }
    // A soft line break, with or without CR.
    if (text.substr(i + 1, 2) == "\r\n") {
      i += 2;
    } else if (text.substr(i + 1, 1) == "\n") {
      i += 1;
    } else if (i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      out += static_cast<char>(HexDigit(text[i + 1]) << 4 | HexDigit(text[i + 2]));
      i += 2;
    } else {
      out += '=';
    }
  }
  return out;
}

// What stands between the lines of `boundary`.
std::vector<std::string_view> SplitAt(std::string_view body, std::string_view boundary) {
  std::vector<std::string_view> parts;
  const std::string mark = "--" + std::string(boundary);
  std::string_view rest = body;
  const char* begin = nullptr;
  while (!rest.empty() && parts.size() < kMostParts) {
    const char* const line_begin = rest.data();
    const std::string_view line = Trim(TakeLine(rest));
    if (!line.starts_with(mark) || (line.size() != mark.size() && line.substr(mark.size()) != "--")) {
      continue;
    }
    if (begin != nullptr) parts.emplace_back(begin, static_cast<size_t>(line_begin - begin));
    begin = rest.data();
    if (line.size() != mark.size()) return parts;
  }
  // The last boundary is missing: cut off somewhere.
  if (begin != nullptr && parts.size() < kMostParts && !rest.empty()) parts.push_back(rest);
  if (begin != nullptr && rest.empty() && parts.size() < kMostParts) {
    parts.emplace_back(begin, static_cast<size_t>(body.data() + body.size() - begin));
  }
  return parts;
}

void AddParts(MimePart part, int depth, std::vector<MimePart>& out) {
  if (out.size() >= kMostParts) return;
  const std::string_view content_type = part.headers.Find("content-type");
  part.type = MediaType(content_type);
  const std::string boundary = MediaParameter(content_type, "boundary");
  if (!part.type.starts_with("multipart/") || boundary.empty() || depth >= kMostDepth) {
    out.push_back(std::move(part));
    return;
  }
  for (const std::string_view raw : SplitAt(part.body, boundary)) {
    MimePart inner{.body = raw};
    inner.headers = ReadHeaderFields(inner.body);
    AddParts(std::move(inner), depth + 1, out);
  }
}

}  // namespace

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

std::string_view HeaderFields::Find(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (field == name) return value;
  }
  return {};
}

HeaderFields ReadHeaderFields(std::string_view& text) {
  HeaderFields fields;
  std::string name, value;
  size_t count = 0;
  const auto flush = [&] {
    if (!name.empty() && count++ < kMostFields) {
      fields.Add(std::move(name), std::string(Trim(value)));
    }
    name.clear();
    value.clear();
  };
  while (!text.empty()) {
    const std::string_view line = TakeLine(text);
    if (Trim(line).empty()) break;
    if (IsBlank(line.front())) {
      if (value.size() < kMostValueBytes) value.append(" ").append(Trim(line).substr(0, kMostValueBytes));
      continue;
    }
    flush();
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    name = LowerCase(Trim(line.substr(0, colon)));
    value = line.substr(colon + 1).substr(0, kMostValueBytes);
  }
  flush();
  return fields;
}

std::string MediaType(std::string_view content_type) {
  std::string type = LowerCase(Trim(content_type.substr(0, content_type.find(';'))));
  return type.empty() ? "text/plain" : type;
}

std::string MediaParameter(std::string_view content_type, std::string_view name) {
  size_t at = content_type.find(';');
  while (at != std::string_view::npos) {
    std::string_view rest = Trim(content_type.substr(at + 1));
    const size_t equals = rest.find('=');
    if (equals == std::string_view::npos) return {};
    const bool wanted = LowerCase(Trim(rest.substr(0, equals))) == name;
    std::string_view value = Trim(rest.substr(equals + 1));
    const bool quoted = value.starts_with('"');
    if (quoted) value.remove_prefix(1);
    const size_t end = std::min(value.find(quoted ? '"' : ';'), value.size());
    if (wanted) return std::string(quoted ? value.substr(0, end) : Trim(value.substr(0, end)));
    const size_t after = static_cast<size_t>(value.data() + end - content_type.data());
    at = content_type.find(';', after);
  }
  return {};
}

MimeMessage ReadMimeMessage(std::string_view message) {
  MimeMessage out;
  MimePart whole{.body = message};
  whole.headers = ReadHeaderFields(whole.body);
  out.headers = whole.headers;
  AddParts(std::move(whole), 0, out.parts);
  return out;
}

std::string DecodedBody(const MimePart& part, size_t most) {
  const std::string_view body = part.body.substr(0, most);
  const std::string encoding = LowerCase(part.headers.Find("content-transfer-encoding"));
  if (encoding == "quoted-printable") return DecodeQuotedPrintable(body);
  if (encoding == "base64") {
    // Cut at a whole group, so that the bound does not make it unreadable.
    std::string packed;
    for (const char c : body) {
      if (!IsBlank(c) && c != '\r' && c != '\n') packed += c;
    }
    packed.resize(packed.size() / 4 * 4);
    if (auto decoded = DecodeBase64(packed)) return *std::move(decoded);
  }
  return std::string(body);
}

}  // namespace sluice
