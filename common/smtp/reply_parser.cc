#include "smtp/reply_parser.h"

#include <algorithm>
#include <cstring>

namespace sluice {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// 0 if `line` does not begin with a reply code 200 to 599 that ends there.
int ReadCode(std::string_view line) {
  const bool has_digits =
      line.size() >= 3 && line[0] >= '2' && line[0] <= '5' && IsDigit(line[1]) && IsDigit(line[2]);
  const bool ends = line.size() == 3 || (line.size() > 3 && !IsDigit(line[3]));
  return has_digits && ends ? (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0') : 0;
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

}  // namespace

ReplyParser::Result ReplyParser::Fail(std::string_view error) {
  state_ = State::kMalformed;
  error_ = error;
  return Result::kMalformed;
}

ReplyParser::Result ReplyParser::Feed(std::string_view bytes, size_t& consumed) {
  if (state_ == State::kMalformed) {
    return Result::kMalformed;
  }
  while (!bytes.empty()) {
    const void* found = std::memchr(bytes.data(), '\n', bytes.size());
    const size_t length =
        found == nullptr ? bytes.size()
                         : static_cast<size_t>(static_cast<const char*>(found) - bytes.data()) + 1;
    if (partial_.size() + length > kMaxLineBytes) {
      return Fail("reply line too long");
    }
    if (reply_bytes_ + length > kMaxReplyBytes) {
      return Fail("reply too long");
    }
    consumed += length;
    reply_bytes_ += length;
    const std::string_view piece = bytes.substr(0, length);
    bytes.remove_prefix(length);
    if (found == nullptr || !partial_.empty()) {
      partial_ += piece;
    }
    if (found == nullptr) {
      state_ = State::kInReply;
      return Result::kNeedMore;
    }
    const Result result = EndLine(partial_.empty() ? piece : std::string_view(partial_));
    partial_.clear();
    if (result != Result::kNeedMore) {
      return result;
    }
  }
  return Result::kNeedMore;
}

// `line` ends with LF. The reply is whole with the first line whose code is not followed by '-'.
ReplyParser::Result ReplyParser::EndLine(std::string_view line) {
  line.remove_suffix(1);
  while (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  const int code = ReadCode(line);
  if (code == 0) {
    return Fail("reply line without a reply code");
  }
  if (first_line_) {
    reply_.enhanced.reset();
    reply_.text.clear();
    lines_.clear();
  }
  // The last line's code counts where a server contradicts itself: it is the one written when all
  // was known.
  reply_.code = code;
  const bool is_last = line.size() == 3 || line[3] != '-';
  // Some servers print no separator at all: "250OK".
  const bool has_separator =
      line.size() > 3 && (line[3] == ' ' || line[3] == '-' || line[3] == '\t');
  AddText(line.substr(has_separator ? 4 : 3), first_line_);
  first_line_ = is_last;
  state_ = is_last ? State::kStart : State::kInReply;
  if (is_last) {
    reply_bytes_ = 0;
    return Result::kReply;
  }
  return Result::kNeedMore;
}

void ReplyParser::AddText(std::string_view line, bool is_first) {
  if (!is_first) {
    lines_ += '\n';
  }
  // Read only once it is clean, so that what was stored reads back the same.
  const size_t begin = lines_.size();
  AppendSanitised(lines_, Trimmed(line), kMaxReplyBytes);
  std::string_view text = std::string_view(lines_).substr(begin);
  size_t length = 0;
  if (const auto enhanced = EnhancedStatus::ParsePrefix(text, length)) {
    reply_.enhanced = enhanced;
    text.remove_prefix(length);
  }
  if (!text.empty() && !reply_.text.empty() && reply_.text.size() < kMaxReplyTextBytes) {
    reply_.text += ' ';
  }
  AppendSanitised(reply_.text, text, kMaxReplyTextBytes);
}

}  // namespace sluice
