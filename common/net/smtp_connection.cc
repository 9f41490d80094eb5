#include "net/smtp_connection.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <asio/error.hpp>

#include "base/text.h"

namespace sluice {
namespace {

// What counts as a block of content for its timeout: a peer that takes less in that time is given
// up.
constexpr size_t kBlockBytes = 65536;
// After a failed write: time for the reply that explains it.
constexpr Duration kLastWords = std::chrono::seconds(5);

struct FailureText {
  EnhancedStatus enhanced;
  std::string_view text;
};

FailureText TextOf(Ending ending) {
  switch (ending) {
    case Ending::kTimedOut:
      return {{4, 4, 2}, "timed out"};
    case Ending::kClosed:
      return {{4, 4, 2}, "connection lost"};
    case Ending::kMalformed:
      return {{4, 5, 0}, "protocol error"};
    case Ending::kTlsFailed:
      return {{4, 7, 5}, "TLS handshake failed"};
    case Ending::kConnectFailed:
      return {{4, 4, 1}, "no connection"};
    case Ending::kBindFailed:
      return {{4, 3, 5}, "source address not usable"};
    case Ending::kAborted:
      return {{4, 3, 2}, "stopped by the sender"};
    case Ending::kReplied:
    case Ending::kLocal:
      break;
  }
  return {{4, 0, 0}, "failed"};
}

}  // namespace

std::string_view ToString(Ending ending) {
  switch (ending) {
    case Ending::kReplied:
      return "replied";
    case Ending::kLocal:
      return "local";
    case Ending::kTimedOut:
      return "timed_out";
    case Ending::kClosed:
      return "closed";
    case Ending::kMalformed:
      return "malformed";
    case Ending::kTlsFailed:
      return "tls_failed";
    case Ending::kConnectFailed:
      return "connect_failed";
    case Ending::kBindFailed:
      return "bind_failed";
    case Ending::kAborted:
      return "aborted";
  }
  return "invalid";
}

SmtpOutcome MakeFailure(Stage stage, Ending ending, std::string_view detail) {
  const FailureText failure = TextOf(ending);
  std::string text = Cat(failure.text, " at ", ToString(stage));
  if (!detail.empty()) {
    Append(text, ": ", detail);
  }
  return {stage, ending, LocalReply(failure.enhanced, text)};
}

SmtpConnection::SmtpConnection(std::unique_ptr<Stream> stream, TraceHook trace)
    : stream_(std::move(stream)),
      trace_(std::move(trace)),
      deadline_(stream_->executor(), [this] { stream_->Close(); }) {}

asio::awaitable<bool> SmtpConnection::ReadReply(Duration timeout) {
  if (!is_open_) {
    co_return false;
  }
  if (!ParseBuffered()) {
    deadline_.Set(write_failed_ ? std::min(timeout, kLastWords) : timeout);
    do {
      const asio::mutable_buffer space = asio::buffer(buffer_);
      const auto [error, count] = co_await stream_->ReadSome(space);
      if (error) {
        co_return FailIo(error);
      }
      begin_ = 0;
      end_ = count;
    } while (!ParseBuffered());
    deadline_.Clear();
  }
  if (parsed_ == ReplyParser::Result::kMalformed) {
    co_return Fail(Ending::kMalformed, std::string(parser_.error()));
  }
  TraceReply();
  co_return true;
}

bool SmtpConnection::ParseBuffered() {
  const std::string_view unread(buffer_.data() + begin_, end_ - begin_);
  parsed_ = parser_.Feed(unread, begin_);
  return parsed_ != ReplyParser::Result::kNeedMore;
}

asio::awaitable<bool> SmtpConnection::Write(std::span<const asio::const_buffer> buffers,
                                            Duration block_timeout) {
  if (!is_open_ || write_failed_) {
    co_return false;
  }
  std::vector<asio::const_buffer> rest;  // only when a write was short
  size_t taken_of_block = kBlockBytes;
  while (!buffers.empty()) {
    if (taken_of_block >= kBlockBytes) {
      deadline_.Set(block_timeout);
      taken_of_block = 0;
    }
    auto [error, count] = co_await stream_->WriteSome(buffers);
    if (error) {
      if (deadline_.has_passed() || aborted_) {
        FailIo(error);
      }
      write_failed_ = true;
      break;
    }
    taken_of_block += count;
    while (!buffers.empty() && count >= buffers.front().size()) {
      count -= buffers.front().size();
      buffers = buffers.subspan(1);
    }
    if (count > 0) {
      rest = std::vector<asio::const_buffer>(buffers.begin(), buffers.end());
      rest.front() += count;
      buffers = rest;
    }
  }
  deadline_.Clear();
  co_return !write_failed_;
}

asio::awaitable<bool> SmtpConnection::WriteCommand(std::string_view command, Duration timeout) {
  TraceSent(command);
  const asio::const_buffer buffer(command.data(), command.size());
  co_return co_await Write(std::span(&buffer, 1), timeout);
}

asio::awaitable<bool> SmtpConnection::StartTls(TlsContext& context,
                                               const TlsRequirement& requirement,
                                               Duration timeout) {
  if (begin_ != end_) {
    Note("discarding plain text sent after the reply to STARTTLS");
  }
  begin_ = end_ = 0;
  deadline_.Set(timeout);
  const HandshakeResult result = co_await stream_->StartTls(context, requirement);
  if (result.error) {
    tls_failure_ = result.fault.failure;
    const bool is_ours = deadline_.has_passed() || aborted_;
    const std::string& text = result.fault.text;
    co_return is_ours ? FailIo(result.error)
                      : Fail(Ending::kTlsFailed, text.empty() ? result.error.message() : text);
  }
  deadline_.Clear();
  co_return true;
}

bool SmtpConnection::Fail(Ending ending, std::string detail) {
  failure_ = ending;
  detail_ = std::move(detail);
  Close();
  return false;
}

bool SmtpConnection::FailIo(const asio::error_code& error) {
  if (aborted_) {
    return Fail(Ending::kAborted, {});
  }
  if (deadline_.has_passed() && !write_failed_) {
    return Fail(Ending::kTimedOut, {});
  }
  return Fail(Ending::kClosed, error == asio::error::eof ? "closed by the peer" : error.message());
}

SmtpOutcome SmtpConnection::Failure(Stage stage) const {
  return MakeFailure(stage, failure_, detail_);
}

SmtpOutcome SmtpConnection::OutOfPlace(Stage stage) {
  Fail(Ending::kMalformed, Cat("unexpected reply ", ToString(reply())));
  return Failure(stage);
}

bool SmtpConnection::IsQuiet() {
  if (!is_open_ || write_failed_ || begin_ != end_ || parser_.is_inside_reply()) {
    return false;
  }
  return stream_->IsQuiet();
}

void SmtpConnection::Close() {
  is_open_ = false;
  deadline_.Clear();
  stream_->Close();
}

void SmtpConnection::Abort() {
  aborted_ = true;
  if (is_open_) {
    Fail(Ending::kAborted, {});
  }
}

void SmtpConnection::TraceSent(std::string_view commands) const {
  while (trace_ && !commands.empty()) {
    const size_t end = std::min(commands.find("\r\n"), commands.size());
    trace_(TraceDirection::kSent, commands.substr(0, end));
    commands.remove_prefix(std::min(end + 2, commands.size()));
  }
}

void SmtpConnection::TraceReply() const {
  if (!trace_) {
    return;
  }
  std::string_view lines = reply_lines();
  for (bool is_last = false; !is_last;) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    is_last = end == lines.size();
    trace_(TraceDirection::kReceived, Cat(reply().code, is_last ? " " : "-", lines.substr(0, end)));
    lines.remove_prefix(is_last ? end : end + 1);
  }
}

void SmtpConnection::Note(std::string_view text) const {
  if (trace_) {
    trace_(TraceDirection::kNote, text);
  }
}

}  // namespace sluice
