// Replies in, commands out, over one stream: the moving of bytes under an SMTP session, with one
// timer and one read buffer. Knows lines and replies, not the order in which they come
// (smtp_session, smtp_transactor).
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>

#include "net/smtp_session.h"
#include "net/stream.h"
#include "net/timeout.h"
#include "smtp/reply_parser.h"

namespace sluice {

// An outcome without a reply of the peer's; `detail` (may be empty) is added to the text.
SmtpOutcome MakeFailure(Stage stage, Ending ending, std::string_view detail);

class SmtpConnection {
 public:
  // `trace` may be empty.
  SmtpConnection(std::unique_ptr<Stream> stream, TraceHook trace);

  // The next reply, whole, within `timeout`; false: failure() says why, and the connection is
  // closed. After a write that failed, what the peer had said before is still read, within a few
  // seconds at most.
  asio::awaitable<bool> ReadReply(Duration timeout);
  // Of the last ReadReply that gave true.
  const SmtpReply& reply() const { return parser_.reply(); }
  // Its lines without codes, '\n' between them.
  std::string_view reply_lines() const { return parser_.lines(); }

  // All of `buffers` (none empty), each block of it within `block_timeout`. False: not all was
  // taken.
  asio::awaitable<bool> Write(std::span<const asio::const_buffer> buffers, Duration block_timeout);
  // One piece of text, traced line by line.
  asio::awaitable<bool> WriteCommand(std::string_view command, Duration timeout);

  // Throws away what has come but was not read (it was sent in plain text), then the handshake.
  // False: closed.
  asio::awaitable<bool> StartTls(TlsContext& context, const TlsRequirement& requirement,
                                 Duration timeout);
  // Of a StartTls that gave false.
  TlsFailure tls_failure() const { return tls_failure_; }

  // The outcome for a step whose ReadReply (StartTls) gave false; with a reply that speaks for the
  // silent peer.
  SmtpOutcome Failure(Stage stage) const;
  // The outcome for a reply that is not SMTP in its place: closes.
  SmtpOutcome OutOfPlace(Stage stage);
  Ending failure() const { return failure_; }

  // More can be said.
  bool is_open() const { return is_open_ && !write_failed_; }
  // Open, nothing unread, and not closed by the peer as far as can be seen: a look at the socket,
  // before each transaction. Mail sent after the peer has closed would count as a possible duplicate.
  bool IsQuiet();
  void Close();
  // Close, so that what is under way ends with kAborted.
  void Abort();
  const TlsFacts* tls() const { return stream_->tls(); }

  void SetTrace(TraceHook trace) { trace_ = std::move(trace); }
  bool is_tracing() const { return static_cast<bool>(trace_); }
  // Line by line. Secrets must not come here.
  void TraceSent(std::string_view commands) const;
  void Note(std::string_view text) const;

 private:
  bool Fail(Ending ending, std::string detail);
  bool FailIo(const asio::error_code& error);
  // True when a whole reply, or a malformed one, was in the buffer.
  bool ParseBuffered();
  void TraceReply() const;

  std::unique_ptr<Stream> stream_;
  TraceHook trace_;
  Deadline deadline_;
  ReplyParser parser_;
  ReplyParser::Result parsed_ = ReplyParser::Result::kNeedMore;
  std::array<char, 4096> buffer_;
  size_t begin_ = 0, end_ = 0;  // unread part of buffer_
  bool is_open_ = true;
  bool write_failed_ = false;
  bool aborted_ = false;
  Ending failure_ = Ending::kClosed;
  std::string detail_;
  TlsFailure tls_failure_ = TlsFailure::kNone;
};

}  // namespace sluice
