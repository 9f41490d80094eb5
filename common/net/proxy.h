// Ways to an MX host for sources whose addresses another host owns: through a SOCKS5 proxy (RFC
// 1928) or a proxy that takes the PROXY protocol, version 2. The proxy binds the source; what a
// SOCKS5 proxy says it has bound is checked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "mail/proxy_address.h"
#include "net/stream.h"

namespace sluice {

// ---- the bytes ----

// The PROXY protocol's header: a connection from `source` to `peer`, of one family.
std::string ProxyHeader(const asio::ip::address& source, const asio::ip::tcp::endpoint& peer);
// SOCKS5: no authentication is offered; then CONNECT to `peer`.
std::string SocksGreeting();
std::string SocksConnect(const asio::ip::tcp::endpoint& peer);
// Bytes of the reply to CONNECT that its first five tell; 0 = it is no such reply.
size_t SocksReplySize(std::string_view first_five);
// OK: connected from `source`. FailedPrecondition: the proxy bound another address. Unavailable:
// the peer refuses or cannot be reached, or the proxy does not want to. `reply` is whole.
absl::Status JudgeSocksReply(std::string_view reply, const asio::ip::address& source);

// ---- the way ----

// As ConnectTcp, through `proxy`. `timeout` is for all of it.
asio::awaitable<absl::StatusOr<std::unique_ptr<Stream>>> ConnectThroughProxy(
    asio::any_io_executor executor, ProxyAddress proxy, asio::ip::address source,
    asio::ip::tcp::endpoint peer, Duration timeout);

}  // namespace sluice
