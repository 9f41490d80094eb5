// The SMTP client: one connection from a given source to one MX host, and the transactions on it.
//
//   Open:  connect ─▶ greeting ─▶ EHLO (or HELO) ─▶ [STARTTLS ─▶ handshake ─▶ EHLO] ─▶ [AUTH] ─▶
//   ready Send:  ready ─▶ MAIL, RCPT…, DATA or BDAT ─▶ content ─▶ replies ─▶ ready, or closed Quit:
//   ready ─▶ QUIT ─▶ closed
//
// A refusal is a value (SmtpOutcome), never a Status. A session belongs to one executor with one
// thread; one coroutine at a time uses it. It decides nothing: which host, when, again or not is
// the caller's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>

#include "mail/disposition.h"
#include "mail/proxy_address.h"
#include "mail/smtp_reply.h"
#include "mail/stage_times.h"
#include "net/stream.h"
#include "net/tls.h"
#include "smtp/dsn_request.h"
#include "smtp/extensions.h"
#include "smtp/timeouts.h"

namespace sluice {

// Who we are to a smart host (RFC 4954); goes over TLS only.
struct SmtpCredentials {
  std::string user, password;
};

// How a step ended.
enum class Ending : uint8_t {
  kReplied,        // the peer answered: `reply` is its reply, positive or not
  kLocal,          // we refused before anything was sent: `reply` (code 0) says why
  kTimedOut,       // this and all below: no answer; `reply` has code 0 and an enhanced status
  kClosed,         // the connection was closed or reset
  kMalformed,      // what came is not SMTP
  kTlsFailed,      // the handshake failed
  kConnectFailed,  // refused, unreachable
  kBindFailed,     // the source address is not ours: a local fault of this source, nobody else's
                   // (never a fall-back)
  kAborted,        // Abort() was called
};
std::string_view ToString(Ending ending);

struct SmtpOutcome {
  Stage stage = Stage::kLocal;
  Ending ending = Ending::kLocal;
  SmtpReply reply;

  bool is_positive() const { return ending == Ending::kReplied && reply.is_positive(); }
};

// Lines sent and received, without line end and without content. Called on the session's thread.
enum class TraceDirection : uint8_t { kSent, kReceived, kNote };
using TraceHook = std::function<void(TraceDirection, std::string_view line)>;

struct SmtpSessionOptions {
  std::string ehlo;                   // name that this source says
  std::string mx_host;                // name of the peer
  TlsRequirement tls;                 // without a server_name: mx_host
  std::optional<ProxyAddress> proxy;  // what binds the source, if this host does not
  std::optional<SmtpCredentials> credentials;
  TlsContext* tls_context = nullptr;  // outlives the session; may be null with kOff
  SmtpTimeouts timeouts;
  bool use_chunking = true;  // BDAT where offered
  bool use_pipelining = true;
  TraceHook trace;  // optional
};

struct TransactionContent {
  // One message in pieces, in order; CRLF line ends. Bare CR or LF is repaired, never sent.
  std::span<const std::string_view> pieces;
  bool has_8bit = false;        // some byte over 127 in the content
  bool needs_smtputf8 = false;  // an address or header field needs RFC 6531
};

// All views must live until Send returns.
struct SmtpTransaction {
  std::string_view return_path;                  // without <>; empty = null sender
  std::span<const std::string_view> recipients;  // without <>; 1 to kMaxRecipientsPerTransaction
  TransactionContent content;
  // What the sender wants of notifications, said where the peer offers DSN: `dsn_notify` by
  // recipient (bits of smtp/dsn_request.h), or empty.
  DsnReturn dsn_return = DsnReturn::kNone;
  std::string_view dsn_envelope_id;
  std::span<const uint8_t> dsn_notify;
  // Asked (by index) right before a recipient's RCPT goes out; no means that it does not. Optional.
  std::function<bool(size_t)> may_send;
};
// What every server must take (RFC 5321 §4.5.3.1.8).
constexpr size_t kMaxRecipientsPerTransaction = 100;

struct RecipientResult {
  // Delivered if and only if outcome.stage == kBody and outcome.is_positive().
  SmtpOutcome outcome;
  // The last byte of content was handed to the network and no reply came: the peer may have the
  // message.
  bool unknown_after_dot = false;
  // `may_send` said no: nothing was said to the peer about this recipient.
  bool is_withheld = false;
  // The peer took as many recipients as it wants in one transaction before this one, and has not
  // judged it: send it in another transaction (RFC 5321 §4.5.3.1.10). Some other was accepted.
  bool is_postponed = false;

  bool is_delivered() const { return outcome.stage == Stage::kBody && outcome.is_positive(); }
};

struct TransactionResult {
  std::vector<RecipientResult> recipients;  // in the transaction's order
  // The connection turned out to be closed (or to hold an unasked reply) before a byte of this
  // transaction was sent, as idle connections do: no attempt was made, use another connection.
  // recipients say kClosed at kMail.
  bool stale_connection = false;
  StageTimes times;       // mail, rcpt, data, body
  bool reusable = false;  // another Send may follow; else Quit or drop the session
};

class SmtpSession;

struct OpenResult {
  std::unique_ptr<SmtpSession> session;  // null: `outcome` says why
  SmtpOutcome outcome;                   // the last step made
  // Handshake or STARTTLS failed in opportunistic mode: open again with TlsMode::kOff, same host,
  // no blame.
  bool retry_in_plain_text = false;
  // What kept the session from being encrypted as required, or, in opportunistic mode, encrypted.
  TlsFailure tls_failure = TlsFailure::kNone;
  StageTimes times;  // connect, greeting, tls
};

class SmtpSession {
 public:
  // Connects from `source` (port 0) to `peer` and brings the session to ready.
  static asio::awaitable<OpenResult> Open(asio::any_io_executor executor, asio::ip::address source,
                                          asio::ip::tcp::endpoint peer, SmtpSessionOptions options);
  // The same over a connected stream (a fake, a proxy).
  static asio::awaitable<OpenResult> OpenOver(std::unique_ptr<Stream> stream,
                                              SmtpSessionOptions options);

  ~SmtpSession();  // closes the connection without QUIT
  SmtpSession(const SmtpSession&) = delete;
  SmtpSession& operator=(const SmtpSession&) = delete;

  // One content to several recipients; each has its own outcome. Checks first what the peer lacks:
  // 8-bit content without 8BITMIME (5.6.3), UTF-8 addresses without SMTPUTF8 (5.6.7), over SIZE
  // (5.3.4) end kLocal.
  asio::awaitable<TransactionResult> Send(const SmtpTransaction& transaction);
  // From the next transaction on; empty: none.
  void SetTrace(TraceHook trace);
  // Says QUIT and closes, waiting shortly for the answer. No other call may follow.
  asio::awaitable<void> Quit();
  // Ends whatever is under way with kAborted. Same thread as the session.
  void Abort();

  bool is_reusable() const;
  // To ask of an idle connection before mail is given to it: false, and closed, if the peer has
  // closed it or said something unasked (421 before it does).
  bool IsStillOpen();
  // During Send: the last byte of content has been handed to the network, the reply is awaited. A
  // drain waits for these and aborts the others.
  bool is_past_dot() const;
  size_t transaction_count() const;  // of Send, on this connection
  const Extensions& extensions() const;
  const TlsFacts* tls() const;  // null in plain text
  const SmtpReply& greeting() const;
  // Text of the last EHLO reply: many servers print the client's address in it.
  const SmtpReply& ehlo_reply() const;

 private:
  class Impl;
  explicit SmtpSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
