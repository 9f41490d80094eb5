#include "egress/resolve.h"

#include <memory>
#include <utility>

#include <asio/async_result.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

namespace sluice::egress {
namespace {

// A plain function around the callback: GCC 12 must not see the lambdas inside a coroutine.
template <class Token>
auto AsyncResolve(Resolver& resolver, asio::any_io_executor executor, std::string host,
                  AddressFamily family, Token&& token) {
  auto initiate = [&resolver, executor, host = std::move(host), family](auto handler) {
    // Shared because the resolver's callback must be copyable; it runs once.
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto work = asio::make_work_guard(executor);
    resolver.ResolveAddresses(host, family, [shared, work, executor](const AddressAnswer& answer) {
      asio::post(executor, [shared, answer] { std::move (*shared)(answer); });
    });
  };
  return asio::async_initiate<Token, void(AddressAnswer)>(std::move(initiate), token);
}

template <class Token>
auto AsyncResolveTlsa(Resolver& resolver, asio::any_io_executor executor, std::string name,
                      Token&& token) {
  auto initiate = [&resolver, executor, name = std::move(name)](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto work = asio::make_work_guard(executor);
    resolver.ResolveTlsa(name, [shared, work, executor](const TlsaAnswer& answer) {
      asio::post(executor, [shared, answer] { std::move (*shared)(answer); });
    });
  };
  return asio::async_initiate<Token, void(TlsaAnswer)>(std::move(initiate), token);
}

}  // namespace

asio::awaitable<AddressAnswer> ResolveHost(Resolver& resolver, asio::any_io_executor executor,
                                           std::string host, AddressFamily family) {
  auto answer =
      AsyncResolve(resolver, std::move(executor), std::move(host), family, asio::use_awaitable);
  co_return co_await std::move(answer);
}

asio::awaitable<TlsaAnswer> ResolveTlsa(Resolver& resolver, asio::any_io_executor executor,
                                        std::string name) {
  auto answer =
      AsyncResolveTlsa(resolver, std::move(executor), std::move(name), asio::use_awaitable);
  co_return co_await std::move(answer);
}

}  // namespace sluice::egress
