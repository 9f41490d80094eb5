// A TCP connection from a given local address, in plain text or, after StartTls, encrypted.
#pragma once

#include <memory>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "net/stream.h"

namespace sluice {

// Connects from `source` to `peer`. Never from any other address: FailedPrecondition if `source`
// cannot be bound (not on this host, unspecified, of the other family). DeadlineExceeded after
// `timeout`; ResourceExhausted when the host is out of sockets or local ports; Unavailable when the
// peer refuses or cannot be reached.
asio::awaitable<absl::StatusOr<std::unique_ptr<Stream>>> ConnectTcp(asio::any_io_executor executor,
                                                                    asio::ip::address source,
                                                                    asio::ip::tcp::endpoint peer,
                                                                    Duration timeout);

// Over a connected socket, for the side that accepts and for tests.
std::unique_ptr<Stream> MakeTcpStream(asio::ip::tcp::socket socket);

}  // namespace sluice
