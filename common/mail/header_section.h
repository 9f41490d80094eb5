// The header section of a message whose lines are known to be good (mail/line_scan.h): field
// syntax, folding, and which fields may stand only once (RFC 5322 sections 2.2 and 3.6). Reads;
// never rewrites.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice {

// Fields that may stand at most once in a message (RFC 5322 section 3.6, RFC 2045, RFC 2369, RFC
// 8058).
enum class SingleField {
  kDate,
  kFrom,
  kSender,
  kReplyTo,
  kTo,
  kCc,
  kBcc,
  kMessageId,
  kInReplyTo,
  kReferences,
  kSubject,
  kMimeVersion,
  kContentType,
  kContentTransferEncoding,
  kListUnsubscribe,
  kListUnsubscribePost,
  kFeedbackId,
};
inline constexpr size_t kSingleFields = 17;

// A header value that the policy asked to keep.
struct Tag {
  std::string name;   // Lower case.
  std::string value;  // Unfolded, trimmed, at most limits::kTagBytes.
  friend bool operator==(const Tag&, const Tag&) = default;
};

struct HeaderSection {
  struct Field {
    size_t line = 0;  // 1-based; 0 = the field is absent.
    // After the colon, folded as it came, without the final CRLF; a view of the message.
    std::string_view value;
  };
  std::array<Field, kSingleFields> single;
  std::vector<Tag> tags;
  // A value holds UTF-8 beyond ASCII.
  bool has_utf8 = false;

  const Field& at(SingleField field) const { return single[static_cast<size_t>(field)]; }
  bool has(SingleField field) const { return at(field).line != 0; }
};

// `header` runs to the end of the last field's CRLF. `tag_names` are lower case; of a repeated
// field the first value is kept. Errors name line, field and cure.
[[nodiscard]] absl::StatusOr<HeaderSection> ReadHeaderSection(
    std::string_view header, std::span<const std::string> tag_names);

// The value of the first field of this name (lower case) in a message or its header section, folded
// as it came; nothing when the header has none.
[[nodiscard]] std::optional<std::string_view> FindField(std::string_view message,
                                                        std::string_view name);

// A field's value without its folds and outer blanks.
std::string Unfold(std::string_view value);

}  // namespace sluice
