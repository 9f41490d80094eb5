#include "scheduler/dispatch_service.h"

#include <grpcpp/grpcpp.h>

#include <deque>
#include <mutex>
#include <set>
#include <unordered_map>

#include "base/text.h"
#include "scheduler/dispatch_convert.h"
#include "sluice/v1/dispatch.grpc.pb.h"
#include "wire/peer.h"

namespace sluice::scheduler {
namespace {

// Batches merged into one wire message: enough to save writes, small enough for the message limit.
constexpr size_t kMergeReleases = 256;
constexpr size_t kMergeBytes = 4 << 20;
constexpr size_t kMostBufferedBeforeDeliver = 1'000;

class Face;

// One write at a time over a queue of what is to be written. The owner deletes itself in OnDone.
template <class Request, class Response>
class Stream : public grpc::ServerBidiReactor<Request, Response> {
 public:
  // Ends the stream from our side; safe to call at any time, from any thread, more than once.
  void End(grpc::Status status) {
    {
      const std::lock_guard lock(mutex_);
      if (finishing_) return;
      finishing_ = true;
      final_ = std::move(status);
      if (writing_) return;  // OnWriteDone finishes.
    }
    this->Finish(final_);
  }

 protected:
  // Fills `message` with what is next; false = nothing to write. Called with mutex_ held.
  virtual bool Next(Response& message) = 0;

  void Kick() {
    {
      const std::lock_guard lock(mutex_);
      if (writing_ || finishing_) return;
      message_.Clear();
      if (!Next(message_)) return;
      writing_ = true;
    }
    this->StartWrite(&message_);
  }

  void OnWriteDone(bool ok) override {
    bool finish = false;
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      finish = finishing_;
    }
    if (finish) {
      this->Finish(final_);
    } else if (ok) {
      Kick();
    }
  }

  std::mutex mutex_;

 private:
  Response message_;
  bool writing_ = false, finishing_ = false;
  grpc::Status final_;
};

class ControlStream;
class DeliverStream;

// What the core holds. The streams outlive neither each other nor this; each is detached when it is done.
class Port final : public EgressPort, public std::enable_shared_from_this<Port> {
 public:
  void Send(DeliverBatch batch) override;
  void SendHeartbeat(int64_t sent_at_micros, Duration valid_for) override;
  void SendAssignment(const std::vector<AssignedSource>& sources) override;
  void SendSigningKeys(const std::vector<SigningKey>& keys) override;
  void SendShaping(int64_t number, const ShapingOrder& order) override;
  void SendShards(const std::vector<int>& shards) override;
  void SendRecall(int64_t number, const std::string& source, const std::vector<RecalledEntry>& entries) override;
  void Close() override;
  void SendReactionsKept(int64_t through);
  void SendShares(v1::Shares shares);

  void SendTrace(const v1::TraceOrder& order);
  void AttachControl(ControlStream* stream) { control_ = stream; }
  // False when the port is closed or has a Deliver stream.
  bool AttachDeliver(DeliverStream* stream);
  void DetachControl();
  void DetachDeliver();

 private:
  void SendControl(v1::ControlResponse message);

  std::mutex mutex_;
  ControlStream* control_ = nullptr;
  DeliverStream* deliver_ = nullptr;
  std::deque<DeliverBatch> before_deliver_;
  bool closed_ = false;
};

struct Link {
  std::shared_ptr<Port> port;
  uint64_t incarnation = 0;
  Core::Session session;  // Core's thread only.
};

class ControlStream final : public Stream<v1::ControlRequest, v1::ControlResponse> {
 public:
  ControlStream(Face& face, const grpc::CallbackServerContext& context) : face_(face), context_(context) {
    this->StartRead(&request_);
  }
  void Write(v1::ControlResponse message) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(message));
    }
    Kick();
  }
  void OnReadDone(bool ok) override;
  void OnDone() override;

 private:
  bool Next(v1::ControlResponse& message) override {
    if (queue_.empty()) return false;
    message = std::move(queue_.front());
    queue_.pop_front();
    return true;
  }
  Face& face_;
  const grpc::CallbackServerContext& context_;  // Outlives the reactor.
  v1::ControlRequest request_;
  std::deque<v1::ControlResponse> queue_;
  std::shared_ptr<Link> link_;
  std::string egress_id_;
};

