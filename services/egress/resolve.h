// Host addresses as something to co_await, over net's Resolver with its callbacks.
#pragma once

#include <string>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include "net/dns.h"

namespace sluice::egress {

// Resumes on `executor`, whichever thread answered. The resolver outlives the coroutine.
asio::awaitable<AddressAnswer> ResolveHost(Resolver& resolver, asio::any_io_executor executor,
                                           std::string host, AddressFamily family);
asio::awaitable<TlsaAnswer> ResolveTlsa(Resolver& resolver, asio::any_io_executor executor,
                                        std::string name);

}  // namespace sluice::egress
