// What paths and connections are given to work with: the parts of the process that they share, and
// the settings that concern them. Everything here is thread-safe and outlives them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <asio/ip/address.hpp>

#include "base/clock.h"
#include "base/log.h"
#include "egress/addresses.h"
#include "egress/content_cache.h"
#include "egress/custody.h"
#include "egress/domain_tls.h"
#include "egress/key_ring.h"
#include "egress/metrics.h"
#include "egress/reactions.h"
#include "egress/reply_book.h"
#include "egress/tls_results.h"
#include "egress/trace.h"
#include "net/dns.h"
#include "net/tls.h"
#include "policy/shaping.h"
#include "smtp/timeouts.h"
#include "telemetry/delivery_log.h"

namespace sluice::egress {

struct PathOptions {
  int smtp_port = 25;
  SmtpTimeouts timeouts;  // `idle` is how long an unused connection is kept
  bool use_starttls = true;
  std::string secret_directory;  // passwords for smart hosts
  bool testing = false;  // allows MX hosts on loopback and on our own addresses
};

// How much of the scheduler's credit paths that share limits can use.
struct RoomFor {
  SourceName source;
  Provider provider;
  SiteName site;  // empty: all of the provider's share it
  std::optional<int64_t> most_in_flight;  // absent: nothing limits it
};

struct Surroundings {
  Custody& custody;
  ContentCache& contents;
  Resolver& resolver;
  const KeyRing& keys;
  const ReplyBook& replies;
  TlsContext* tls = nullptr;  // null: plain text only
  DomainTlsFinder& domain_tls;
  Reactions& reactions;
  TlsResults& tls_results;
  const Clock& clock;
  const Logger& logger;
  telemetry::DeliveryLog* delivery_log = nullptr;  // null: none is written
  EgressMetrics& metrics;
  Trace& trace;
  PathOptions options;
  // A connection could not be bound to its source. Called from any I/O thread.
  std::function<void(const SourceName&, const absl::Status&)> on_bind_failed;
  // There is more room, or less. Called from any I/O thread.
  std::function<void(RoomFor)> on_room;
};

// A usable source as its thread holds it. Immutable; replaced as a whole.
struct BoundSource {
  AssignedSource assigned;
  asio::ip::address address;  // of assigned.bind_address
  // Addresses of all our sources: a host there is ourselves.
  std::shared_ptr<const std::vector<asio::ip::address>> own;
  // What limits it.
  std::shared_ptr<const LimitBook> book;
};
using BoundSourcePtr = std::shared_ptr<const BoundSource>;

}  // namespace sluice::egress
