// One bidirectional call of a gRPC client as a thing that takes messages and gives messages: writes
// are queued one behind the other, reads follow each other by themselves, the end is told once.
// Included by the two streams only: gRPC headers are heavy.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/text.h"
#include "wire/status.h"

namespace sluice::egress {

// Thread-safe. Made with make_shared; keeps itself alive until the call has ended.
template <class Request, class Response>
class ClientStream final : public grpc::ClientBidiReactor<Request, Response>,
                           public std::enable_shared_from_this<ClientStream<Request, Response>> {
 public:
  // Called on gRPC threads, one at a time for reads; all are forgotten after `ended`. They must not
  // block.
  struct Events {
    // May take the message apart.
    std::function<void(Response&)> received;
    // A message of Send has been handed on.
    std::function<void()> written;
    std::function<void(const absl::Status&)> ended;
  };
  // Begins the call: binds the stub's method to the reactor.
  using Starter = std::function<void(grpc::ClientContext*, ClientStream*)>;

  explicit ClientStream(Events events) : events_(std::move(events)) {}

  void Start(const Starter& starter) {
    self_ = this->shared_from_this();
    // The call waits for its channel, which has a backoff of its own.
    context_.set_wait_for_ready(true);
    starter(&context_, this);
    this->AddHold();  // for writes from outside; given back in Close
    this->StartRead(&response_);
    this->StartCall();
  }

  // Dropped when the call has ended or is ending.
  void Send(Request request) {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return;
    queue_.push_back(std::move(request));
    if (queue_.size() == 1) this->StartWrite(&queue_.front());
  }
  // Messages not yet handed on.
  size_t pending() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }
  // Ends the call; `ended` follows.
  void Cancel() {
    Close();
    context_.TryCancel();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Close();
    events_.received(response_);
    response_.Clear();
    this->StartRead(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Close();
    {
      const std::lock_guard lock(mutex_);
      queue_.pop_front();
      if (!queue_.empty() && !is_closed_) this->StartWrite(&queue_.front());
    }
    if (events_.written) events_.written();
  }
  void OnDone(const grpc::Status& status) override {
    Events events = std::exchange(events_, {});
    if (events.ended) events.ended(wire::FromGrpc(status));
    auto self = std::move(self_);
  }

 private:
  void Close() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(is_closed_, true)) return;
    this->RemoveHold();
  }

  Events events_;
  grpc::ClientContext context_;
  Response response_;
  mutable std::mutex mutex_;
  std::deque<Request> queue_;  // the first is being written
  bool is_closed_ = false;
  std::shared_ptr<ClientStream> self_;
};

}  // namespace sluice::egress
