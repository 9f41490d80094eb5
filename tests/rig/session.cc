#include "rig/session.h"

#include "base/text.h"

namespace sluice::rig {
namespace {

constexpr std::string_view kOk = "250 2.0.0 OK\r\n";

}  // namespace

Session::Session(SessionContext& context, Counters& counters, Peer peer)
    : context_(context),
      counters_(counters),
      peer_(std::move(peer)),
      source_(Cat(peer_.source_ip, ":", peer_.source_port)),
      terms_(context.script->TermsFor(peer_)) {
  counters_.Opened();
}

Session::~Session() { counters_.Closed(); }

// ---- the connection's side -------------------------------------------------------------------

Session::Step Session::Greet(Instant now) {
  now_ = now;
  const std::string banner = Cat("220 ", context_.host_name, " ESMTP sluice-sink\r\n");
  const Verdict verdict = Decide(Stage::kBanner, {}, banner);
  Say(verdict, verdict.Accepts() ? Next::kRead : Next::kClose);
  return step_;
}

Session::Step Session::Consume(std::string_view& input, Instant now) {
  now_ = now;
  step_ = {};
  while (step_.next == Next::kRead) {
    if (mode_ == Mode::kChunk) {
      TakeChunk(input);
      if (mode_ == Mode::kChunk) break;
    } else if (input.empty()) {
      break;
    } else if (mode_ == Mode::kData) {
      TakeContent(input);
    } else if (!TakeLine(input)) {
      break;
    }
  }
  return step_;
}

Session::Step Session::Resume(Instant now) {
  now_ = now;
  step_ = {};
  Drip();
  return step_;
}

void Session::TlsStarted(Instant now) {
  now_ = now;
  counters_.Add(Count::kTls);
  tls_ = true;
  extended_ = false;
  ehlo_.clear();
  if (in_transaction_) Abandon();
}

Session::Step Session::TimeOut(Instant now) {
  now_ = now;
  counters_.Add(Count::kTimeouts);
  Put("421 4.4.2 Timeout, closing\r\n");
  return {Next::kClose, Duration(0)};
}

void Session::Ended(Instant now) {
  now_ = now;
  for (Unanswered& unanswered : unanswered_) Settle(unanswered.transaction, false);
  unanswered_.clear();
  if (in_transaction_ && transaction_.reached == Reached::kDot) {
    Settle(transaction_, false);
  } else if (in_transaction_) {
    Abandon();
  }
  in_transaction_ = false;
}

// ---- commands --------------------------------------------------------------------------------

bool Session::TakeLine(std::string_view& input) {
  const size_t end = input.find('\n');
  if (end == std::string_view::npos ? input.size() > kMaxLine : end > kMaxLine) {
    Complain("500 5.5.2 Line too long\r\n");
    step_.next = Next::kClose;
    return true;
  }
  if (end == std::string_view::npos) return false;
  std::string_view line = input.substr(0, end);
  input.remove_prefix(end + 1);
  if (!line.ends_with('\r')) {
    counters_.Add(Count::kBareLf);
    Complain("500 5.5.2 Lines end with CRLF\r\n");
    return true;
  }
  line.remove_suffix(1);
  Obey(ParseCommand(line));
  const bool offered = extended_ && terms_.extensions.pipelining;
  if (!offered && !input.empty() && mode_ == Mode::kCommand)
    counters_.Add(Count::kUnofferedPipelining);
  return true;
}

void Session::Obey(const Command& command) {
  switch (command.verb) {
    case Verb::kEhlo:
    case Verb::kHelo:
      return Hello(command);
    case Verb::kMail:
      return Mail(command.argument);
    case Verb::kRcpt:
      return Rcpt(command.argument);
    case Verb::kData:
      return Data();
    case Verb::kBdat:
      return Bdat(command.argument);
    case Verb::kRset:
      if (in_transaction_) Abandon();
      return Put(kOk);
    case Verb::kNoop:
      return Put(kOk);
    case Verb::kVrfy:
      return Put("252 2.5.0 Cannot VRFY, but will take the message\r\n");
    case Verb::kStartTls:
      return StartTls();
    case Verb::kQuit:
      return Quit();
    case Verb::kUnknown:
      return Complain("500 5.5.1 Unknown command\r\n");
  }
}

std::string Session::HelloReply(std::string_view name) const {
  const Extensions& offered = terms_.extensions;
  std::string reply =
      Cat("250-", context_.host_name, " Hello ", name, " [", peer_.source_ip, "]\r\n");
  const auto offer = [&reply](bool on, std::string_view line) {
    if (on) Append(reply, "250-", line, "\r\n");
  };
  offer(offered.pipelining, "PIPELINING");
  offer(offered.chunking, "CHUNKING");
  if (offered.size) Append(reply, "250-SIZE ", context_.max_size, "\r\n");
  offer(offered.eight_bit, "8BITMIME");
  offer(offered.smtputf8, "SMTPUTF8");
  offer(offered.enhanced_codes, "ENHANCEDSTATUSCODES");
  offer(offered.dsn, "DSN");
  offer(offered.starttls && context_.offer_tls && !tls_, "STARTTLS");
  reply[reply.rfind("250-") + 3] = ' ';
  return reply;
}

void Session::Hello(const Command& command) {
  if (command.argument.empty()) return Complain("501 5.5.4 Say who you are\r\n");
  if (in_transaction_) Abandon();
  extended_ = command.verb == Verb::kEhlo;
  if (!extended_) {
    ehlo_ = command.argument;
    return Put(Cat("250 ", context_.host_name, "\r\n"));
  }
  if (!terms_.extensions.ehlo) return Complain("502 5.5.1 EHLO not implemented\r\n");
  const std::string reply = HelloReply(command.argument);
  const Verdict verdict = Decide(Stage::kEhlo, {}, reply);
  if (verdict.Accepts()) ehlo_ = command.argument;
  Say(verdict);
}

void Session::StartTls() {
  if (tls_ || !context_.offer_tls || !terms_.extensions.starttls) {
    return Complain("502 5.5.1 STARTTLS not offered\r\n");
  }
  Verdict verdict = Decide(Stage::kStartTls, {}, "220 2.0.0 Go ahead\r\n");
  const bool bad = verdict.action && verdict.action->bad_handshake;
  if (bad) verdict.normal = "220 2.0.0 Go ahead\r\nThis is no handshake\r\n";
  Say(verdict, !verdict.Accepts() ? Next::kRead : bad ? Next::kClose : Next::kStartTls);
}

void Session::Quit() {
  quit_ = true;
  counters_.Add(Count::kQuit);
  if (in_transaction_) Abandon();
  Put("221 2.0.0 Bye\r\n");
  step_.next = Next::kClose;
}

// Empty when all is well, else the reply.
std::string_view Session::CheckMailParameters(std::string_view parameters,
                                              std::string_view address) const {
  const Extensions& offered = terms_.extensions;
  bool utf8 = false;
  while (true) {
    const std::string_view parameter = NextParameter(parameters);
    if (parameter.empty()) break;
    if (offered.size && StartsWithIgnoreCase(parameter, "SIZE=")) {
      const auto size = ParseNumber(parameter.substr(5));
      if (!size) return "501 5.5.4 SIZE takes a number\r\n";
      if (*size > context_.max_size) return "552 5.3.4 Message too big\r\n";
    } else if (offered.smtputf8 && EqualsIgnoreCase(parameter, "SMTPUTF8")) {
      utf8 = true;
    } else if (!(offered.eight_bit && StartsWithIgnoreCase(parameter, "BODY=")) &&
               !(offered.dsn && (StartsWithIgnoreCase(parameter, "RET=") ||
                                 StartsWithIgnoreCase(parameter, "ENVID=")))) {
      return "555 5.5.4 Parameter not offered\r\n";
    }
  }
  if (!utf8 && !IsAscii(address)) return "553 5.6.7 Address needs SMTPUTF8\r\n";
  return {};
}

void Session::Mail(std::string_view argument) {
  if (ehlo_.empty()) return Complain("503 5.5.1 EHLO first\r\n");
  if (in_transaction_) return Complain("503 5.5.1 MAIL already given\r\n");
  const auto path = ParsePath(argument, "FROM:");
  if (!path) return Complain("501 5.5.4 MAIL FROM:<address>\r\n");
  if (!extended_ && !path->parameters.empty())
    return Complain("555 5.5.4 Parameters need EHLO\r\n");
  const std::string_view wrong = CheckMailParameters(path->parameters, path->address);
  if (!wrong.empty()) return Complain(wrong);
  if (terms_.messages_per_connection > 0 && messages_ >= terms_.messages_per_connection) {
    Put("421 4.3.2 Too many messages on this connection\r\n");
    step_.next = Next::kClose;
    return;
  }
  const Verdict verdict = Decide(Stage::kMail, {}, "250 2.1.0 OK\r\n");
  if (verdict.Accepts()) {
    transaction_.Clear();
    transaction_.from = path->address;
    transaction_.ended_at = now_;
    in_transaction_ = true;
    content_begun_ = false;
    counters_.Add(Count::kMail);
  }
  Say(verdict, verdict.code == 421 ? Next::kClose : Next::kRead);
}

void Session::Rcpt(std::string_view argument) {
  if (!in_transaction_ || content_begun_) return Complain("503 5.5.1 MAIL first\r\n");
  auto path = ParsePath(argument, "TO:");
  if (!path || path->address.empty()) return Complain("501 5.5.4 RCPT TO:<address>\r\n");
  while (!path->parameters.empty()) {
    const std::string_view parameter = NextParameter(path->parameters);
    const bool known =
        StartsWithIgnoreCase(parameter, "NOTIFY=") || StartsWithIgnoreCase(parameter, "ORCPT=");
    if (!known || !terms_.extensions.dsn) return Complain("555 5.5.4 Parameter not offered\r\n");
  }
  if (transaction_.accepted.size() + transaction_.refused.size() >= kMaxRecipients) {
    return Put("452 4.5.3 Too many recipients\r\n");
  }
  transaction_.ended_at = now_;
  std::string address(path->address);
  const Verdict verdict = Decide(Stage::kRcpt, std::span(&address, 1), "250 2.1.5 OK\r\n");
  counters_.Add(verdict.Accepts() ? Count::kRecipientsAccepted : Count::kRecipientsRefused);
  if (verdict.Accepts() && transaction_.accepted.empty()) counters_.Add(Count::kRcpt);
  if (verdict.Accepts()) transaction_.reached = Reached::kRcpt;
  (verdict.Accepts() ? transaction_.accepted : transaction_.refused).push_back(std::move(address));
  Say(verdict, verdict.code == 421 ? Next::kClose : Next::kRead);
}

}  // namespace sluice::rig
