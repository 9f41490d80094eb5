// What a received message consists of, for reading reports: tolerant where senders are sloppy, bounded
// where they are hostile. Never used for what we send.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

// Header fields in order, or the fields of a report: names in lower case, values unfolded and trimmed.
class HeaderFields {
 public:
  void Add(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
  }
  // The first of this name; empty when there is none.
  std::string_view Find(std::string_view name) const;
  bool empty() const { return fields_.empty(); }
  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// Reads up to the first blank line and moves `text` behind it. Lines end with LF or CRLF; what is no
// field is skipped; at most 200 fields of at most 8 KB are kept.
HeaderFields ReadHeaderFields(std::string_view& text);

// `type` of `Content-Type: Text/Plain; charset=…` in lower case, and the value of a parameter.
std::string MediaType(std::string_view content_type);
std::string MediaParameter(std::string_view content_type, std::string_view name);

struct MimePart {
  HeaderFields headers{};
  std::string type{};         // `text/plain` when nothing is said.
  std::string_view body{};    // Encoded; a view of the message.
};

// The message's own header, and its parts that are not multipart themselves, in order: a message
// without structure is one part. Nested at most 8 deep, at most 32 parts; the rest is left out.
struct MimeMessage {
  HeaderFields headers{};
  std::vector<MimePart> parts{};
};
MimeMessage ReadMimeMessage(std::string_view message);

// Without base64 or quoted-printable; what is not properly encoded stays as it is. At most `most`
// bytes of body are looked at.
std::string DecodedBody(const MimePart& part, size_t most);

std::string LowerCase(std::string_view text);

}  // namespace sluice
