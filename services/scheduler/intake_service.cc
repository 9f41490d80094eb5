#include "scheduler/intake_service.h"

#include <grpcpp/grpcpp.h>

#include <mutex>
#include <set>

#include "scheduler/dispatch_convert.h"
#include "sluice/v1/intake.grpc.pb.h"

namespace sluice::scheduler {
namespace {

// Hand-offs of one stream that the core has not looked at: then reading stops, and ingest's own bound fills.
constexpr int kMostUnhandled = 16;

class Face;

class HandoffStream final : public grpc::ServerBidiReactor<v1::HandoffRequest, v1::HandoffResponse> {
 public:
  HandoffStream(Face& face, std::shared_ptr<HandoffStream*> self);
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;
  void End();
  // Core's thread: a request of `count` batches was handled.
  void Handled(int count, const Core::HandoffAnswer& answer);

 private:
  void MaybeWrite();
  Face& face_;
  const std::shared_ptr<HandoffStream*> self_;  // Null inside once the stream is done; guarded by the face.
  std::mutex mutex_;
  v1::HandoffRequest request_;
  v1::HandoffResponse response_;
  int64_t handled_ = 0;
  std::set<int> not_owned_;
  int64_t budget_ = 0;
  int unhandled_ = 0;
  bool dirty_ = false, writing_ = false, reading_ = false, ended_ = false, finished_ = false;
};

class Face final : public IntakeFace, public v1::IntakeService::CallbackService {
 public:
  Face(Core& core, Mailbox& mailbox) : core_(core), mailbox_(mailbox) {}
  grpc::Service& service() override { return *this; }
  void Shutdown() override;

  grpc::ServerBidiReactor<v1::HandoffRequest, v1::HandoffResponse>* Handoff(grpc::CallbackServerContext*) override {
    auto self = std::make_shared<HandoffStream*>(nullptr);
    auto* stream = new HandoffStream(*this, self);
    const std::lock_guard lock(mutex_);
    *self = stream;
    streams_.insert(stream);
    if (shut_down_) stream->End();
    return stream;
  }

  grpc::ServerUnaryReactor* CancelEntries(grpc::CallbackServerContext* context, const v1::CancelEntriesRequest* request,
                                          v1::CancelEntriesResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    mailbox_.Post([this, request, response, reactor] {
      const std::vector<int64_t> ids(request->queue_entry_ids().begin(), request->queue_entry_ids().end());
      for (const auto& [id, cancelled] : core_.Cancel(request->message_id(), ids)) {
        auto& outcome = *response->add_outcomes();
        outcome.set_queue_entry_id(id);
        outcome.set_cancelled(cancelled);
      }
      reactor->Finish(grpc::Status::OK);
    });
    return reactor;
  }

  // Calls `f` with the stream unless it is done.
  template <class F>
  void With(const std::shared_ptr<HandoffStream*>& self, F f) {
    const std::lock_guard lock(mutex_);
    if (*self != nullptr) f(**self);
  }
  void Forget(const std::shared_ptr<HandoffStream*>& self) {
    const std::lock_guard lock(mutex_);
    streams_.erase(*self);
    *self = nullptr;
  }

  Core& core_;
  Mailbox& mailbox_;

 private:
  std::mutex mutex_;
  std::set<HandoffStream*> streams_;
  bool shut_down_ = false;
};

HandoffStream::HandoffStream(Face& face, std::shared_ptr<HandoffStream*> self)
    : face_(face), self_(std::move(self)) {
  reading_ = true;
  StartRead(&request_);
}

void HandoffStream::OnReadDone(bool ok) {
  if (!ok) {
    End();
    return;
  }
  std::vector<HandedBatch> batches;
  for (v1::AcceptedBatch& batch : *request_.mutable_batches()) batches.push_back(FromProto(batch));
  const int count = request_.batches_size();
  request_.Clear();
  bool read = false;
  {
    const std::lock_guard lock(mutex_);
    reading_ = read = ++unhandled_ < kMostUnhandled && !ended_;
  }
  face_.mailbox_.Post([&face = face_, self = self_, batches = std::move(batches), count]() mutable {
    const Core::HandoffAnswer answer = face.core_.OnHandoff(std::move(batches));
    face.With(self, [&](HandoffStream& stream) { stream.Handled(count, answer); });
  });
  if (read) StartRead(&request_);
}

void HandoffStream::Handled(int count, const Core::HandoffAnswer& answer) {
  bool read = false;
  {
    const std::lock_guard lock(mutex_);
    handled_ += count;
    --unhandled_;
    not_owned_.insert(answer.not_owned.begin(), answer.not_owned.end());
    budget_ = answer.content_budget_bytes;
    dirty_ = true;
    read = !reading_ && !ended_;
    reading_ = reading_ || read;
  }
  MaybeWrite();
  if (read) StartRead(&request_);
}

void HandoffStream::MaybeWrite() {
  {
    const std::lock_guard lock(mutex_);
    if (writing_ || ended_ || !dirty_) return;
    writing_ = true;
    dirty_ = false;
    response_.Clear();
    response_.set_handled_count(handled_);
    response_.set_content_budget_bytes(budget_);
    for (const int shard : not_owned_) response_.add_not_owned(shard);
    not_owned_.clear();
  }
  StartWrite(&response_);
}

void HandoffStream::OnWriteDone(bool) {
  bool finish = false;
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    finish = ended_ && !finished_;
    finished_ = finished_ || finish;
  }
  if (finish) {
    Finish(grpc::Status::OK);
  } else {
    MaybeWrite();
  }
}

void HandoffStream::End() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    if (finished_ || writing_) return;
    finished_ = true;
  }
  Finish(grpc::Status::OK);
}

void HandoffStream::OnDone() {
  face_.Forget(self_);
  delete this;
}

void Face::Shutdown() {
  const std::lock_guard lock(mutex_);
  shut_down_ = true;
  for (HandoffStream* stream : streams_) stream->End();
}

}  // namespace

std::unique_ptr<IntakeFace> MakeIntakeFace(Core& core, Mailbox& mailbox) {
  return std::make_unique<Face>(core, mailbox);
}

}  // namespace sluice::scheduler
