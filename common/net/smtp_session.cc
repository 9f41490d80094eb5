#include "net/smtp_session.h"

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "net/proxy.h"
#include "net/smtp_connection.h"
#include "net/smtp_transactor.h"
#include "net/stopwatch.h"
#include "net/tcp_stream.h"
#include "smtp/command.h"

namespace sluice {

namespace {
constexpr int kGoOn = 334;  // RFC 4954 §4: the next line of the exchange
}  // namespace

class SmtpSession::Impl {
 public:
  Impl(std::unique_ptr<Stream> stream, SmtpSessionOptions options)
      : options_(std::move(options)),
        connection_(std::move(stream), options_.trace),
        transactor_(connection_, options_, extensions_) {}

  // To ready, or the outcome of the step that failed.
  asio::awaitable<SmtpOutcome> Start();
  asio::awaitable<void> Quit();

  bool retry_in_plain_text() const { return retry_in_plain_text_; }
  TlsFailure tls_failure() const { return tls_failure_; }

  const SmtpSessionOptions options_;
  Extensions extensions_;
  SmtpConnection connection_;
  SmtpTransactor transactor_;
  SmtpReply greeting_;
  SmtpReply ehlo_reply_;
  size_t transaction_count_ = 0;
  StageTimes times_;

 private:
  asio::awaitable<SmtpOutcome> ReadGreeting();
  asio::awaitable<SmtpOutcome> SayHello();
  asio::awaitable<SmtpOutcome> SayHello(std::string_view verb);
  asio::awaitable<SmtpOutcome> StartTls();
  asio::awaitable<SmtpOutcome> ReadOutcome(Stage stage, Duration timeout);
  void ReadExtensions();
  SmtpOutcome RefusePlainText(std::string_view why);
  // As far as encryption goes.
  asio::awaitable<SmtpOutcome> Secure();
  asio::awaitable<SmtpOutcome> Authenticate();
  asio::awaitable<SmtpOutcome> SaySecret(std::string line, std::string_view shown);

