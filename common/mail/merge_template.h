// A message with merge fields, compiled once and rendered for each recipient.
//
//   {{name}}    the recipient's value; HTML-escaped in text/html        name: letters, digits, _ - .
//   {{&name}}   the value as it is
//   \{{         two braces
//
// Fields stand in header values (not in Content-… and MIME-Version) and in text parts that are no
// attachments. They are found after transfer encoding, encoded words and character set are decoded;
// what holds a field is written anew: headers as RFC 2047 has it, text parts in UTF-8, as base64 when
// they were, else as quoted-printable. Everything else keeps its bytes. Pure values; a compiled
// template refers to the message it was made of.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice {

class MergeTemplate {
 public:
  // The value of a name; nothing when the recipient has none. UTF-8.
  using Values = std::function<std::optional<std::string_view>(std::string_view name)>;

  // `added` are header fields put before the message; both outlive the template. InvalidArgument:
  // braces that begin no field, a field where none can be, with where and the cure.
  [[nodiscard]] static absl::StatusOr<MergeTemplate> Compile(std::string_view added,
                                                             std::string_view message);

  // Whether the recipient's values will do: all are there, valid, without line ends where a header
  // takes them, and the result has at most `most_bytes`. InvalidArgument names the field.
  [[nodiscard]] absl::Status Check(const Values& values, size_t most_bytes) const;
  // The whole, added fields first. What Check refuses is InvalidArgument here, too.
  [[nodiscard]] absl::StatusOr<std::string> Render(const Values& values) const;
  // Only the value of this field of the message (lower case), where a merge field stands in it: for
  // whoever must see who a message says it is from. Nothing when none does.
  [[nodiscard]] absl::StatusOr<std::optional<std::string>> RenderField(std::string_view name,
                                                                       const Values& values) const;
  // A bound of what Render returns, for a memory budget.
  size_t fixed_bytes() const { return fixed_bytes_; }

 private:
  friend class MergeCompiler;

  // What a value must be, where it stands.
  enum class Use { kText, kHtml, kHeader, kPhrase, kAddress, kPlain };
  struct Piece {
    std::string literal = {};
    int field = -1;  // a number of names_
    Use use = Use::kText;
    std::vector<Piece> phrase = {};  // a quoted string, its parts to be quoted together
  };
  struct Segment {
    enum class Kind { kVerbatim, kUnstructured, kStructured, kQuotedPrintable, kBase64 };
    Kind kind = Kind::kVerbatim;
    std::string_view verbatim = {};
    std::string own = {};  // what `verbatim` would be where the message has no such bytes; a field's name
    std::vector<Piece> pieces = {};
  };
  using Bound = std::vector<std::string_view>;  // by field

  [[nodiscard]] absl::StatusOr<Bound> Bind(const Values& values) const;
  static absl::Status CheckUse(const std::string& name, std::string_view value, Use use);
  static absl::Status CheckPieces(const std::vector<Piece>& pieces, const MergeTemplate& self,
                                  const Bound& bound, size_t& bytes);
  static void AppendPhrase(std::string& out, const Piece& piece, const Bound& bound);
  static void AppendSegment(std::string& out, const Segment& segment, const Bound& bound);
  static std::string Text(const std::vector<Piece>& pieces, const Bound& bound);
  static std::string FieldValue(const Segment& segment, const Bound& bound);

  std::vector<std::string> names_;
  std::vector<Segment> segments_;
  size_t fixed_bytes_ = 0;
};

}  // namespace sluice
