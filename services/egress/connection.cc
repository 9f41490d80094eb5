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

SmtpTransaction TransactionOf(const Rendered& rendered,
                              const std::span<const std::string_view> pieces,
                              const std::string_view& recipient) {
  SmtpTransaction transaction;
  transaction.return_path = rendered.return_path;
  transaction.recipients = std::span(&recipient, 1);
  transaction.content.pieces = pieces;
  transaction.content.has_8bit = rendered.has_8bit;
  transaction.content.needs_smtputf8 = rendered.needs_smtputf8;
  return transaction;
}

}  // namespace

asio::awaitable<void> RunConnection(Path& path) {
  {
    Connection connection(path);
    co_await connection.Run();
  }
  path.AfterLeft();
}

Connection::Connection(Path& path) : path_(path), source_(path.source()), wake_(path.io()) {
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
  OpenedSession opened = co_await OpenSession(path_.around(), path_.io().get_executor(),
                                              path_.book(), *std::move(request));
  if (opened.session == nullptr) {
    path_.OpenFailed(opened);
    co_return false;
  }
  path_.Opened(opened);
  is_open_ = true;
  host_ = std::move(opened.host);
  address_ = std::move(opened.address);
  session_ = std::move(opened.session);
  co_return true;
}

asio::awaitable<void> Connection::Serve() {
  while (MayServeMore()) {
    Rendered rendered;
    EntryPtr entry = path_.TakeNext(session_->extensions(), rendered);
    if (entry == nullptr) {
      const bool is_woken = co_await Idle();
      if (!is_woken) co_return;
      continue;
    }
    const bool is_usable = co_await Deliver(std::move(entry), rendered);
    if (!is_usable) co_return;
  }
}

bool Connection::MayServeMore() const {
  const AssignedSource& now = path_.source()->assigned;
  const AssignedSource& then = source_->assigned;
  if (path_.is_closing() || is_retiring_ || now.bind_address != then.bind_address ||
      now.ehlo != then.ehlo) {
    return false;
  }
  const auto most = static_cast<size_t>(std::max(now.limits.messages_per_connection, 0));
  return most == 0 || session_->transaction_count() < most;
}

asio::awaitable<bool> Connection::Sign(const Entry& entry, Rendered& rendered) {
  const Surroundings& around = path_.around();
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
  Conclude(around, path_.counters(), entry, std::move(facts));
  co_return false;
}

asio::awaitable<bool> Connection::Deliver(EntryPtr entry, Rendered& rendered) {
  if (!rendered.signers.empty()) {
    const bool is_signed = co_await Sign(*entry, rendered);
    if (!is_signed) co_return true;
  }
  const Surroundings& around = path_.around();
  AttemptFacts facts;
  facts.mx_host = host_;
  facts.mx_address = address_;
  facts.started_at = around.clock.Now();
  const SteadyInstant started = around.clock.Steady();

  const std::string_view recipient = entry->recipient;
  const auto pieces = rendered.Pieces();
  const SmtpTransaction transaction = TransactionOf(rendered, pieces, recipient);
  is_sending_ = true;
  TransactionResult result = co_await session_->Send(transaction);
  is_sending_ = false;
  if (result.stale_connection && ++entry->stale_count < kMostStale) {
    path_.PutBack(std::move(entry));
    co_return false;
  }
  RecipientResult& outcome = result.recipients.front();
  facts.stage = outcome.outcome.stage;
  facts.is_delivered = outcome.is_delivered();
  facts.is_unknown_after_dot = outcome.unknown_after_dot;
  facts.reply = std::move(outcome.outcome.reply);
  facts.tls = session_->tls();
  facts.duration = around.clock.Steady() - started;
  Conclude(around, path_.counters(), *entry, std::move(facts));
  co_return result.reusable;
}

asio::awaitable<bool> Connection::Idle() {
  is_woken_ = false;
  wake_.expires_after(path_.around().options.timeouts.idle);
  path_.BecameIdle(*this);
  co_await wake_.async_wait(kAsTuple);
  if (is_woken_) {
    path_.WokeUp();
    co_return true;
  }
  if (is_idle_) path_.NoLongerIdle(*this);
  co_return false;
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
