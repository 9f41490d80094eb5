#include "dialogs/client.h"

#include <algorithm>

#include <asio/experimental/as_tuple.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include "base/text.h"
#include "policy/classification.h"

namespace sluice::dialogs {
namespace {

using Strings = std::vector<std::string>;

bool Has(const Strings& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

std::vector<std::string> Split(const std::string& text, char at) {
  Strings parts(1);
  for (const char c : text) {
    c == at ? static_cast<void>(parts.emplace_back()) : parts.back().push_back(c);
  }
  return parts;
}

std::string ValueOf(const Strings& words, std::string_view key) {
  for (const std::string& word : words) {
    if (word.starts_with(key)) {
      return word.substr(key.size());
    }
  }
  return "";
}

std::string Describe(const SmtpOutcome& outcome) {
  return Cat(ToString(outcome.ending), " at ", ToString(outcome.stage), ": ",
             ToString(outcome.reply));
}

uint8_t NotifyOf(const Strings& wishes) {
  uint8_t bits = 0;
  if (Has(wishes, "never")) bits |= kDsnNever;
  if (Has(wishes, "success")) bits |= kDsnSuccess;
  if (Has(wishes, "failure")) bits |= kDsnFailure;
  if (Has(wishes, "delay")) bits |= kDsnDelay;
  return bits;
}

}  // namespace

Client::Client(FakeServer& server, TlsContext& tls) : server_(server), tls_(tls) {}

asio::awaitable<std::string> Client::Run(std::vector<Line> lines) {
  for (const Line& line : lines) {
    std::string fault = co_await Do(line);
    if (!fault.empty()) {
      co_return Cat("line ", line.number, " (", line.verb, " ", line.rest, "): ", fault);
    }
  }
  opened_.session.reset();
  co_return "";
}

asio::awaitable<std::string> Client::Do(const Line& line) {
  const Strings words = Words(line.rest);
  const bool is_judging = line.verb == "expect-open";
  if (!is_open_judged_ && !is_judging && !opened_.session) {
    co_return Cat("not open: ", Describe(opened_.outcome));
  }
  is_open_judged_ = is_open_judged_ || is_judging;
  if (line.verb == "open") {
    co_return co_await Open(words);
  }
  if (line.verb == "send") {
    co_return co_await Send(words);
  }
  if (line.verb == "quit") {
    co_await opened_.session->Quit();
    co_return "";
  }
  if (line.verb == "wait-peer-closed") {
    co_return co_await WaitPeerClosed();
  }
  co_return line.verb.starts_with("expect") ? Judge(line) : Set(line);
}

std::string Client::Set(const Line& line) {
  if (line.verb == "timeout") {
    return SetTimeout(Words(line.rest));
  }
  if (line.verb == "content") {
    content_ += Unescape(line.rest);
  } else if (line.verb == "fill") {
    const size_t size = content_.size() + std::stoul(line.rest);
    while (content_.size() < size) {
      content_ += "0123456789012345678901234567890123456789012345678901234567890123\r\n";
    }
    content_.resize(size - 2);
    content_ += "\r\n";
  } else {
    return "unknown action";
  }
  return "";
}

std::string Client::SetTimeout(const Strings& words) {
  const std::map<std::string, Duration SmtpTimeouts::*> members{
      {"banner", &SmtpTimeouts::banner},     {"ehlo", &SmtpTimeouts::ehlo},
      {"starttls", &SmtpTimeouts::starttls}, {"mail", &SmtpTimeouts::mail},
      {"rcpt", &SmtpTimeouts::rcpt},         {"data", &SmtpTimeouts::data},
      {"dot", &SmtpTimeouts::dot},           {"quit", &SmtpTimeouts::quit},
      {"block", &SmtpTimeouts::block}};
  for (const std::string& word : words) {
    const Strings parts = Split(word, '=');
    const auto member = members.find(parts.front());
    const auto duration = ParseDuration(parts.back());
    if (member == members.end() || !duration.ok()) {
      return Cat("bad timeout ", word);
    }
    timeouts_.*member->second = *duration;
  }
  return "";
}

asio::awaitable<std::string> Client::Open(const Strings& words) {
  SmtpSessionOptions options;
  options.ehlo = "client.example";
  options.mx_host = "mx.example";
  options.tls.mode = ParseTlsMode(ValueOf(words, "tls=")).value_or(TlsMode::kOpportunistic);
  options.tls_context = &tls_;
  if (const std::string user = ValueOf(words, "user="); !user.empty()) {
    options.credentials = SmtpCredentials{.user = user, .password = ValueOf(words, "password=")};
  }
  options.timeouts = timeouts_;
  options.use_chunking = !Has(words, "chunking=off");
  options.use_pipelining = !Has(words, "pipelining=off");
  options.trace = [this](TraceDirection direction, std::string_view line) {
    constexpr std::string_view kMarks[] = {"C: ", "S: ", "   "};
    Append(trace_, kMarks[static_cast<size_t>(direction)], line, "\n");
  };
  const auto executor = co_await asio::this_coro::executor;
  const auto source = asio::ip::make_address("127.0.0.1");
  opened_ = co_await SmtpSession::Open(executor, source, server_.endpoint(), std::move(options));
  ++connection_count_;
  is_open_judged_ = false;
  co_return "";
}

asio::awaitable<std::string> Client::Send(const Strings& words) {
  const std::string from = ValueOf(words, "from=");
  const Strings recipients = Split(ValueOf(words, "to="), ',');
  const std::vector<std::string_view> recipient_views(recipients.begin(), recipients.end());
  const Strings pieces = Split(content_, '|');
  const std::vector<std::string_view> piece_views(pieces.begin(), pieces.end());
  SmtpTransaction transaction;
  transaction.return_path = from;
  transaction.recipients = recipient_views;
  transaction.content.pieces = piece_views;
  transaction.content.has_8bit = Has(words, "8bit");
  transaction.content.needs_smtputf8 = Has(words, "utf8");
  const Strings wishes = Split(ValueOf(words, "notify="), ',');
  const std::vector<uint8_t> notify(recipients.size(), NotifyOf(wishes));
  if (!ValueOf(words, "notify=").empty()) {
    transaction.dsn_notify = notify;
  }
  const std::string envelope_id = ValueOf(words, "envid=");
  transaction.dsn_envelope_id = envelope_id;
  transaction.dsn_return = Has(words, "ret=full")   ? DsnReturn::kFull
                           : Has(words, "ret=hdrs") ? DsnReturn::kHeaders
                                                    : DsnReturn::kNone;
  const std::string withheld = ValueOf(words, "withhold=");
  transaction.may_send = [&](size_t index) { return recipients[index] != withheld; };
  transaction_ = co_await opened_.session->Send(transaction);
  results_.clear();
  for (size_t i = 0; i < recipients.size(); ++i) {
    results_[recipients[i]] = transaction_.recipients[i];
  }
  co_return "";
}

// The server's part runs on the same thread: it is let run until it has come to its end.
asio::awaitable<std::string> Client::WaitPeerClosed() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (int i = 0; i < 2000 && server_.played_count() < connection_count_; ++i) {
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
  }
  co_return server_.played_count() < connection_count_ ? "the server is not through" : "";
}

std::string Client::Judge(const Line& line) const {
  const Strings words = Words(line.rest);
  if (words.empty()) {
    return "nothing to expect";
  }
  if (line.verb == "expect-open") {
    return JudgeOpen(words);
  }
  if (line.verb == "expect") {
    return JudgeRecipient(words);
  }
  if (line.verb == "expect-session") {
    return JudgeSession(words.front());
  }
  if (line.verb == "expect-tls") {
    const bool is_encrypted = opened_.session->tls() != nullptr;
    return is_encrypted == (words.front() == "yes") ? "" : "it is not so";
  }
  if (line.verb == "expect-trace" || line.verb == "expect-no-trace") {
    const bool is_there = trace_.find(words.front()) != std::string::npos;
    return is_there == (line.verb == "expect-trace") ? "" : Cat("in the trace:\n", trace_);
  }
  return "unknown expectation";
}

std::string Client::JudgeOpen(const Strings& words) const {
  const bool wants_ready = words.front() == "ready";
  const bool is_as_wanted = wants_ready ? opened_.session != nullptr
                                        : !opened_.session && words.size() > 1 &&
                                              ToString(opened_.outcome.ending) == words[0] &&
                                              ToString(opened_.outcome.stage) == words[1];
  const bool is_retry_as_wanted = opened_.retry_in_plain_text == Has(words, "plain-retry");
  if (is_as_wanted && is_retry_as_wanted) {
    return "";
  }
  return Cat(opened_.session ? "ready, " : "", Describe(opened_.outcome),
             opened_.retry_in_plain_text ? ", plain-retry" : "");
}

std::string Client::JudgeRecipient(const Strings& words) const {
  if (words.size() < 4) {
    return "wants ADDR DISPOSITION STAGE CLASS";
  }
  const auto found = results_.find(words[0]);
  if (found == results_.end()) {
    return "no such recipient";
  }
  const SmtpOutcome& outcome = found->second.outcome;
  const Verdict verdict = Classify(outcome.reply, outcome.stage);
  const std::string got = Cat(ToString(verdict.disposition), " ", ToString(outcome.stage), " ",
                              ToString(verdict.reply_class), " ", ToString(outcome.ending),
                              found->second.unknown_after_dot ? " unknown" : "",
                              found->second.is_postponed ? " postponed" : "",
                              found->second.is_withheld ? " withheld" : "");
  size_t next = 4;
  std::string wanted = Cat(words[1], " ", words[2], " ", words[3], " ");
  constexpr std::string_view kEndings[] = {"local", "timed_out", "closed", "malformed"};
  const bool names_ending =
      next < words.size() && std::ranges::find(kEndings, words[next]) != std::end(kEndings);
  wanted += names_ending ? words[next++] : "replied";
  constexpr std::string_view kMarks[] = {"unknown", "postponed", "withheld"};
  if (next < words.size() && std::ranges::find(kMarks, words[next]) != std::end(kMarks)) {
    Append(wanted, " ", words[next++]);
  }
  const std::string reply = ToString(outcome.reply);
  const bool has_text = next >= words.size() || reply.find(words[next]) != std::string::npos;
  const bool is_delivered_as_said = found->second.is_delivered() == (words[1] == "delivered");
  return got == wanted && has_text && is_delivered_as_said ? ""
                                                           : Cat("got ", got, " \"", reply, "\"");
}

std::string Client::JudgeSession(const std::string& wanted) const {
  const std::string got = transaction_.stale_connection ? "stale"
                          : transaction_.reusable       ? "reusable"
                                                        : "closed";
  const bool is_consistent = transaction_.reusable == opened_.session->is_reusable();
  return got == wanted && is_consistent ? "" : Cat("it is ", got);
}

}  // namespace sluice::dialogs
