// Signing away from the I/O threads: a pool of threads that sign, and on each I/O thread a desk that
// gathers what its connections want signed in one turn of the loop and hands it over together. What
// is ready comes back together, too, so that neither side is woken for each message.
//
//   connections ─▶ desk ──one hand-over a turn──▶ pool ──one post a batch──▶ desk ─▶ connections
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "smtp/dkim.h"

namespace sluice::egress {

class SignDesk;

// One message to be signed. Lives in the coroutine that waits for it; what the views point to, too.
struct SignRequest {
  std::span<const std::string_view> pieces;
  std::vector<DkimSigner> signers;
  Instant now{};
  absl::StatusOr<std::string> signatures = absl::CancelledError("the signer has stopped");
  SignDesk* desk = nullptr;
  asio::steady_timer* done = nullptr;
};

class SignerPool {
 public:
  explicit SignerPool(size_t threads);
  ~SignerPool();
  SignerPool(const SignerPool&) = delete;
  SignerPool& operator=(const SignerPool&) = delete;

  // From any thread.
  void Submit(std::span<SignRequest* const> requests);
  // Ends the threads; what waits is never signed, and nobody refers to it afterwards. Once only
  // counts.
  void Stop();

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<SignRequest*> waiting_;
  size_t idle_count_ = 0;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

// Belongs to one I/O thread, but for Finished. Outlives the pool's threads.
class SignDesk {
 public:
  SignDesk(SignerPool& pool, asio::io_context& io) : pool_(pool), io_(io) {}

  // The DKIM-Signature fields of `pieces`, see SignDkim. What they point to lives until it returns.
  asio::awaitable<absl::StatusOr<std::string>> Sign(std::span<const std::string_view> pieces,
                                                    std::vector<DkimSigner> signers, Instant now);

 private:
  friend class SignerPool;

  void Gather(SignRequest& request);
  void HandOver();
  // On a thread of the pool.
  void Finished(SignRequest& request);
  void Return();

  SignerPool& pool_;
  asio::io_context& io_;
  std::vector<SignRequest*> gathered_;
  std::mutex mutex_;
  std::vector<SignRequest*> finished_;
};

}  // namespace sluice::egress