class DeliverStream final : public Stream<v1::DeliverRequest, v1::DeliverResponse> {
 public:
  DeliverStream(Face& face, const grpc::CallbackServerContext& context) : face_(face), context_(context) {
    this->StartRead(&request_);
  }
  void Write(DeliverBatch batch) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(batch));
    }
    Kick();
  }
  void OnReadDone(bool ok) override;
  void OnDone() override;

 private:
  bool Next(v1::DeliverResponse& message) override {
    size_t bytes = 0;
    while (!queue_.empty() && message.releases_size() < static_cast<int>(kMergeReleases) && bytes < kMergeBytes) {
      for (const auto& content : queue_.front().contents) bytes += content->bytes();
      ToProto(queue_.front(), message);
      queue_.pop_front();
    }
    return message.ByteSizeLong() > 0;
  }
  Face& face_;
  const grpc::CallbackServerContext& context_;  // Outlives the reactor.
  v1::DeliverRequest request_;
  std::deque<DeliverBatch> queue_;
  std::shared_ptr<Link> link_;
};

class Face final : public DispatchFace, public v1::DispatchService::CallbackService {
 public:
  Face(Core& core, Mailbox& mailbox, const Logger& log, uint64_t incarnation, DispatchEvents events)
      : core_(core), mailbox_(mailbox), log_(log), incarnation_(incarnation), events_(std::move(events)) {}
  grpc::Service& service() override { return *this; }
  void Watch(const v1::TraceOrder& order) override;
  void Shutdown() override;

  grpc::ServerBidiReactor<v1::ControlRequest, v1::ControlResponse>* Control(
      grpc::CallbackServerContext* context) override {
    auto* stream = new ControlStream(*this, *context);
    const std::lock_guard lock(mutex_);
    if (shut_down_) stream->End({grpc::StatusCode::UNAVAILABLE, "the scheduler is stopping"});
    controls_.insert(stream);
    return stream;
  }
  grpc::ServerBidiReactor<v1::DeliverRequest, v1::DeliverResponse>* Deliver(
      grpc::CallbackServerContext* context) override {
    return new DeliverStream(*this, *context);
  }

  std::shared_ptr<Link> Connect(const EgressHello& hello, ControlStream* stream);
  std::shared_ptr<Link> FindLink(const std::string& egress_id, uint64_t incarnation);
  // The Control stream of `link` has ended, or its Deliver stream.
  void Gone(const std::string& egress_id, const std::shared_ptr<Link>& link);
  void Forget(ControlStream* stream) {
    const std::lock_guard lock(mutex_);
    controls_.erase(stream);
  }

  Core& core_;
  Mailbox& mailbox_;
  const Logger& log_;
  const uint64_t incarnation_;
  const DispatchEvents events_;

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Link>> links_;
  std::set<ControlStream*> controls_;
  v1::TraceOrder watched_;
  bool shut_down_ = false;
};

// ---- port ---------------------------------------------------------------------------------------

void Port::Send(DeliverBatch batch) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  if (deliver_ != nullptr) {
    deliver_->Write(std::move(batch));
  } else if (before_deliver_.size() < kMostBufferedBeforeDeliver) {
    before_deliver_.push_back(std::move(batch));
  }
}

void Port::SendControl(v1::ControlResponse message) {
  const std::lock_guard lock(mutex_);
  if (!closed_ && control_ != nullptr) control_->Write(std::move(message));
}

void Port::SendHeartbeat(int64_t sent_at_micros, Duration valid_for) {
  v1::ControlResponse message;
  message.mutable_heartbeat()->set_sent_at_micros(sent_at_micros);
  message.mutable_heartbeat()->set_valid_for_micros(valid_for.count());
  SendControl(std::move(message));
}

void Port::SendAssignment(const std::vector<AssignedSource>& sources) {
  v1::ControlResponse message;
  *message.mutable_assignment() = ToProto(sources);
  SendControl(std::move(message));
}

void Port::SendSigningKeys(const std::vector<SigningKey>& keys) {
  v1::ControlResponse message;
  *message.mutable_signing_keys() = ToProto(keys);
  SendControl(std::move(message));
}

void Port::SendShaping(int64_t number, const ShapingOrder& order) {
  v1::ControlResponse message;
  *message.mutable_shaping() = ToProto(order);
  message.mutable_shaping()->set_generation(number);
  SendControl(std::move(message));
}

