// Runs transactions (MAIL, RCPT…, content) over a ready connection, one after the other. Three
// shapes, by what the peer offers:
//
//   PIPELINING + CHUNKING   [RSET] MAIL RCPT… BDAT n LAST content          one write, one read (RFC
//   3030)
//                           content over kOneWriteBytes waits for the replies to RCPT
//   PIPELINING              [RSET] MAIL RCPT… DATA │ content .              two writes (RFC 2920)
//   neither                 each command waits for its reply
//
// A transaction that the server still holds open when it ends for us is reset together with the
// next one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>

#include "net/outgoing_content.h"
#include "net/smtp_connection.h"
#include "net/stopwatch.h"

namespace sluice {

class SmtpTransactor {
 public:
  // All outlive the transactor; `peer` may change between transactions.
  SmtpTransactor(SmtpConnection& connection, const SmtpSessionOptions& options,
                 const Extensions& peer)
      : connection_(connection), options_(options), peer_(peer) {}

  asio::awaitable<TransactionResult> Run(const SmtpTransaction& transaction);
  bool is_past_dot() const { return is_past_dot_; }
  bool is_reusable() const { return !is_closing_ && connection_.is_open(); }

 private:
  // One command of the envelope: where its line ends in commands_, and whom it concerns.
  struct Step {
    enum class Kind : uint8_t { kRset, kMail, kRcpt } kind;
    size_t recipient;
    size_t line_end;
  };
  enum class Progress : uint8_t { kUndecided, kAccepted, kDecided };

  // What is decided before anything is sent.
  void Begin(const SmtpTransaction& transaction);
  // False: its RCPT must not go out; that is its result.
  bool MaySend(const SmtpTransaction& transaction, size_t recipient);
  std::optional<SmtpReply> RefuseLocally(const TransactionContent& content) const;
  bool PrepareEnvelope(const SmtpTransaction& transaction);
  bool IsPipelined() const { return peer_.pipelining && options_.use_pipelining; }
  void AddContentBuffers();

  asio::awaitable<void> RunPipelined();
  asio::awaitable<void> RunStepwise(const SmtpTransaction& transaction);
  // False: the transaction is over.
  asio::awaitable<bool> ReadEnvelopeReplies();
  asio::awaitable<bool> ReadStep(const Step& step);
  bool ApplyReply(const Step& step);
  asio::awaitable<void> RunData(bool is_command_sent);
  asio::awaitable<void> RunBdat();
  asio::awaitable<void> SendContent();
  asio::awaitable<void> ReadFinalReply();

  void RefuseRecipient(size_t recipient);
  void DecideRest(const SmtpOutcome& outcome);
  void LoseConnection(Stage stage);
  Duration TimeoutOf(Duration timeout) const;
  // What passed since the last lap was `step`.
  void Lap(TimedStep step) { result_.times.Add(step, watch_.Lap()); }

  SmtpConnection& connection_;
  const SmtpSessionOptions& options_;
  const Extensions& peer_;

  // State of the connection.
  bool needs_rset_ = false;
  bool is_closing_ = false;             // the peer said 421, or lost step
  std::optional<SmtpOutcome> closing_;  // its 421

  // State of the transaction.
  TransactionResult result_;
  Stopwatch watch_;
  std::vector<Progress> progress_;  // by recipient
  size_t accepted_count_ = 0;
  bool is_past_dot_ = false;
  bool was_content_sent_ = false;  // all of it
  bool uses_bdat_ = false;
  std::string commands_;
  std::vector<Step> steps_;
  OutgoingContent content_;
  std::vector<asio::const_buffer> buffers_;
};

}  // namespace sluice
