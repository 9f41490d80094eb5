// One SMTP connection of a path, as a coroutine: opened, given entries until there are none for a
// while, ended. The object lives in its coroutine's frame; the path knows it by address while it
// lives.
#pragma once

#include <array>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>

#include "egress/connection_budget.h"
#include "egress/path.h"
#include "net/smtp_session.h"

namespace sluice::egress {

class Connection {
 public:
  explicit Connection(Path& path);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  asio::awaitable<void> Run();

  // There is work, or the path closes: an idle connection looks.
  void Wake();
  // An idle connection ends, to make room for another path's.
  void Retire();
  // Ends a transaction under way; with `also_past_dot` false only if its content is not sent
  // completely.
  void Abort(bool also_past_dot);

 private:
  friend class Path;  // places in the idle lists, and the peer

  asio::awaitable<bool> Open();
  asio::awaitable<void> Serve();
  // False: the connection cannot be used again.
  asio::awaitable<bool> Deliver(Shipment shipment);
  // False: it could not be signed, and its entries have their reports.
  asio::awaitable<bool> Sign(Shipment& shipment);
  void Settle(Shipment shipment, TransactionResult result, AttemptFacts facts);
  void SettleStale(Shipment shipment, TransactionResult result, AttemptFacts facts);
  // Somebody began to watch this dialog, or no longer does.
  void UpdateTrace(const Entry& first);
  // Waits for Wake. False: nothing came, or the peer has gone meanwhile.
  asio::awaitable<bool> Idle();
  bool MayServeMore() const;
  // For the report to the recipient's domain: once for each domain that uses the session.
  void CountTls(const Entry& entry);

  Path& path_;
  BoundSourcePtr source_;  // as which it was opened
  TlsMode tls_mode_;       // that the policy asked for then
  std::string host_, address_;
  int64_t number_ = 0;  // in traces
  std::unique_ptr<SmtpSession> session_;
  TlsPlan tls_plan_;  // by which it was opened
  std::set<std::string, std::less<>> counted_domains_;
  StageTimes open_times_;  // until the first transaction, which they count for
  // Of the transaction under way.
  std::vector<std::string_view> recipients_;
  std::vector<uint8_t> notify_;
  asio::steady_timer wake_;
  bool is_open_ = false;
  bool is_traced_ = false;
  bool is_idle_ = false;
  bool is_woken_ = false;
  bool was_idle_ = false;  // before the transaction under way
  bool is_retiring_ = false;
  bool is_sending_ = false;
  bool is_aborted_ = false;
  std::vector<ConnectionBudget::IdleList::iterator> idle_places_;  // as in Path::budgets_
  ConnectionBudget* peer_ = nullptr;  // of those to this address; null until open
  ConnectionBudget::IdleList::iterator peer_idle_place_{};
};

// Runs one connection of `path` to its end. The path outlives it.
asio::awaitable<void> RunConnection(Path& path);

}  // namespace sluice::egress
