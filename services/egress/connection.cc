#include "egress/connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include <asio/experimental/as_tuple.hpp>
#include <asio/use_awaitable.hpp>

#include "egress/attempt.h"
#include "egress/open_session.h"

namespace sluice::egress {
namespace {

constexpr auto kAsTuple = asio::experimental::as_tuple(asio::use_awaitable);
// Connections that were dead when an entry's turn came; after so many the entry is deferred.
constexpr int kMostStale = 3;

SmtpTransaction TransactionOf(const Rendered& rendered, std::span<const std::string_view> pieces,
                              std::span<const std::string_view> recipients) {
  SmtpTransaction transaction;
  transaction.return_path = rendered.return_path;
  transaction.recipients = recipients;
  transaction.content.pieces = pieces;
  transaction.content.has_8bit = rendered.has_8bit;
  transaction.content.needs_smtputf8 = rendered.needs_smtputf8;
  return transaction;
}

// The peer ended the connection in place of the next transaction, as one does that takes so many
// messages a connection: it has judged no message. A policy as its reason is another matter.
bool IsEndOfConnection(const TransactionResult& result) {
  const RecipientResult& first = result.recipients.front();
  const SmtpOutcome& outcome = first.outcome;
  if (outcome.stage != Stage::kMail || first.unknown_after_dot) return false;
  if (outcome.ending == Ending::kClosed) return true;
  const bool is_policy = outcome.reply.enhanced.has_value() && outcome.reply.enhanced->subject == 7;
  return outcome.ending == Ending::kReplied && outcome.reply.code == 421 && !is_policy;
}

}  // namespace

asio::awaitable<void> RunConnection(Path& path) {
  {
    Connection connection(path);
    co_await connection.Run();
  }
  path.AfterLeft();
}

Connection::Connection(Path& path)
    : path_(path), source_(path.source()), tls_mode_(path.WantedTls()), wake_(path.io()) {
  path_.Joined(*this);
}

Connection::~Connection() {
  if (is_idle_) path_.NoLongerIdle(*this);
  path_.Left(*this, is_open_);
}

asio::awaitable<void> Connection::Run() {
  const bool is_open = co_await Open();
  if (!is_open) co_return;
  co_await Serve();
  if (session_->is_reusable()) co_await session_->Quit();
}

asio::awaitable<bool> Connection::Open() {
  std::optional<OpenRequest> request = path_.NextRequest();
  if (!request.has_value()) co_return false;
  number_ = request->connection;
  is_traced_ = path_.around().trace.is_on();
  OpenedSession opened = co_await OpenSession(path_.around(), path_.io().get_executor(),
                                              path_.book(), *std::move(request));
  if (opened.session == nullptr) {
    path_.OpenFailed(opened);
    co_return false;
  }
  path_.Opened(opened);
  is_open_ = true;
  open_times_ = opened.times;
  host_ = std::move(opened.host);
  address_ = std::move(opened.address);
  peer_ = opened.peer;
  session_ = std::move(opened.session);
  tls_plan_ = std::move(opened.tls_plan);
  co_return true;
}

asio::awaitable<void> Connection::Serve() {
  while (MayServeMore()) {
    Shipment shipment = path_.TakeNext(session_->extensions());
    if (shipment.empty()) {
      const bool is_woken = co_await Idle();
      if (!is_woken) co_return;
      continue;
    }
    const bool is_usable = co_await Deliver(std::move(shipment));
    if (!is_usable) co_return;
  }
}

bool Connection::MayServeMore() const {
  const AssignedSource& now = path_.source()->assigned;
  const AssignedSource& then = source_->assigned;
  if (path_.is_closing() || is_retiring_ || now.bind_address != then.bind_address ||
      now.ehlo != then.ehlo || now.proxy != then.proxy || path_.WantedTls() != tls_mode_) {
    return false;
  }
  return !path_.HasTooMany(*peer_) && session_->transaction_count() < path_.MostMessages();
}

asio::awaitable<bool> Connection::Sign(Shipment& shipment) {
  const Surroundings& around = path_.around();
  Rendered& rendered = *shipment.rendered;
  const std::array<std::string_view, 2> pieces = rendered.SignedPieces();
  const Instant now = around.clock.Now();
  absl::StatusOr<std::string> signatures =
      co_await path_.desk().Sign(pieces, std::move(rendered.signers), now);
  if (signatures.ok() && !is_aborted_) {
    rendered.signatures = *std::move(signatures);
    co_return true;
  }
  AttemptFacts facts;
  facts.reply = signatures.ok() ? LocalReply({4, 3, 2}, "egress is stopping")
                                : LocalReply({4, 7, 0}, View(signatures.status().message()));
  facts.started_at = now;
  for (const EntryPtr& entry : shipment.entries) path_.End(*entry, facts);
  co_return false;
}

asio::awaitable<bool> Connection::Deliver(Shipment shipment) {
  if (!shipment.rendered->signers.empty()) {
    const bool is_signed = co_await Sign(shipment);
    if (!is_signed) co_return true;
  }
  const Surroundings& around = path_.around();
  AttemptFacts facts;
  facts.mx_host = host_;
  facts.mx_address = address_;
  facts.started_at = around.clock.Now();
  const SteadyInstant started = around.clock.Steady();

  recipients_.clear();
  notify_.clear();
  for (const EntryPtr& entry : shipment.entries) {
    recipients_.push_back(entry->recipient);
    notify_.push_back(entry->dsn_notify);
    CountTls(*entry);
  }
  const auto pieces = shipment.rendered->Pieces();
  SmtpTransaction transaction = TransactionOf(*shipment.rendered, pieces, recipients_);
  const ContentFields& fields = shipment.entries.front()->content->fields();
  transaction.dsn_return = fields.dsn_return;
  transaction.dsn_envelope_id = fields.dsn_envelope_id;
  UpdateTrace(*shipment.entries.front());
  transaction.dsn_notify = notify_;
  transaction.may_send = [&around, &shipment](size_t index) {
    Entry& entry = *shipment.entries[index];
    // One that was postponed has begun; its time may be over since.
    const bool may = entry.is_begun ? around.clock.Now() < entry.not_after : around.custody.TryBegin(entry);
    entry.is_rcpt_sent = entry.is_rcpt_sent || may;
    return may;
  };
  is_sending_ = true;
  TransactionResult result = co_await session_->Send(transaction);
  is_sending_ = false;
  facts.tls = session_->tls();
  facts.times = std::exchange(open_times_, StageTimes());
  facts.times.Add(result.times);
  facts.duration = around.clock.Steady() - started;
  const bool is_reusable = result.reusable;
  const size_t before = session_->transaction_count() - 1;
  const bool is_lost = result.recipients.front().outcome.ending == Ending::kClosed;
  const bool is_ended = result.stale_connection || (before > 0 && IsEndOfConnection(result));
  const bool was_idle = std::exchange(was_idle_, false);
  if (before > 0 && !was_idle && (is_ended || is_lost)) path_.ClosedAfter(before);
  if (is_ended) {
    SettleStale(std::move(shipment), std::move(result), std::move(facts));
  } else {
    Settle(std::move(shipment), std::move(result), std::move(facts));
  }
  co_return is_reusable;
}

void Connection::UpdateTrace(const Entry& first) {
  Trace& trace = path_.around().trace;
  if (!trace.is_on() && !is_traced_) return;
  is_traced_ = trace.is_on();
  session_->SetTrace(TraceOf(trace, {.connection = number_,
                                     .source = first.source.value(),
                                     .domain = std::string(first.recipient_domain()),
                                     .mx_host = host_,
                                     .mx_address = address_}));
}

void Connection::Settle(Shipment shipment, TransactionResult result, AttemptFacts facts) {
  size_t accepted_count = 0;
  std::vector<EntryPtr> postponed;
  for (size_t i = 0; i < shipment.entries.size(); ++i) {
    EntryPtr& entry = shipment.entries[i];
    RecipientResult& of_one = result.recipients[i];
    // A second RCPT takes another grant: the scheduler gets it back as deferred.
    if (of_one.is_postponed && !entry->one_rcpt) {
      postponed.push_back(std::move(entry));
      continue;
    }
    if (of_one.is_withheld && !entry->is_begun) {
      GiveBack(path_.around(), *entry, ReturnReason::kLease);
      continue;
    }
    accepted_count += of_one.outcome.stage >= Stage::kData ? 1 : 0;
    AttemptFacts own = facts;
    own.stage = of_one.outcome.stage;
    own.is_delivered = of_one.is_delivered();
    own.is_unknown_after_dot = of_one.unknown_after_dot;
    own.reply = std::move(of_one.outcome.reply);
    path_.End(*entry, std::move(own));
  }
  if (!postponed.empty()) path_.LimitRecipients(std::max<size_t>(accepted_count, 1));
  for (auto entry = postponed.rbegin(); entry != postponed.rend(); ++entry) {
    path_.PutBack(std::move(*entry));
  }
}

// No attempt was made: another connection may do, a few times.
void Connection::SettleStale(Shipment shipment, TransactionResult result, AttemptFacts facts) {
  for (size_t i = shipment.entries.size(); i-- > 0;) {
    EntryPtr& entry = shipment.entries[i];
    const bool is_spent = entry->one_rcpt && entry->is_rcpt_sent;  // Whether the RCPT arrived is unknown.
    if (!is_spent && ++entry->stale_count < kMostStale) {
      path_.PutBack(std::move(entry));
      continue;
    }
    AttemptFacts own = facts;
    own.stage = result.recipients[i].outcome.stage;
    own.reply = std::move(result.recipients[i].outcome.reply);
    path_.End(*entry, std::move(own));
  }
}

asio::awaitable<bool> Connection::Idle() {
  is_woken_ = false;
  was_idle_ = true;
  const Duration usual = path_.around().options.timeouts.idle;
  wake_.expires_after(path_.limits().idle_timeout.value.value_or(usual));
  path_.BecameIdle(*this);
  co_await wake_.async_wait(kAsTuple);
  if (is_woken_) {
    path_.WokeUp();
    // A peer that restarts closes all its idle connections: the first message must not try each.
    co_return session_->IsStillOpen();
  }
  if (is_idle_) path_.NoLongerIdle(*this);
  co_return false;
}

void Connection::CountTls(const Entry& entry) {
  constexpr size_t kMostDomains = 1000;
  if (entry.tls == nullptr || entry.tls->report_to.empty() ||
      counted_domains_.size() >= kMostDomains ||
      !counted_domains_.insert(entry.tls->domain).second) {
    return;
  }
  TlsSession session = JudgeSession(tls_plan_, *entry.tls, host_, session_->tls());
  session.source_address = source_->assigned.bind_address;
  session.mx_host = host_;
  session.mx_address = address_;
  path_.around().tls_results.Add(*entry.tls, std::move(session), path_.around().clock.Now());
}

void Connection::Wake() {
  is_woken_ = true;
  wake_.cancel();
}

void Connection::Retire() {
  is_retiring_ = true;
  path_.NoLongerIdle(*this);
  wake_.cancel();
}

void Connection::Abort(bool also_past_dot) {
  is_aborted_ = true;
  if (is_sending_ && (also_past_dot || !session_->is_past_dot())) session_->Abort();
}

}  // namespace sluice::egress
