// What DKIM hashes (RFC 6376 section 3.4): header fields and body, each "relaxed", the only form
// that survives the mail systems of the world. Values and a running hash; keys are smtp/dkim_key.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

using Sha256Digest = std::array<uint8_t, 32>;
[[nodiscard]] Sha256Digest Sha256(std::string_view bytes);

// A header field of a message, in place: folded as it came, without colon and final CRLF.
struct HeaderFieldView {
  std::string_view name, value;
};
// Takes the fields of `text` up to the blank line or the end, appending them in order; returns what
// follows the blank line, or nothing when the header goes on in the next piece. Lines end with
// CRLF; what is no field is left out.
struct HeaderTaken {
  bool has_ended = false;
  std::string_view body = {};
};
HeaderTaken TakeHeaderFields(std::string_view text, std::vector<HeaderFieldView>& fields);

// "name:value" relaxed: lower-case name, unfolded, blanks reduced to one and none at the ends.
// Without CRLF (section 3.4.2).
void AppendRelaxedField(std::string& out, std::string_view name, std::string_view value);

// SHA-256 of a body in relaxed form (section 3.4.4), fed in parts of any size and in O(1) memory:
// blanks at line ends and empty lines at the end do not count.
class DkimBodyHash {
 public:
  DkimBodyHash();
  ~DkimBodyHash();
  DkimBodyHash(const DkimBodyHash&) = delete;
  DkimBodyHash& operator=(const DkimBodyHash&) = delete;

  void Update(std::string_view part);
  // Once; nothing may follow.
  [[nodiscard]] Sha256Digest Finish();

 private:
  static constexpr size_t kBufferBytes = 4096;
  struct Sha;

  // A line that is not in relaxed form yet, or a part of one.
  void Relax(std::string_view part);
  void Emit(char c);
  void Emit(std::string_view run);
  void BeginText();
  void Flush();

  std::unique_ptr<Sha> sha_;
  std::array<char, kBufferBytes> buffer_;
  size_t used_ = 0;
  size_t line_ends_ = 0;  // seen, and not hashed until text follows
  bool has_blank_ = false;
  bool has_cr_ = false;
  bool has_text_ = false;
};

}  // namespace sluice
