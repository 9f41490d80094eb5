// What a mail server said: code, enhanced status and text, as a value that is safe to log and to
// store. Parsing bytes into it is smtp/reply_parser.h; judging it is policy/classification.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

// RFC 3463: class.subject.detail, for example 4.7.1. `klass` is 2, 4 or 5.
struct EnhancedStatus {
  uint8_t klass = 0;
  uint16_t subject = 0;
  uint16_t detail = 0;

  friend bool operator==(const EnhancedStatus&, const EnhancedStatus&) = default;

  // The whole of `text` must be an enhanced status.
  static std::optional<EnhancedStatus> Parse(std::string_view text);
  // At the start of `text`, followed by a blank or the end; `length` is what it took, blanks
  // included.
  static std::optional<EnhancedStatus> ParsePrefix(std::string_view text, size_t& length);
};
std::string ToString(EnhancedStatus status);

// Text kept of one reply; the rest of a longer one is dropped.
constexpr size_t kMaxReplyTextBytes = 4096;

// `code` 0: the peer said nothing and we speak for it (timeout, lost connection, refused before
// transmission); then `enhanced` is set and `text` says what happened. `text` holds the lines of a
// multi-line reply joined by a blank, each without its code and enhanced status; valid UTF-8, no
// control characters, at most kMaxReplyTextBytes.
struct SmtpReply {
  int code = 0;
  std::optional<EnhancedStatus> enhanced;
  std::string text;

  friend bool operator==(const SmtpReply&, const SmtpReply&) = default;

  bool is_positive() const { return code >= 200 && code < 400; }
  bool is_transient() const { return code >= 400 && code < 500; }
  bool is_permanent() const { return code >= 500 && code < 600; }
};

// "451 4.7.1 try again", one line.
std::string ToString(const SmtpReply& reply);
// Reads what ToString wrote (reply texts come back from storage and the wire this way); nullopt if
// it is not that.
std::optional<SmtpReply> ParseSmtpReply(std::string_view text);
// A reply that we make ourselves: code 0.
SmtpReply LocalReply(EnhancedStatus enhanced, std::string_view text);

// Appends `bytes` to `out` as printable UTF-8: controls become '?', tabs and line ends a blank,
// bytes that are not UTF-8 '?'. Stops so that `out` never grows beyond `most` bytes, and never
// inside a character.
void AppendSanitised(std::string& out, std::string_view bytes, size_t most);

}  // namespace sluice
