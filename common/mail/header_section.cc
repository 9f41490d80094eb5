#include "mail/header_section.h"

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "mail/limits.h"
#include "mail/utf8.h"

namespace sluice {
namespace {

constexpr std::array<std::string_view, kSingleFields> kSingleNames = {"date",
                                                                      "from",
                                                                      "sender",
                                                                      "reply-to",
                                                                      "to",
                                                                      "cc",
                                                                      "bcc",
                                                                      "message-id",
                                                                      "in-reply-to",
                                                                      "references",
                                                                      "subject",
                                                                      "mime-version",
                                                                      "content-type",
                                                                      "content-transfer-encoding",
                                                                      "list-unsubscribe",
                                                                      "list-unsubscribe-post",
                                                                      "feedback-id"};

absl::Status Bad(size_t line, std::string_view why) {
  return absl::InvalidArgumentError(Cat("line ", line, ": ", why));
}

bool EqualsLower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

absl::Status CheckName(std::string_view name, bool has_colon, size_t line) {
  if (!has_colon) {
    return Bad(line,
               Cat(Quoted(name),
                   " is no header field: write Name: value, and a blank line before the body"));
  }
  if (name.empty()) return Bad(line, "a header field has no name before its colon: add it");
  for (const char c : name) {
    if (c > ' ' && c < 0x7f) continue;
    return Bad(line,
               Cat("the header name ", Quoted(name), " has ", Quoted(std::string_view(&c, 1)),
                   " in it: names are printable ASCII without blanks, also before the colon"));
  }
  return absl::OkStatus();
}

// Controls other than tabs and the CRLF of folds, and bytes that are no UTF-8.
absl::Status CheckValue(std::string_view name, std::string_view value, size_t line,
                        bool& has_utf8) {
  bool is_ascii = true;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) {
      is_ascii = false;
    } else if ((byte < 0x20 && c != '\t' && c != '\r' && c != '\n') || byte == 0x7f) {
      return Bad(line,
                 Cat("the header ", Quoted(name), " has a control character in it: remove it"));
    }
  }
  if (is_ascii) return absl::OkStatus();
  has_utf8 = true;
  if (IsValidUtf8(value)) return absl::OkStatus();
  return Bad(line, Cat("the header ", Quoted(name),
                       " is not UTF-8: encode it as RFC 2047 has it (=?charset?B?…?=)"));
}

void KeepTag(std::string_view name, std::string_view value, std::span<const std::string> tag_names,
             std::vector<Tag>& tags) {
  for (const std::string& wanted : tag_names) {
    if (!EqualsLower(name, wanted)) continue;
    for (const Tag& tag : tags) {
      if (tag.name == wanted) return;
    }
    std::string kept = Unfold(value);
    if (kept.size() > limits::kTagBytes) {
      size_t end = limits::kTagBytes;
      while (end > 0 && (static_cast<unsigned char>(kept[end]) & 0xc0) == 0x80) --end;
      kept.resize(end);
    }
    tags.push_back({wanted, std::move(kept)});
    return;
  }
}

class Reader {
 public:
  Reader(std::string_view header, std::span<const std::string> tag_names)
      : rest_(header), tag_names_(tag_names) {}

  absl::StatusOr<HeaderSection> Read() {
    for (size_t fields = 0; !rest_.empty(); ++fields) {
      if (fields == limits::kHeaderFields) {
        return Bad(line_, Cat("there are more than ", limits::kHeaderFields,
                              " header fields: remove some"));
      }
      if (IsBlank(rest_.front())) {
        return Bad(line_, "the first header field begins with a blank: remove it");
      }
      RETURN_IF_ERROR(Field());
    }
    return std::move(section_);
  }

 private:
  absl::Status Field() {
    const size_t first_line = line_;
    ASSIGN_OR_RETURN(const std::string_view field, TakeField());
    const size_t colon = field.find(':');
    // Without a colon the name would be whole folded lines: quote the first.
    const std::string_view name = field.substr(0, std::min(colon, field.find('\r')));
    RETURN_IF_ERROR(CheckName(name, colon == name.size(), first_line));
    const std::string_view value = field.substr(colon + 1);
    RETURN_IF_ERROR(CheckValue(name, value, first_line, section_.has_utf8));
    RETURN_IF_ERROR(KeepSingle(name, value, first_line));
    KeepTag(name, value, tag_names_, section_.tags);
    return absl::OkStatus();
  }

  // The next field with its continuation lines, without its final CRLF.
  absl::StatusOr<std::string_view> TakeField() {
    size_t end = 0;
    do {
      const size_t lf = std::min(rest_.find('\n', end), rest_.size() - 1);
      const std::string_view text = rest_.substr(end, lf + 1 - end);
      if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        // Some readers take such a line as the end of the header, others do not.
        return Bad(line_, "a header line holds only blanks: remove it");
      }
      end = lf + 1;
      ++line_;
    } while (end < rest_.size() && IsBlank(rest_[end]));
    std::string_view field = rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (field.ends_with("\r\n")) field.remove_suffix(2);
    return field;
  }

  absl::Status KeepSingle(std::string_view name, std::string_view value, size_t line) {
    for (size_t i = 0; i < kSingleFields; ++i) {
      if (!EqualsLower(name, kSingleNames[i])) continue;
      HeaderSection::Field& field = section_.single[i];
      if (field.line != 0) {
        return Bad(line, Cat("the header ", Quoted(name), " stands twice, first on line ",
                             field.line, ": keep one"));
      }
      field = {line, value};
    }
    return absl::OkStatus();
  }

  std::string_view rest_;
  std::span<const std::string> tag_names_;
  size_t line_ = 1;
  HeaderSection section_;
};

}  // namespace

absl::StatusOr<HeaderSection> ReadHeaderSection(std::string_view header,
                                                std::span<const std::string> tag_names) {
  return Reader(header, tag_names).Read();
}

std::optional<std::string_view> FindField(std::string_view message, std::string_view name) {
  while (!message.empty() && !message.starts_with("\r\n")) {
    size_t end = 0;
    do {
      end = std::min(message.find('\n', end), message.size() - 1) + 1;
    } while (end < message.size() && IsBlank(message[end]));
    std::string_view field = message.substr(0, end);
    message.remove_prefix(end);
    if (field.size() <= name.size() || field[name.size()] != ':') continue;
    if (!EqualsLower(field.substr(0, name.size()), name)) continue;
    if (field.ends_with("\r\n")) field.remove_suffix(2);
    return field.substr(name.size() + 1);
  }
  return std::nullopt;
}

std::string Unfold(std::string_view value) {
  const size_t begin = value.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  value = value.substr(begin, value.find_last_not_of(" \t\r\n") + 1 - begin);
  std::string text;
  text.reserve(value.size());
  std::copy_if(value.begin(), value.end(), std::back_inserter(text),
               [](char c) { return c != '\r' && c != '\n'; });
  return text;
}

}  // namespace sluice
