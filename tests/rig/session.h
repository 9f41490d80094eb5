// One SMTP session of the sink, without its socket: bytes in, bytes out, and what to do next.
// Content goes by and is not kept; the memory of a session is bounded by one command line and
// kMaxRecipients.
//
//   greeting ─▶ commands ⇄ DATA content (until the dot) / BDAT chunk (until its count)
//
// Replies gather in output() until nothing more can be read, so a pipelined group is answered in
// one write. Used by one loop thread.
#pragma once

#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "rig/command.h"
#include "rig/content.h"
#include "rig/counters.h"
#include "rig/dot_scanner.h"
#include "rig/latency.h"
#include "rig/script.h"
#include "rig/token_ledger.h"
#include "rig/transaction_log.h"

namespace sluice::rig {

// What all sessions of one loop share. The loop owns it and replaces `script` between events.
struct SessionContext {
  std::shared_ptr<const Script> script;
  std::string host_name = "sink.test";
  Recording recording = Recording::kNone;
  std::string content_directory;
  uint64_t max_files = 0;
  uint64_t files = 0;
  uint64_t max_size = 64 * 1024 * 1024;
  bool offer_tls = true;
  TransactionLog* log = nullptr;        // null: no record
  TokenLedger* tokens = nullptr;        // null: tokens are not tracked
  LatencyHistogram* latency = nullptr;  // null: not measured
  std::mt19937_64 random{1};
};

class Session {
 public:
  static constexpr size_t kMaxLine = 4096;
  static constexpr size_t kMaxRecipients = 10'000;

  enum class Next {
    kRead,      // write the output, go on reading
    kPause,     // write the output, wait `pause`, call Resume; read nothing meanwhile
    kStartTls,  // write the output, do the handshake, call TlsStarted
    kClose,     // write the output, then close in peace
    kAbort,     // write what goes without waiting, close at once
    kReset,     // close at once by RST
  };
  struct Step {
    Next next = Next::kRead;
    Duration pause{};
  };

  // Both references outlive the session.
  Session(SessionContext& context, Counters& counters, Peer peer);
  ~Session();

  // The banner; call once, first.
  Step Greet(Instant now);
  // Takes from the front of `input` what it can. What it leaves must come again, with more behind
  // it.
  Step Consume(std::string_view& input, Instant now);
  Step Resume(Instant now);
  void TlsStarted(Instant now);
  // Says goodbye to a client that kept silent.
  Step TimeOut(Instant now);
  // The connection is gone: settles what is open. Call once, last.
  void Ended(Instant now);

  // What is to be written, oldest first, and how much of it was.
  std::string_view output() const { return std::string_view(output_).substr(sent_); }
  void Sent(size_t bytes, Instant now);

  const Peer& peer() const { return peer_; }
  bool quit() const { return quit_; }

 private:
  enum class Mode { kCommand, kData, kChunk };
  static constexpr size_t kMaxSpare = 4;
  // A reply as decided by the script or, without a rule, by the protocol.
  struct Verdict {
    std::string_view normal;
    const Action* action = nullptr;
    int code = 0;
    bool Accepts() const { return code < 400; }
  };
  // A reply that waits: for a delay, or for its next byte.
  struct Held {
    std::string text;
    size_t said = 0;
    Duration drip{};
    Drop drop = Drop::kNo;
    Next then = Next::kRead;
  };
  struct Unanswered {
    Transaction transaction;
    uint64_t reply_end = 0;  // in bytes ever put out
  };

  // The verdict's action lives until the next Decide.
  Verdict Decide(Stage stage, std::span<const std::string> recipients, std::string_view normal);
  // The reply, late, slow, or not at all as the script says; `then` comes after it.
  void Say(const Verdict& verdict, Next then = Next::kRead);
  void Drip();
  void AfterReply(Drop drop, Next then);
  // A reply that no script bends.
  void Put(std::string_view wire);
  void Complain(std::string_view wire);

  bool TakeLine(std::string_view& input);
  void Obey(const Command& command);
  void Hello(const Command& command);
  std::string HelloReply(std::string_view name) const;
  void StartTls();
  void Mail(std::string_view argument);
  std::string_view CheckMailParameters(std::string_view parameters, std::string_view address) const;
  void Rcpt(std::string_view argument);
  void Data();
  void Bdat(std::string_view argument);
  void Quit();

  Verdict BeginContent(std::string_view normal);
  void TakeContent(std::string_view& input);
  void TakeChunk(std::string_view& input);
  void EndChunk();
  void EndContent();
  void WatchContent();
  void FillFromContent();
  void QueueUnanswered();
  void Settle(Transaction& transaction, bool answered);
  void Abandon();
  void Log(const Transaction& transaction);

  SessionContext& context_;
  Counters& counters_;
  const Peer peer_;
  const std::string source_;  // ADDR:PORT
  const ConnectionTerms terms_;
  std::shared_ptr<const Script> script_in_use_;
  Instant now_{};

  std::string output_;
  size_t sent_ = 0;
  uint64_t put_ever_ = 0;
  uint64_t sent_ever_ = 0;
  Step step_;
  Held held_;

  Mode mode_ = Mode::kCommand;
  std::string ehlo_;
  bool extended_ = false;  // EHLO, not HELO
  bool tls_ = false;
  bool quit_ = false;
  uint64_t messages_ = 0;

  bool in_transaction_ = false;  // from MAIL until its reply is put out
  Transaction transaction_;
  bool content_begun_ = false;
  Content content_;
  DotScanner scanner_;
  uint64_t drop_after_bytes_ = 0;  // of content; 0: no such rule
  Chunk chunk_;
  uint64_t chunk_left_ = 0;
  std::optional<Verdict> chunk_refusal_;  // the chunk's bytes are thrown away, then this is said
  std::vector<Unanswered> unanswered_;
  std::vector<Transaction> spare_;
};

}  // namespace sluice::rig