  bool retry_in_plain_text_ = false;
  TlsFailure tls_failure_ = TlsFailure::kNone;
  Stopwatch watch_;
};

asio::awaitable<SmtpOutcome> SmtpSession::Impl::Start() {
  SmtpOutcome ready = co_await Secure();
  if (!ready.is_positive() || !options_.credentials.has_value()) {
    co_return ready;
  }
  SmtpOutcome known = co_await Authenticate();
  if (known.reply.code == kGoOn) {
    co_return connection_.OutOfPlace(Stage::kAuth);
  }
  co_return known.is_positive() ? ready : known;
}

asio::awaitable<SmtpOutcome> SmtpSession::Impl::Secure() {
  SmtpOutcome greeted = co_await ReadGreeting();
  times_.Add(TimedStep::kGreeting, watch_.Lap());
  if (!greeted.is_positive()) {
    co_return greeted;
  }
  SmtpOutcome ready = co_await SayHello();
  times_.Add(TimedStep::kGreeting, watch_.Lap());
  if (!ready.is_positive() || options_.tls.mode == TlsMode::kOff) {
    co_return ready;
  }
  if (!extensions_.starttls || options_.tls_context == nullptr) {
    tls_failure_ = TlsFailure::kStarttlsNotSupported;
    co_return MustEncrypt(options_.tls) ? RefusePlainText("STARTTLS is not offered") : ready;
  }
  SmtpOutcome secured = co_await StartTls();
  times_.Add(TimedStep::kTls, watch_.Lap());
  if (secured.ending == Ending::kReplied && !secured.is_positive() && secured.reply.code != 421) {
    // Refused without leaving: opportunistic mail goes on in plain text.
    tls_failure_ = TlsFailure::kStarttlsNotSupported;
    co_return MustEncrypt(options_.tls) ? RefusePlainText(ToString(secured.reply)) : ready;
  }
  const bool may_be_plain = !MustEncrypt(options_.tls);
  if (!secured.is_positive()) {
    retry_in_plain_text_ = may_be_plain && secured.ending != Ending::kAborted;
    co_return secured;
  }
  SmtpOutcome ready_again = co_await SayHello();
  times_.Add(TimedStep::kTls, watch_.Lap());
  // With TLS 1.3 a server that turns our handshake down says so only now.
  const bool is_turned_down =
      ready_again.ending == Ending::kClosed || ready_again.ending == Ending::kMalformed;
  retry_in_plain_text_ = may_be_plain && is_turned_down;
  if (is_turned_down) {
    tls_failure_ = TlsFailure::kValidationFailure;
  }
  co_return ready_again;
}

// RFC 4954 §4; PLAIN is RFC 4616, LOGIN what older servers offer instead.
asio::awaitable<SmtpOutcome> SmtpSession::Impl::Authenticate() {
  const std::vector<std::string>& offered = extensions_.auth;
  const auto offers = [&offered](std::string_view mechanism) {
    return std::ranges::find(offered, mechanism) != offered.end();
  };
  const SmtpCredentials& own = *options_.credentials;
  if (connection_.tls() == nullptr || (!offers("PLAIN") && !offers("LOGIN"))) {
    const bool is_plain = connection_.tls() == nullptr;
    connection_.Close();
    co_return SmtpOutcome{Stage::kAuth, Ending::kLocal,
                          LocalReply({4, 7, 0}, is_plain
                                                    ? "credentials go over TLS only"
                                                    : "the server offers neither AUTH PLAIN nor LOGIN")};
  }
  if (offers("PLAIN")) {
    const std::string secret = EncodeBase64(Cat('\0', own.user, '\0', own.password));
    co_return co_await SaySecret(Cat("AUTH PLAIN ", secret), "AUTH PLAIN ***");
  }
  SmtpOutcome asked = co_await SaySecret("AUTH LOGIN", "AUTH LOGIN");
  if (asked.reply.code == kGoOn) {
    asked = co_await SaySecret(EncodeBase64(own.user), "***");
  }
  if (asked.reply.code != kGoOn) {
    co_return asked;
  }
  co_return co_await SaySecret(EncodeBase64(own.password), "***");
}

// A line of which only `shown` may be seen.
asio::awaitable<SmtpOutcome> SmtpSession::Impl::SaySecret(std::string line,
                                                          std::string_view shown) {
  connection_.TraceSent(shown);
  line += "\r\n";
  const asio::const_buffer buffer(line.data(), line.size());
  co_await connection_.Write(std::span(&buffer, 1), options_.timeouts.block);
  if (!co_await connection_.ReadReply(options_.timeouts.ehlo)) {
    co_return connection_.Failure(Stage::kAuth);
  }
  SmtpOutcome outcome;
  outcome.stage = Stage::kAuth;
  outcome.ending = Ending::kReplied;
  outcome.reply = connection_.reply();
  co_return outcome;
}

// The connection is of no use: it stays plain, and mail must not go over it so.
SmtpOutcome SmtpSession::Impl::RefusePlainText(std::string_view why) {
  connection_.Close();
  return {Stage::kStarttls, Ending::kTlsFailed,
          LocalReply({4, 7, 4}, Cat("TLS is required and not to be had: ", why))};
}

asio::awaitable<SmtpOutcome> SmtpSession::Impl::ReadOutcome(Stage stage, Duration timeout) {
  if (!co_await connection_.ReadReply(timeout)) {
    co_return connection_.Failure(stage);
  }
  if (connection_.reply().code >= 300 && connection_.reply().code < 400) {
    co_return connection_.OutOfPlace(stage);
  }
  SmtpOutcome outcome;
  outcome.stage = stage;
  outcome.ending = Ending::kReplied;
  outcome.reply = connection_.reply();
  co_return outcome;
}

asio::awaitable<SmtpOutcome> SmtpSession::Impl::ReadGreeting() {
  SmtpOutcome outcome = co_await ReadOutcome(Stage::kBanner, options_.timeouts.banner);
  greeting_ = outcome.reply;
  co_return outcome;
}

asio::awaitable<SmtpOutcome> SmtpSession::Impl::SayHello() {
  extensions_ = Extensions();
  SmtpOutcome outcome = co_await SayHello("EHLO");
  const bool is_unknown =
      outcome.ending == Ending::kReplied && outcome.reply.code >= 500 && outcome.reply.code <= 504;
  if (is_unknown) {
    co_return co_await SayHello("HELO");
  }
  if (outcome.is_positive()) {
    ReadExtensions();
  }
  co_return outcome;
}

asio::awaitable<SmtpOutcome> SmtpSession::Impl::SayHello(std::string_view verb) {
  std::string command;
  if (absl::Status status = AppendHello(command, verb, options_.ehlo); !status.ok()) {
    connection_.Close();
    SmtpOutcome refused;
    refused.reply = LocalReply({4, 3, 5}, View(status.message()));
    co_return refused;
  }
  co_await connection_.WriteCommand(command, options_.timeouts.block);
  SmtpOutcome outcome = co_await ReadOutcome(Stage::kEhlo, options_.timeouts.ehlo);
  ehlo_reply_ = outcome.reply;
  co_return outcome;
}

void SmtpSession::Impl::ReadExtensions() {
  std::string_view lines = connection_.reply_lines();
  // The first line is the server's name.
  for (size_t end = lines.find('\n'); end != std::string_view::npos; end = lines.find('\n')) {
    lines.remove_prefix(end + 1);
    extensions_.AddLine(lines.substr(0, lines.find('\n')));
  }
}

asio::awaitable<SmtpOutcome> SmtpSession::Impl::StartTls() {
  co_await connection_.WriteCommand("STARTTLS\r\n", options_.timeouts.block);
  SmtpOutcome outcome = co_await ReadOutcome(Stage::kStarttls, options_.timeouts.starttls);
  if (!outcome.is_positive()) {
    co_return outcome;
  }
  if (!co_await connection_.StartTls(*options_.tls_context, options_.tls,
                                     options_.timeouts.starttls)) {
    tls_failure_ = connection_.tls_failure();
    co_return connection_.Failure(Stage::kStarttls);
  }
  const TlsFacts& facts = *connection_.tls();
  connection_.Note(Cat("encrypted: ", facts.version, " ", facts.cipher,
                       facts.peer_verified ? ", verified" : ", not verified: ",
                       facts.why_not_verified));
  co_return outcome;
}

asio::awaitable<void> SmtpSession::Impl::Quit() {
  if (connection_.is_open()) {
    co_await connection_.WriteCommand("QUIT\r\n", options_.timeouts.quit);
    co_await connection_.ReadReply(options_.timeouts.quit);
  }
  connection_.Close();
}

namespace {

Ending EndingOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kFailedPrecondition:
      return Ending::kBindFailed;
    case absl::StatusCode::kDeadlineExceeded:
      return Ending::kTimedOut;
    default:
      return Ending::kConnectFailed;
  }
}

}  // namespace

