#include "egress/signer.h"

#include <algorithm>
#include <utility>

#include <asio/experimental/as_tuple.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

namespace sluice::egress {
namespace {

constexpr auto kAsTuple = asio::experimental::as_tuple(asio::use_awaitable);

}  // namespace

SignerPool::SignerPool(size_t threads) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

SignerPool::~SignerPool() { Stop(); }

void SignerPool::Stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
    waiting_.clear();
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void SignerPool::Submit(std::span<SignRequest* const> requests) {
  size_t woken = 0;
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return;
    waiting_.insert(waiting_.end(), requests.begin(), requests.end());
    // Who is not idle looks for more by itself.
    woken = std::min(idle_count_, requests.size());
  }
  for (size_t i = 0; i < woken; ++i) wake_.notify_one();
}

void SignerPool::Run() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    if (waiting_.empty()) {
      ++idle_count_;
      wake_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
      --idle_count_;
      continue;
    }
    SignRequest& request = *waiting_.front();
    waiting_.pop_front();
    lock.unlock();
    request.signatures = SignDkim(request.pieces, request.signers, request.now);
    request.desk->Finished(request);
    lock.lock();
  }
}

asio::awaitable<absl::StatusOr<std::string>> SignDesk::Sign(
    std::span<const std::string_view> pieces, std::vector<DkimSigner> signers, Instant now) {
  asio::steady_timer done(io_, asio::steady_timer::time_point::max());
  SignRequest request;
  request.pieces = pieces;
  request.signers = std::move(signers);
  request.now = now;
  request.desk = this;
  request.done = &done;
  Gather(request);
  co_await done.async_wait(kAsTuple);
  co_return std::move(request.signatures);
}

void SignDesk::Gather(SignRequest& request) {
  gathered_.push_back(&request);
  // After what is ready to run now: other connections may want a signature, too.
  if (gathered_.size() == 1) asio::post(io_, [this] { HandOver(); });
}

void SignDesk::HandOver() {
  pool_.Submit(gathered_);
  gathered_.clear();
}

void SignDesk::Finished(SignRequest& request) {
  {
    const std::lock_guard lock(mutex_);
    finished_.push_back(&request);
    if (finished_.size() > 1) return;
  }
  asio::post(io_, [this] { Return(); });
}

void SignDesk::Return() {
  std::vector<SignRequest*> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  for (SignRequest* request : finished) request->done->cancel();
}

}  // namespace sluice::egress
