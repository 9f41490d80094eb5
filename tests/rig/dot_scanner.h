// Finds the end of DATA content (RFC 5321 section 4.5.2) and takes the dot-stuffing off, over
// buffers cut anywhere. Strict: only CRLF ends a line, so "\n.\r\n" and "\r.\r\n" are content (the
// smuggling shapes).
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::rig {

class Content;

// The first '.' in `bytes` that follows CRLF within `bytes`, or npos.
size_t FindDotLine(std::string_view bytes);

class DotScanner {
 public:
  // Before the content of each message.
  void Reset() { state_ = State::kLineStart; }
  // Gives unstuffed content to `content`; returns how many bytes it took. Less than all only at the
  // end.
  size_t Feed(std::string_view bytes, Content& content);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kLineStart, kText, kCr, kDot, kDotCr, kDone };
  size_t FeedText(std::string_view bytes, Content& content);
  State StateAfter(std::string_view text) const;

  State state_ = State::kLineStart;
};

}  // namespace sluice::rig