asio::awaitable<OpenResult> SmtpSession::Open(asio::any_io_executor executor,
                                              asio::ip::address source,
                                              asio::ip::tcp::endpoint peer,
                                              SmtpSessionOptions options) {
  const Duration timeout = options.timeouts.connect;
  Stopwatch watch;
  absl::StatusOr<std::unique_ptr<Stream>> stream(absl::UnknownError(""));
  if (options.proxy.has_value()) {
    stream = co_await ConnectThroughProxy(executor, *options.proxy, source, peer, timeout);
  } else {
    stream = co_await ConnectTcp(executor, source, peer, timeout);
  }
  const Duration connect = watch.Lap();
  if (!stream.ok()) {
    OpenResult failed;
    failed.times.Add(TimedStep::kConnect, connect);
    failed.outcome =
        MakeFailure(Stage::kConnect, EndingOf(stream.status()), View(stream.status().message()));
    co_return failed;
  }
  OpenResult result = co_await OpenOver(*std::move(stream), std::move(options));
  result.times.Add(TimedStep::kConnect, connect);
  co_return result;
}

asio::awaitable<OpenResult> SmtpSession::OpenOver(std::unique_ptr<Stream> stream,
                                                  SmtpSessionOptions options) {
  if (options.tls.server_name.empty()) {
    options.tls.server_name = options.mx_host;
  }
  auto impl = std::make_unique<Impl>(std::move(stream), std::move(options));
  OpenResult result;
  result.outcome = co_await impl->Start();
  result.retry_in_plain_text = impl->retry_in_plain_text();
  result.tls_failure = impl->tls_failure();
  result.times = impl->times_;
  if (result.outcome.is_positive()) {
    result.session.reset(new SmtpSession(std::move(impl)));
  }
  co_return result;
}

SmtpSession::SmtpSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SmtpSession::~SmtpSession() = default;

asio::awaitable<TransactionResult> SmtpSession::Send(const SmtpTransaction& transaction) {
  ++impl_->transaction_count_;
  return impl_->transactor_.Run(transaction);
}

asio::awaitable<void> SmtpSession::Quit() { return impl_->Quit(); }
void SmtpSession::SetTrace(TraceHook trace) { impl_->connection_.SetTrace(std::move(trace)); }
void SmtpSession::Abort() { impl_->connection_.Abort(); }
bool SmtpSession::is_reusable() const { return impl_->transactor_.is_reusable(); }

bool SmtpSession::IsStillOpen() {
  if (is_reusable() && impl_->connection_.IsQuiet()) return true;
  impl_->connection_.Close();
  return false;
}
bool SmtpSession::is_past_dot() const { return impl_->transactor_.is_past_dot(); }
size_t SmtpSession::transaction_count() const { return impl_->transaction_count_; }
const Extensions& SmtpSession::extensions() const { return impl_->extensions_; }
const TlsFacts* SmtpSession::tls() const { return impl_->connection_.tls(); }
const SmtpReply& SmtpSession::greeting() const { return impl_->greeting_; }
const SmtpReply& SmtpSession::ehlo_reply() const { return impl_->ehlo_reply_; }

}  // namespace sluice