void Port::SendReactionsKept(int64_t through) {
  v1::ControlResponse message;
  message.mutable_reactions_kept()->set_through(through);
  SendControl(std::move(message));
}

void Port::SendShares(v1::Shares shares) {
  v1::ControlResponse message;
  *message.mutable_shares() = std::move(shares);
  SendControl(std::move(message));
}

void Port::SendShards(const std::vector<int>& shards) {
  v1::ControlResponse message;
  message.mutable_shards()->mutable_shards()->Add(shards.begin(), shards.end());
  SendControl(std::move(message));
}

void Port::SendTrace(const v1::TraceOrder& order) {
  v1::ControlResponse message;
  *message.mutable_trace() = order;
  SendControl(std::move(message));
}

void Port::SendRecall(int64_t number, const std::string& source, const std::vector<RecalledEntry>& entries) {
  v1::ControlResponse message;
  v1::Recall& recall = *message.mutable_recall();
  recall.set_generation(number);
  recall.set_source(source);
  for (const RecalledEntry& entry : entries) {
    recall.add_queue_entry_ids(static_cast<uint64_t>(entry.entry_id));
    recall.add_attempt_ids(static_cast<uint64_t>(entry.attempt_id));
  }
  SendControl(std::move(message));
}

void Port::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  const grpc::Status status(grpc::StatusCode::UNAVAILABLE, "the scheduler has ended this session");
  if (control_ != nullptr) control_->End(status);
  if (deliver_ != nullptr) deliver_->End(status);
}

bool Port::AttachDeliver(DeliverStream* stream) {
  const std::lock_guard lock(mutex_);
  if (closed_ || deliver_ != nullptr) return false;
  deliver_ = stream;
  for (DeliverBatch& batch : before_deliver_) deliver_->Write(std::move(batch));
  before_deliver_.clear();
  return true;
}

void Port::DetachControl() {
  const std::lock_guard lock(mutex_);
  control_ = nullptr;
}

void Port::DetachDeliver() {
  const std::lock_guard lock(mutex_);
  deliver_ = nullptr;
}

// ---- control stream -----------------------------------------------------------------------------

void ControlStream::OnReadDone(bool ok) {
  if (!ok) {
    End(grpc::Status::OK);
    return;
  }
  if (link_ == nullptr) {
    if (!request_.has_hello() || request_.hello().egress_id().empty()) {
      End({grpc::StatusCode::INVALID_ARGUMENT, "the first message must be a Hello with an egress_id"});
      return;
    }
    if (!wire::MayActAs(context_, request_.hello().egress_id())) {
      End({grpc::StatusCode::PERMISSION_DENIED, Cat("the certificate does not name 'egress.", request_.hello().egress_id(), "'")});
      return;
    }
    const EgressHello hello = FromProto(request_.hello());
    egress_id_ = hello.egress_id;
    link_ = face_.Connect(hello, this);
  } else if (request_.has_heartbeat()) {
    face_.mailbox_.Post([&core = face_.core_, link = link_, at = request_.heartbeat().sent_at_micros()] {
      core.OnHeartbeat(link->session, at);
    });
  } else if (request_.has_assignment_result()) {
    const v1::AssignmentResult& result = request_.assignment_result();
    face_.events_.assignment_result(egress_id_, result.source(), result.epoch(), result.bound(), result.error());
  } else if (request_.has_rooms()) {
    face_.mailbox_.Post([&core = face_.core_, link = link_, rooms = FromProto(request_.rooms())] {
      core.OnRooms(link->session, rooms);
    });
  } else if (request_.has_reactions()) {
    const auto& reactions = request_.reactions().reactions();
    const int64_t through = reactions.empty() ? 0 : reactions.rbegin()->number();
    face_.events_.reactions(FromProto(request_.reactions(), egress_id_, SystemClock().Now()),
                            [port = link_->port, through] { port->SendReactionsKept(through); });
  } else if (request_.has_share_uses()) {
    const int64_t sent_at = request_.share_uses().sent_at_micros();
    face_.events_.share_uses(egress_id_, {.uses = FromProto(request_.share_uses(), egress_id_),
                                          .answer = [port = link_->port, egress = egress_id_, sent_at](const auto& own, Duration valid_for) {
                                            v1::Shares shares = ToProto(own, egress);
                                            shares.set_sent_at_micros(sent_at);
                                            shares.set_valid_for_micros(valid_for.count());
                                            port->SendShares(std::move(shares));
                                          }});
  } else if (request_.has_tls_results()) {
    face_.events_.tls_results(RowsOf(*request_.mutable_tls_results()));
  } else if (request_.has_trace()) {
    face_.events_.trace(request_.trace());
  } else if (request_.has_order_result()) {
    face_.mailbox_.Post([&core = face_.core_, link = link_, number = request_.order_result().generation()] {
      core.OnOrderResult(link->session, number);
    });
  } else if (request_.has_drain()) {
    face_.mailbox_.Post([&core = face_.core_, link = link_] { core.OnDrain(link->session); });
  }
  request_.Clear();
  StartRead(&request_);
}

