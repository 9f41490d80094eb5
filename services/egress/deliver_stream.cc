#include "egress/deliver_stream.h"

#include <utility>

#include <grpcpp/channel.h>
#include <asio/post.hpp>

#include "egress/client_stream.h"
#include "egress/convert.h"
#include "sluice/v1/dispatch.grpc.pb.h"

namespace sluice::egress {

DeliverStream::DeliverStream(Custody& custody, std::shared_ptr<Session> session,
                             asio::io_context& timers, const Clock& clock)
    : custody_(custody),
      session_(std::move(session)),
      timers_(timers),
      clock_(clock),
      flush_(timers) {}

DeliverStream::~DeliverStream() = default;

void DeliverStream::Start(const std::shared_ptr<grpc::Channel>& channel, v1::DeliverRequest first,
                          Events events) {
  std::shared_ptr<v1::DispatchService::Stub> stub = v1::DispatchService::NewStub(channel);
  typename Call::Events call_events;
  call_events.received = std::move(events.received);
  // The call and this object refer to each other until the call has ended.
  call_events.written = [self = shared_from_this()] {
    if (self->is_first_written_.exchange(true)) self->custody_.Written(*self->session_);
  };
  call_events.ended = [stub, ended = std::move(events.ended)](const absl::Status& status) {
    ended(status);
  };
  call_ = std::make_shared<Call>(std::move(call_events));
  call_->Start(
      [&stub](grpc::ClientContext* context, Call* call) { stub->async()->Deliver(context, call); });
  call_->Send(std::move(first));
  custody_.Attach(*session_, shared_from_this());
}

void DeliverStream::Cancel() { call_->Cancel(); }

void DeliverStream::Write(DeliverBatch batch) { call_->Send(ToProto(batch)); }

void DeliverStream::FlushAt(SteadyInstant at) {
  asio::post(timers_, [self = shared_from_this(), at] {
    self->flush_.expires_after(at - self->clock_.Steady());
    self->flush_.async_wait([self](const asio::error_code& error) {
      if (!error) self->custody_.Flush(*self->session_);
    });
  });
}

}  // namespace sluice::egress
