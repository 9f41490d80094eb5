// Starts a coroutine that nobody awaits. An exception that leaves it is a bug of ours: it is
// printed with the coroutine's name and the process aborts (asio's `detached` would drop it).
#pragma once

#include <exception>
#include <utility>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>

namespace sluice {

namespace internal {
[[noreturn]] void CoroutineThrew(const char* name, std::exception_ptr exception);
}  // namespace internal

// `name` must be a literal. The coroutine's arguments must outlive it (pass values).
template <class Executor>
void Spawn(const Executor& executor, asio::awaitable<void> coroutine, const char* name) {
  asio::co_spawn(executor, std::move(coroutine), [name](std::exception_ptr exception) {
    if (exception) {
      internal::CoroutineThrew(name, std::move(exception));
    }
  });
}

}  // namespace sluice