void ControlStream::OnDone() {
  face_.Forget(this);
  if (link_ != nullptr) {
    link_->port->DetachControl();
    face_.Gone(egress_id_, link_);
  }
  delete this;
}

// ---- deliver stream -----------------------------------------------------------------------------

void DeliverStream::OnReadDone(bool ok) {
  if (!ok) {
    End(grpc::Status::OK);
    return;
  }
  if (link_ == nullptr) {
    if (!wire::MayActAs(context_, request_.egress_id())) {
      End({grpc::StatusCode::PERMISSION_DENIED, Cat("the certificate does not name 'egress.", request_.egress_id(), "'")});
      return;
    }
    link_ = face_.FindLink(request_.egress_id(), request_.incarnation());
    if (link_ == nullptr || !link_->port->AttachDeliver(this)) {
      link_ = nullptr;
      End({grpc::StatusCode::FAILED_PRECONDITION, "open Control with this egress_id and incarnation first"});
      return;
    }
  }
  face_.mailbox_.Post([&core = face_.core_, link = link_, input = FromProto(request_)]() mutable {
    core.OnDeliver(link->session, std::move(input));
  });
  request_.Clear();
  StartRead(&request_);
}

void DeliverStream::OnDone() {
  if (link_ != nullptr) {
    link_->port->DetachDeliver();
    link_->port->Close();  // One stream without the other is no session.
  }
  delete this;
}

// ---- face ---------------------------------------------------------------------------------------

std::shared_ptr<Link> Face::Connect(const EgressHello& hello, ControlStream* stream) {
  auto link = std::make_shared<Link>();
  link->port = std::make_shared<Port>();
  link->incarnation = hello.incarnation;
  link->port->AttachControl(stream);
  v1::ControlResponse welcome;
  welcome.mutable_welcome()->set_scheduler_incarnation(incarnation_);
  stream->Write(std::move(welcome));
  {
    const std::lock_guard lock(mutex_);
    links_[hello.egress_id] = link;
    if (watched_.filters_size() > 0) link->port->SendTrace(watched_);
  }
  mailbox_.Post([this, link, hello] {
    link->session = core_.OnEgressConnected(hello, link->port);
    events_.connected(hello);
  });
  return link;
}

std::shared_ptr<Link> Face::FindLink(const std::string& egress_id, uint64_t incarnation) {
  const std::lock_guard lock(mutex_);
  const auto it = links_.find(egress_id);
  return it != links_.end() && it->second->incarnation == incarnation ? it->second : nullptr;
}

void Face::Gone(const std::string& egress_id, const std::shared_ptr<Link>& link) {
  {
    const std::lock_guard lock(mutex_);
    const auto it = links_.find(egress_id);
    if (it != links_.end() && it->second == link) links_.erase(it);
  }
  mailbox_.Post([this, link] { core_.OnEgressGone(link->session); });
}

void Face::Watch(const v1::TraceOrder& order) {
  const std::lock_guard lock(mutex_);
  watched_ = order;
  for (const auto& [id, link] : links_) link->port->SendTrace(order);
}

void Face::Shutdown() {
  std::vector<std::shared_ptr<Link>> links;
  {
    const std::lock_guard lock(mutex_);
    shut_down_ = true;
    for (const auto& [id, link] : links_) links.push_back(link);
  }
  for (const auto& link : links) link->port->Close();
}

}  // namespace

std::unique_ptr<DispatchFace> MakeDispatchFace(Core& core, Mailbox& mailbox, const Logger& log,
                                               uint64_t incarnation, DispatchEvents events) {
  return std::make_unique<Face>(core, mailbox, log, incarnation, std::move(events));
}

}  // namespace sluice::scheduler
