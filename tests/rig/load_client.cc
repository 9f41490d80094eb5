#include "rig/load_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "base/status.h"
#include "base/text.h"
#include "sluice/v1/submission.grpc.pb.h"
#include "wire/channel.h"
#include "wire/status.h"

namespace sluice::rig {
namespace {

using Call = grpc::ClientAsyncReaderWriter<v1::SubmitStreamRequest, v1::SubmitStreamResponse>;

constexpr Duration kFirstReconnect = std::chrono::milliseconds(50);
constexpr Duration kMostReconnect = std::chrono::seconds(1);

// What no second try mends.
bool IsFatal(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAUTHENTICATED || code == grpc::StatusCode::PERMISSION_DENIED ||
         code == grpc::StatusCode::UNIMPLEMENTED || code == grpc::StatusCode::INVALID_ARGUMENT;
}

class Stream;
enum class Op { kStart, kRead, kWrite, kWritesDone, kFinish };

// What the completion queue hands back.
struct Tag {
  Stream* stream;
  Op op;
};

// One SubmitStream call after the other. States: idle (between calls) → starting → open → finishing
// → idle.
class Stream {
 public:
  Stream(const LoadClientOptions& options, std::shared_ptr<grpc::Channel> channel,
         grpc::CompletionQueue& queue, const Clock& clock, LoadClient::Owner& owner)
      : options_(options),
        stub_(v1::SubmissionService::NewStub(channel)),
        channel_(std::move(channel)),
        queue_(queue),
        clock_(clock),
        owner_(owner) {}

  // Sends a frame when there is one and room for it; begins a call when it is time to.
  void Pump(SteadyInstant now) {
    if (state_ == State::kIdle && now >= retry_at_ && !half_closed_) Begin();
    if (state_ != State::kOpen || broken_) return;
    if (!unanswered_.empty() && now - last_heard_ > options_.silence) return Cancel();
    if (writing_ || half_closed_ || unanswered_.size() >= options_.window) return;
    std::vector<Pending> frame;
    owner_.NextFrame(frame);
    if (frame.empty()) return;
    if (unanswered_.empty()) last_heard_ = now;
    Send(std::move(frame));
  }

  void HalfClose() {
    half_closed_ = true;
    if (state_ != State::kOpen || writing_ || writes_done_ || broken_) return;
    writing_ = writes_done_ = true;
    ++operations_;
    call_->WritesDone(&writes_done_tag_);
  }
  void Cancel() {
    if (context_) context_->TryCancel();
  }

  void OnEvent(Op op, bool ok) {
    --operations_;
    switch (op) {
      case Op::kStart:
        OnStarted(ok);
        break;
      case Op::kRead:
        OnRead(ok);
        break;
      case Op::kWrite:
        writing_ = false;
        broken_ = broken_ || !ok;
        if (half_closed_) HalfClose();
        break;
      case Op::kWritesDone:
        writing_ = false;
        break;
      case Op::kFinish:
        return OnFinished();
    }
    if (broken_ && operations_ == 0 && state_ != State::kFinishing) {
      state_ = State::kFinishing;
      ++operations_;
      call_->Finish(&status_, &finish_tag_);
    }
  }

  bool idle() const { return operations_ == 0; }
  SteadyInstant retry_at() const { return retry_at_; }
  bool waiting_to_retry() const { return state_ == State::kIdle && !half_closed_; }
  uint64_t reconnects() const { return calls_ > 0 ? calls_ - 1 : 0; }

 private:
  enum class State { kIdle, kStarting, kOpen, kFinishing };

  void Begin() {
    // The call lies in memory of its context.
    call_.reset();
    context_ = std::make_unique<grpc::ClientContext>();
    context_->AddMetadata("authorization", Cat("Bearer ", options_.key));
    call_ = stub_->PrepareAsyncSubmitStream(context_.get(), &queue_);
    broken_ = writing_ = writes_done_ = false;
    state_ = State::kStarting;
    ++calls_;
    ++operations_;
    call_->StartCall(&start_tag_);
  }

  void OnStarted(bool ok) {
    broken_ = !ok;
    if (!ok) return;
    state_ = State::kOpen;
    last_heard_ = clock_.Steady();
    Read();
    if (half_closed_) HalfClose();
  }

  void Read() {
    ++operations_;
    call_->Read(&response_, &read_tag_);
  }

  void OnRead(bool ok) {
    broken_ = broken_ || !ok;
    if (!ok) return;
    last_heard_ = clock_.Steady();
    failures_ = 0;
    const auto found = unanswered_.find(response_.frame_id());
    if (found != unanswered_.end()) {
      const std::vector<Pending>& frame = found->second;
      for (size_t i = 0; i < frame.size(); ++i) {
        const auto index = static_cast<int>(i);
        if (index < response_.outcomes_size()) {
          owner_.OnOutcome(frame[i], response_.outcomes(index));
        } else {
          owner_.OnLost(frame[i]);
        }
      }
      unanswered_.erase(found);
    }
    Read();
  }

