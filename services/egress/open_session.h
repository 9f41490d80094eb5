// Opening a connection of a path: hosts in the order given, addresses of each, greeting, EHLO,
// STARTTLS; what fails is remembered in the path's book and the next one tried. Never binds
// anything but the source.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include "egress/host_book.h"
#include "egress/peer_budgets.h"
#include "egress/surroundings.h"
#include "egress/tls_plan.h"
#include "net/smtp_session.h"

namespace sluice::egress {

struct OpenedSession {
  std::unique_ptr<SmtpSession> session;  // null: why not is below
  std::string host, address;             // where it is open, or what was tried last
  bool is_bind_failure = false;          // the source is not on this host; `reply` tells
  // An address takes no more connections of this source, and no other would do; the path will be told.
  bool is_peer_full = false;
  ConnectionBudget* peer = nullptr;      // what an open session holds of its address
  Stage stage = Stage::kConnect;
  SmtpReply reply;
  TlsPlan tls_plan;  // by which it was opened
  StageTimes times;  // of the last try
};

struct OpenRequest {
  BoundSourcePtr source;
  std::vector<std::string> hosts;  // names or address literals
  // A host of this name stands for itself (implicit MX) and may be an alias; an MX host may not.
  std::string recipient_domain;
  TlsMode tls_mode = TlsMode::kOpportunistic;  // that the policy asks for
  DomainTlsPtr tls;                            // may be null
  std::shared_ptr<const SmartHostPolicy> smart_host;  // null: the hosts are MX hosts
  int64_t connection = 0;  // its number in traces
  // Connections at once from the source to one address. `peers` counts them for `path`.
  size_t most_per_address = SIZE_MAX;
  PeerBudgets* peers = nullptr;
  Path* path = nullptr;
};

// `around` and `book` outlive the coroutine; it runs on the executor's only thread.
asio::awaitable<OpenedSession> OpenSession(const Surroundings& around,
                                           asio::any_io_executor executor, HostBook& book,
                                           OpenRequest request);

// Whether a connection to `address` would come back to this host: 127/8, ::1, unspecified, or one
// of `own`.
bool IsOurselves(const asio::ip::address& address, const std::vector<asio::ip::address>& own);

}  // namespace sluice::egress
