#include "net/smtp_transactor.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "smtp/command.h"

namespace sluice {
namespace {

// Content up to here is sent before the recipients are known to be accepted: a refusal then costs
// less than the round trip saved on every message.
constexpr size_t kOneWriteBytes = 256 * 1024;

bool IsCompleted(const SmtpReply& reply) { return reply.code >= 200 && reply.code < 300; }

// To RCPT. RFC 5321 §4.5.3.1.10: 452, and 552 from old servers; with an enhanced status it is that
// which tells (4.5.3), for 452 has other meanings, too.
bool SaysTooManyRecipients(const SmtpReply& reply) {
  if (reply.enhanced.has_value()) {
    return reply.code >= 400 && reply.enhanced->subject == 5 && reply.enhanced->detail == 3;
  }
  return reply.code == 452 || reply.code == 552;
}

}  // namespace

asio::awaitable<TransactionResult> SmtpTransactor::Run(const SmtpTransaction& transaction) {
  Begin(transaction);
  if (!is_reusable() || !connection_.IsQuiet()) {
    connection_.Close();
    result_.stale_connection = true;
    DecideRest(MakeFailure(Stage::kMail, Ending::kClosed, "before this transaction"));
    co_return std::move(result_);
  }
  if (auto refusal = RefuseLocally(transaction.content)) {
    DecideRest({Stage::kLocal, Ending::kLocal, *std::move(refusal)});
  } else if (PrepareEnvelope(transaction)) {
    content_.Prepare(/*stuff_dots=*/!uses_bdat_);
    if (IsPipelined()) {
      co_await RunPipelined();
    } else {
      co_await RunStepwise(transaction);
    }
  }
  is_past_dot_ = false;
  result_.reusable = is_reusable();
  content_.Clear();
  co_return std::move(result_);
}

void SmtpTransactor::Begin(const SmtpTransaction& transaction) {
  result_ = TransactionResult();
  result_.recipients.resize(transaction.recipients.size());
  progress_.assign(transaction.recipients.size(), Progress::kUndecided);
  watch_.Start();
  accepted_count_ = 0;
  was_content_sent_ = false;
  uses_bdat_ = peer_.chunking && options_.use_chunking;
  content_.Take(transaction.content.pieces);
}

std::optional<SmtpReply> SmtpTransactor::RefuseLocally(const TransactionContent& content) const {
  if (progress_.empty() || progress_.size() > kMaxRecipientsPerTransaction) {
    return LocalReply({5, 5, 3}, Cat(progress_.size(), " recipients in one transaction"));
  }
  if (content.needs_smtputf8 && !peer_.smtputf8) {
    return LocalReply({5, 6, 7},
                      Cat(options_.mx_host, " does not take UTF-8 addresses (SMTPUTF8)"));
  }
  if (content.has_8bit && !peer_.eight_bit_mime) {
    return LocalReply({5, 6, 3}, Cat(options_.mx_host, " does not take 8-bit content (8BITMIME)"));
  }
  if (peer_.max_size_bytes > 0 && content_.size_bytes() > peer_.max_size_bytes) {
    return LocalReply({5, 3, 4},
                      Cat("content of ", content_.size_bytes(), " bytes is over the limit of ",
                          options_.mx_host, ", ", peer_.max_size_bytes));
  }
  return std::nullopt;
}

bool SmtpTransactor::MaySend(const SmtpTransaction& transaction, size_t recipient) {
  if (!transaction.may_send || transaction.may_send(recipient)) {
    return true;
  }
  RecipientResult& result = result_.recipients[recipient];
  result.outcome = {Stage::kLocal, Ending::kLocal, LocalReply({4, 3, 2}, "withheld")};
  result.is_withheld = true;
  progress_[recipient] = Progress::kDecided;
  return false;
}

// Recipients that do not fit a command are decided here; false when there is nothing to send.
bool SmtpTransactor::PrepareEnvelope(const SmtpTransaction& transaction) {
  commands_.clear();
  steps_.clear();
  const auto add_step = [this](Step::Kind kind, size_t recipient) {
    steps_.push_back(Step{kind, recipient, commands_.size()});
  };
  if (needs_rset_) {
    commands_ += "RSET\r\n";
    add_step(Step::Kind::kRset, 0);
  }
  const bool smtputf8 = transaction.content.needs_smtputf8;
  const MailParameters parameters{.size_bytes = content_.size_bytes(),
                                  .eight_bit = transaction.content.has_8bit,
                                  .smtputf8 = smtputf8,
                                  .dsn_return = transaction.dsn_return,
                                  .dsn_envelope_id = transaction.dsn_envelope_id};
  if (absl::Status status = AppendMail(commands_, transaction.return_path, parameters, peer_);
      !status.ok()) {
    DecideRest({Stage::kLocal, Ending::kLocal, LocalReply({5, 1, 7}, View(status.message()))});
    return false;
  }
  add_step(Step::Kind::kMail, 0);
  const size_t envelope_steps = steps_.size();
  for (size_t i = 0; i < transaction.recipients.size(); ++i) {
    const size_t line_begin = commands_.size();
    const RcptParameters of_one{
        .smtputf8 = smtputf8,
        .dsn_notify = transaction.dsn_notify.empty() ? uint8_t{0} : transaction.dsn_notify[i]};
    if (absl::Status status = AppendRcpt(commands_, transaction.recipients[i], of_one, peer_);
        !status.ok()) {
      result_.recipients[i].outcome = {Stage::kLocal, Ending::kLocal,
                                       LocalReply({5, 1, 3}, View(status.message()))};
      progress_[i] = Progress::kDecided;
    } else if (IsPipelined() && !MaySend(transaction, i)) {
      commands_.resize(line_begin);
    } else {
      add_step(Step::Kind::kRcpt, i);
    }
  }
  return steps_.size() > envelope_steps;
}

void SmtpTransactor::AddContentBuffers() {
  content_.AppendTo(buffers_);
  if (connection_.is_tracing()) {
    connection_.Note(Cat("content, ", content_.wire_bytes(), " bytes"));
  }
}

asio::awaitable<void> SmtpTransactor::RunPipelined() {
  const size_t content_bytes = content_.wire_bytes();
  const bool is_one_write = uses_bdat_ && content_bytes <= kOneWriteBytes;
  if (is_one_write) {
    AppendBdatLast(commands_, content_bytes);
  } else if (!uses_bdat_) {
    commands_ += "DATA\r\n";
  }
  connection_.TraceSent(commands_);
  buffers_.assign(1, asio::buffer(commands_));
  if (is_one_write) {
    AddContentBuffers();
  }
  const bool is_written = co_await connection_.Write(buffers_, options_.timeouts.block);
  was_content_sent_ = is_one_write && is_written;
  is_past_dot_ = was_content_sent_;
  if (!co_await ReadEnvelopeReplies()) {
    co_return;
  }
  if (is_one_write) {
    co_await ReadFinalReply();
  } else if (!uses_bdat_) {
    co_await RunData(true);
  } else if (accepted_count_ > 0) {
    co_await RunBdat();
  }
}

asio::awaitable<void> SmtpTransactor::RunStepwise(const SmtpTransaction& transaction) {
  size_t line_begin = 0;
  for (const Step& step : steps_) {
    const std::string_view line =
        std::string_view(commands_).substr(line_begin, step.line_end - line_begin);
    line_begin = step.line_end;
    if (step.kind == Step::Kind::kRcpt && !MaySend(transaction, step.recipient)) {
      continue;
    }
    co_await connection_.WriteCommand(line, options_.timeouts.block);
    if (!co_await ReadStep(step)) {
      co_return;
    }
    // Nothing is in flight, so what follows would only be refused.
    const bool is_refused = step.kind == Step::Kind::kMail && !needs_rset_;
    if (is_closing_ || is_refused) {
      break;
    }
  }
  if (is_closing_) {
    DecideRest(*closing_);
  } else if (accepted_count_ > 0 && uses_bdat_) {
    co_await RunBdat();
  } else if (accepted_count_ > 0) {
    // Not `co_await (a ? b() : c())`: GCC 12 destroys the awaitable of a conditional twice.
    co_await RunData(false);
  }
}

asio::awaitable<bool> SmtpTransactor::ReadEnvelopeReplies() {
  for (const Step& step : steps_) {
    if (!co_await ReadStep(step)) {
      co_return false;
    }
  }
  co_return true;
}

// needs_rset_ is true from the MAIL that the peer accepts until its content or a RSET ends the
// transaction.
asio::awaitable<bool> SmtpTransactor::ReadStep(const Step& step) {
  const SmtpTimeouts& timeouts = options_.timeouts;
  const Duration timeout = step.kind == Step::Kind::kRset   ? timeouts.rset
                           : step.kind == Step::Kind::kMail ? timeouts.mail
                                                            : timeouts.rcpt;
  const bool is_read = co_await connection_.ReadReply(TimeoutOf(timeout));
  Lap(step.kind == Step::Kind::kRcpt ? TimedStep::kRcpt : TimedStep::kMail);
  if (!is_read) {
    LoseConnection(step.kind == Step::Kind::kRcpt ? Stage::kRcpt : Stage::kMail);
    co_return false;
  }
  co_return ApplyReply(step);
}

bool SmtpTransactor::ApplyReply(const Step& step) {
  const SmtpReply& reply = connection_.reply();
  const Stage stage = step.kind == Step::Kind::kRcpt ? Stage::kRcpt : Stage::kMail;
  if (reply.code == 421) {
    is_closing_ = true;
    closing_ = SmtpOutcome{stage, Ending::kReplied, reply};
  }
  if (reply.code >= 300 && reply.code < 400) {
    DecideRest(connection_.OutOfPlace(stage));
    return false;
  }
  switch (step.kind) {
    case Step::Kind::kRset:
      needs_rset_ = !IsCompleted(reply);
      if (needs_rset_ && !is_closing_) {
        DecideRest(connection_.OutOfPlace(stage));
        return false;
      }
      break;
    case Step::Kind::kMail:
      needs_rset_ = IsCompleted(reply);
      if (!needs_rset_) {
        DecideRest({stage, Ending::kReplied, reply});
      }
      break;
    case Step::Kind::kRcpt:
      if (IsCompleted(reply)) {
        const bool is_open = progress_[step.recipient] == Progress::kUndecided;
        progress_[step.recipient] = is_open ? Progress::kAccepted : Progress::kDecided;
        accepted_count_ += is_open ? 1 : 0;
      } else {
        RefuseRecipient(step.recipient);
      }
      break;
  }
  return true;
}

asio::awaitable<void> SmtpTransactor::RunData(bool is_command_sent) {
  if (!is_command_sent) {
    co_await connection_.WriteCommand("DATA\r\n", options_.timeouts.block);
  }
  const bool is_read = co_await connection_.ReadReply(TimeoutOf(options_.timeouts.data));
  Lap(TimedStep::kData);
  if (!is_read) {
    LoseConnection(Stage::kData);
    co_return;
  }
  const int code = connection_.reply().code;
  if (code >= 400) {
    const SmtpOutcome refused{Stage::kData, Ending::kReplied, connection_.reply()};
    is_closing_ = is_closing_ || code == 421;
    DecideRest(refused);
    co_return;
  }
  if (code < 300) {
    DecideRest(connection_.OutOfPlace(Stage::kData));
    co_return;
  }
  if (accepted_count_ == 0) {
    // RFC 2920 §3.1: the server waits for content though nobody is to get it; an empty one ends
    // that.
    content_.Clear();
  }
  buffers_.clear();
  AddContentBuffers();
  constexpr std::string_view kDot = ".\r\n";
  buffers_.emplace_back(kDot.data(), kDot.size());
  co_await SendContent();
  co_await ReadFinalReply();
}

asio::awaitable<void> SmtpTransactor::RunBdat() {
  commands_.clear();
  AppendBdatLast(commands_, content_.wire_bytes());
  connection_.TraceSent(commands_);
  buffers_.assign(1, asio::buffer(commands_));
  AddContentBuffers();
  co_await SendContent();
  co_await ReadFinalReply();
}

asio::awaitable<void> SmtpTransactor::SendContent() {
  was_content_sent_ = co_await connection_.Write(buffers_, options_.timeouts.block);
  is_past_dot_ = was_content_sent_;
}

asio::awaitable<void> SmtpTransactor::ReadFinalReply() {
  const bool is_read = co_await connection_.ReadReply(TimeoutOf(options_.timeouts.dot));
  Lap(TimedStep::kBody);
  if (!is_read) {
    LoseConnection(Stage::kBody);
    co_return;
  }
  const SmtpReply& reply = connection_.reply();
  const bool is_completed = IsCompleted(reply);
  // RFC 3030 §4.1: after a BDAT that failed the transaction is in an indeterminate state; after a
  // dot it is over.
  needs_rset_ = uses_bdat_ && !is_completed;
  // Who does not know the command may take the content for commands.
  is_closing_ =
      is_closing_ || reply.code == 421 || (uses_bdat_ && reply.code >= 500 && reply.code <= 502);
  if (reply.code < 400 && (!is_completed || !was_content_sent_)) {
    DecideRest(connection_.OutOfPlace(Stage::kBody));
    co_return;
  }
  DecideRest({Stage::kBody, Ending::kReplied, reply});
}

void SmtpTransactor::RefuseRecipient(size_t recipient) {
  if (progress_[recipient] == Progress::kDecided) {
    return;
  }
  progress_[recipient] = Progress::kDecided;
  const SmtpReply& reply = connection_.reply();
  result_.recipients[recipient].outcome = {Stage::kRcpt, Ending::kReplied, reply};
  result_.recipients[recipient].is_postponed = accepted_count_ > 0 && SaysTooManyRecipients(reply);
}

// For whoever has no verdict yet, accepted at RCPT or not.
void SmtpTransactor::DecideRest(const SmtpOutcome& outcome) {
  const bool is_answered = outcome.ending == Ending::kReplied || outcome.ending == Ending::kLocal;
  for (size_t i = 0; i < progress_.size(); ++i) {
    if (progress_[i] != Progress::kDecided) {
      progress_[i] = Progress::kDecided;
      result_.recipients[i].outcome = outcome;
      result_.recipients[i].unknown_after_dot = was_content_sent_ && !is_answered;
    }
  }
}

// A peer that had said 421 has explained itself.
void SmtpTransactor::LoseConnection(Stage stage) {
  const bool is_explained = closing_ && connection_.failure() == Ending::kClosed;
  DecideRest(is_explained ? *closing_ : connection_.Failure(stage));
}

Duration SmtpTransactor::TimeoutOf(Duration timeout) const {
  return is_closing_ ? std::min(timeout, options_.timeouts.quit) : timeout;
}

}  // namespace sluice
