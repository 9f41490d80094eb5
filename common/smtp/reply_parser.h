// Bytes from a mail server into replies (RFC 5321 §4.2). Tolerant of what servers really send (bare
// LF, no text, blanks, garbage in the text, codes that change within a reply), strict on what would
// make the dialog lose step: a line that does not begin with a code is malformed, and so is one
// without end.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "mail/smtp_reply.h"

namespace sluice {

class ReplyParser {
 public:
  static constexpr size_t kMaxLineBytes = 4096;
  static constexpr size_t kMaxReplyBytes = 65536;

  enum class Result {
    kNeedMore,   // all bytes taken, the reply is not whole yet
    kReply,      // reply() is whole; bytes after it were not taken
    kMalformed,  // not SMTP, or over a bound: the connection is of no use; error() says what
  };

  // Takes bytes up to the end of one reply at most and adds how many to `consumed`. After kReply
  // the next call begins the next reply; after kMalformed every call answers kMalformed.
  Result Feed(std::string_view bytes, size_t& consumed);

  // Valid after kReply until the next Feed. TakeReply leaves it empty.
  const SmtpReply& reply() const { return reply_; }
  SmtpReply TakeReply() { return std::move(reply_); }
  // The lines of the last reply without their codes, sanitised, '\n' between them: what EHLO needs.
  std::string_view lines() const { return lines_; }
  std::string_view error() const { return error_; }
  // Bytes of an unfinished reply have been taken.
  bool is_inside_reply() const { return state_ != State::kStart; }

 private:
  enum class State { kStart, kInReply, kMalformed };
  Result EndLine(std::string_view line);
  Result Fail(std::string_view error);
  void AddText(std::string_view line, bool is_first);

  State state_ = State::kStart;
  bool first_line_ = true;
  size_t reply_bytes_ = 0;
  std::string partial_;  // of a line that is not whole yet
  std::string lines_;
  std::string_view error_;
  SmtpReply reply_;
};

}  // namespace sluice