  void OnFinished() {
    state_ = State::kIdle;
    for (auto& [id, frame] : unanswered_) {
      for (const Pending& pending : frame) owner_.OnLost(pending);
    }
    unanswered_.clear();
    const auto wait =
        std::min(kMostReconnect, kFirstReconnect * (1 << std::min<uint64_t>(failures_++, 10)));
    retry_at_ = clock_.Steady() + wait;
    if (IsFatal(status_.error_code())) owner_.OnFatal(wire::FromGrpc(status_));
  }

  // Submissions of the last request are filled anew: their strings keep their room.
  void Send(std::vector<Pending> frame) {
    while (request_.submissions_size() > static_cast<int>(frame.size())) {
      request_.mutable_submissions()->RemoveLast();
    }
    for (size_t i = 0; i < frame.size(); ++i) {
      const auto index = static_cast<int>(i);
      owner_.Fill(frame[i], index < request_.submissions_size()
                                ? *request_.mutable_submissions(index)
                                : *request_.add_submissions());
    }
    request_.set_frame_id(++frame_id_);
    unanswered_.emplace(frame_id_, std::move(frame));
    writing_ = true;
    ++operations_;
    call_->Write(request_, &write_tag_);
  }

  const LoadClientOptions& options_;
  std::unique_ptr<v1::SubmissionService::Stub> stub_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::CompletionQueue& queue_;
  const Clock& clock_;
  LoadClient::Owner& owner_;

  State state_ = State::kIdle;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<Call> call_;
  grpc::Status status_;
  v1::SubmitStreamRequest request_;
  v1::SubmitStreamResponse response_;
  std::unordered_map<uint64_t, std::vector<Pending>> unanswered_;
  uint64_t frame_id_ = 0, calls_ = 0, failures_ = 0;
  int operations_ = 0;  // tags that are out
  bool writing_ = false, writes_done_ = false, broken_ = false, half_closed_ = false;
  SteadyInstant retry_at_{}, last_heard_{};
  Tag start_tag_{this, Op::kStart}, read_tag_{this, Op::kRead}, write_tag_{this, Op::kWrite};
  Tag writes_done_tag_{this, Op::kWritesDone}, finish_tag_{this, Op::kFinish};
};

class GrpcLoadClient final : public LoadClient {
 public:
  GrpcLoadClient(LoadClientOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock) {}
  // Every tag must come back before the queue may go.
  ~GrpcLoadClient() override {
    for (Stream& stream : streams_) stream.Cancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  absl::Status AddStreams(Owner& owner) {
    const wire::ChannelOptions channel_options{.credentials = options_.credentials};
    for (uint64_t i = 0; i < options_.connections; ++i) {
      ASSIGN_OR_RETURN(auto channel, wire::MakeChannel(options_.target, channel_options));
      streams_.emplace_back(options_, std::move(channel), queue_, clock_, owner);
    }
    return absl::OkStatus();
  }

  void Run(SteadyInstant until) override {
    const SteadyInstant now = clock_.Steady();
    for (Stream& stream : streams_) {
      stream.Pump(now);
      if (stream.waiting_to_retry()) until = std::min(until, std::max(now, stream.retry_at()));
    }
    Next(until);
  }

  void Finish(Duration patience) override {
    for (Stream& stream : streams_) stream.HalfClose();
    const SteadyInstant end = clock_.Steady() + patience;
    while (!AllIdle() && clock_.Steady() < end) {
      for (Stream& stream : streams_) stream.Pump(clock_.Steady());
      Next(end);
    }
  }

  uint64_t reconnects() const override {
    uint64_t sum = 0;
    for (const Stream& stream : streams_) sum += stream.reconnects();
    return sum;
  }

 private:
  void Next(SteadyInstant until) {
    const auto wait = std::max(Duration(0), until - clock_.Steady());
    const auto deadline = std::chrono::system_clock::now() + wait;
    void* got = nullptr;
    bool ok = false;
    if (queue_.AsyncNext(&got, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return;
    auto* tag = static_cast<Tag*>(got);
    tag->stream->OnEvent(tag->op, ok);
  }
  bool AllIdle() const {
    return std::all_of(streams_.begin(), streams_.end(),
                       [](const Stream& stream) { return stream.idle(); });
  }

  const LoadClientOptions options_;
  const Clock& clock_;
  grpc::CompletionQueue queue_;
  std::deque<Stream> streams_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LoadClient>> LoadClient::Make(LoadClientOptions options,
                                                             const Clock& clock, Owner& owner) {
  auto client = std::make_unique<GrpcLoadClient>(std::move(options), clock);
  RETURN_IF_ERROR(client->AddStreams(owner));
  return client;
}

}  // namespace sluice::rig
