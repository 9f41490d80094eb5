// The MIME structure of a message (RFC 2045, 2046), read in place and bounded: where its parts are
// and how their text is encoded. And the two transfer encodings themselves. Nothing here decides what
// may be changed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice {

// A Content-Type: "text/plain" and parameters, names in lower case. What cannot be read is text/plain.
struct ContentType {
  std::string type = "text/plain";
  std::vector<std::pair<std::string, std::string>> parameters = {};

  // "" when there is none.
  std::string_view Get(std::string_view name) const;
  void Set(std::string_view name, std::string_view value);
};
ContentType ParseContentType(std::string_view value);
std::string ToString(const ContentType& type);

enum class TransferEncoding { kPlain, kQuotedPrintable, kBase64, kOther };

// A part of the structure, or all of it. Offsets into the message: [header, body) is the header section with its
// blank line, [body, end) the content, without the line end that belongs to a boundary.
struct MimeEntity {
  size_t header = 0, body = 0, end = 0;
  ContentType type;
  TransferEncoding encoding = TransferEncoding::kPlain;
  bool is_attachment = false;
  // Inside something that is signed, encrypted or a message of its own: must not change.
  bool is_sealed = false;
  // It consists of parts; [body, end) holds them.
  bool is_multipart = false;
};

inline constexpr int kMostMimeDepth = 16;
inline constexpr size_t kMostMimeEntities = 500;

// Everything in order, what holds parts before them. InvalidArgument: nested too deeply, or too many.
[[nodiscard]] absl::StatusOr<std::vector<MimeEntity>> ReadMimeEntities(std::string_view message);
// Only what has no parts, at least one.
[[nodiscard]] absl::StatusOr<std::vector<MimeEntity>> ReadMimeLeaves(std::string_view message);

// Nothing when it is none. Soft line breaks are joined, line ends stay.
[[nodiscard]] std::optional<std::string> DecodeQuotedPrintable(std::string_view text);
// Lines of at most 76 characters, all ASCII, none like a boundary; CRLF stays a line end.
void AppendQuotedPrintable(std::string& out, std::string_view text);
// Lines of 76 characters, each with CRLF.
void AppendBase64Lines(std::string& out, std::string_view bytes);

}  // namespace sluice
