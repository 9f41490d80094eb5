// The Deliver stream of one scheduler session: carries custody's batches out and the scheduler's
// contents, releases and acknowledgements in. gRPC stays in the .cc.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "absl/status/status.h"
#include "egress/custody.h"

namespace grpc {
class Channel;
}
namespace sluice::v1 {
class DeliverRequest;
class DeliverResponse;
}  // namespace sluice::v1

namespace sluice::egress {

template <class Request, class Response>
class ClientStream;

// Thread-safe. Keeps itself alive until the call has ended.
class DeliverStream final : public DeliverSink, public std::enable_shared_from_this<DeliverStream> {
 public:
  struct Events {
    // On a gRPC thread, one at a time; may take the message apart.
    std::function<void(v1::DeliverResponse&)> received;
    // On a gRPC thread, once.
    std::function<void(const absl::Status&)> ended;
  };

  // `timers` runs the flush timer; it and `custody` outlive the call.
  DeliverStream(Custody& custody, std::shared_ptr<Session> session, asio::io_context& timers,
                const Clock& clock);
  ~DeliverStream() override;

  // Sends `first`, then attaches itself to the custody of its session.
  void Start(const std::shared_ptr<grpc::Channel>& channel, v1::DeliverRequest first,
             Events events);
  void Cancel();

  void Write(DeliverBatch batch) override;
  void FlushAt(SteadyInstant at) override;

 private:
  using Call = ClientStream<v1::DeliverRequest, v1::DeliverResponse>;

  Custody& custody_;
  const std::shared_ptr<Session> session_;
  asio::io_context& timers_;
  const Clock& clock_;
  asio::steady_timer flush_;  // touched on the thread of `timers_` only
  std::shared_ptr<Call> call_;
  std::atomic<bool> is_first_written_{false};
};

}  // namespace sluice::egress
