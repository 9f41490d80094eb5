#include "ingest/submit_stream.h"

#include <utility>

#include "ingest/decode.h"
#include "mail/limits.h"
#include "wire/status.h"

namespace sluice::ingest {
namespace {

// Unanswered bytes at which a stream stops reading; one frame may be larger.
constexpr size_t kUnansweredBytes = size_t{16} << 20;

SubmitError WrongCount(size_t count) {
  const std::string why =
      Cat("a frame has 1 to ", limits::kFrameSubmissions, " submissions, this one ", count);
  return {.code = absl::StatusCode::kInvalidArgument,
          .message = Cat("submissions: ", why),
          .violations = {{"submissions", why}}};
}

}  // namespace

void StreamRegistry::Add(SubmitStream& stream) {
  bool ending = false;
  {
    const std::lock_guard lock(mutex_);
    streams_.insert(&stream);
    ending = ending_;
  }
  if (ending) stream.End(absl::UnavailableError("the server is stopping: connect again"));
}

void StreamRegistry::Remove(SubmitStream& stream) {
  const std::lock_guard lock(mutex_);
  streams_.erase(&stream);
}

void StreamRegistry::EndAll() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  for (SubmitStream* stream : streams_) {
    stream->End(absl::UnavailableError(
        "the server is stopping: connect again and send what was not answered"));
  }
}

SubmitStream* SubmitStream::Start(const SubmissionParts& parts, StreamRegistry& registry,
                                  const SecretHash& secret, std::string traceparent) {
  const std::shared_ptr<SubmitStream> stream(new SubmitStream(parts, registry, secret, std::move(traceparent)));
  stream->self_ = stream;
  registry.Add(*stream);
  if (!parts.accept.TenantOf(secret).has_value()) stream->End(ToStatus(parts.accept.NotAdmitted()));
  const std::lock_guard lock(stream->mutex_);
  stream->Step();
  return stream.get();
}

void SubmitStream::End(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  if (!ending_) end_status_ = status;
  ending_ = true;
  Step();
}

void SubmitStream::OnReadDone(bool ok) {
  std::shared_ptr<Frame> frame;
  {
    const std::lock_guard lock(mutex_);
    reading_ = false;
    read_closed_ = read_closed_ || !ok;
    // What comes after the end is not answered: the client sends it again.
    if (ok && !ending_ && !cancelled_) {
      frame = std::move(next_);
      frame->bytes = frame->request.ByteSizeLong();
      frame->read_at = parts_.clock.Steady();
      ++unanswered_frames_;
      unanswered_bytes_ += frame->bytes;
    }
    Step();
  }
  if (frame != nullptr) Take(std::move(frame));
}

void SubmitStream::Take(std::shared_ptr<Frame> frame) {
  const auto count = static_cast<size_t>(frame->request.submissions_size());
  parts_.metrics.OnReceived(frame->bytes);
  if (count == 0 || count > limits::kFrameSubmissions) {
    return Answer(*frame, std::vector<SubmitOutcome>(count, WrongCount(count)));
  }
  auto admitted = parts_.accept.Admit(secret_, frame->bytes, count);
  if (const auto* error = std::get_if<SubmitError>(&admitted)) {
    if (error->code == absl::StatusCode::kUnauthenticated) End(ToStatus(*error));
    return Answer(*frame, std::vector<SubmitOutcome>(count, *error));
  }
  // std::function wants to be copyable.
  auto ticket = std::make_shared<Accept::Admitted>(std::get<Accept::Admitted>(std::move(admitted)));
  parts_.workers.Post([self = shared_from_this(), frame = std::move(frame),
                       ticket = std::move(ticket)] { self->Process(frame, std::move(*ticket)); });
}

void SubmitStream::Process(const std::shared_ptr<Frame>& frame, Accept::Admitted admitted) {
  std::vector<SubmissionRequest> submissions;
  submissions.reserve(static_cast<size_t>(frame->request.submissions_size()));
  for (const v1::Submission& submission : frame->request.submissions())
    submissions.push_back(Decode(submission));
  for (SubmissionRequest& submission : submissions) submission.traceparent = traceparent_;
  // Its submissions are needed no longer than Run takes; id and size are.
  auto rest = std::make_shared<Frame>();
  rest->request.set_frame_id(frame->request.frame_id());
  rest->bytes = frame->bytes;
  rest->read_at = frame->read_at;
  parts_.accept.Run(std::move(admitted), submissions,
                    [self = shared_from_this(), rest = std::move(rest)](
                        std::vector<SubmitOutcome> outcomes) { self->Answer(*rest, outcomes); });
}

void SubmitStream::Answer(const Frame& frame, const std::vector<SubmitOutcome>& outcomes) {
  parts_.metrics.OnAnswered("submit_stream", outcomes, parts_.clock.Steady() - frame.read_at);
  auto response = std::make_unique<v1::SubmitStreamResponse>();
  response->set_frame_id(frame.request.frame_id());
  for (const SubmitOutcome& outcome : outcomes) Encode(outcome, *response->add_outcomes());
  const std::lock_guard lock(mutex_);
  --unanswered_frames_;
  unanswered_bytes_ -= frame.bytes;
  answers_.push_back(std::move(response));
  Step();
}

bool SubmitStream::MayRead() const {
  if (reading_ || read_closed_ || ending_ || cancelled_) return false;
  // Answers that the client does not read count too.
  return unanswered_frames_ + answers_.size() < limits::kUnansweredFrames &&
         unanswered_bytes_ < kUnansweredBytes;
}

void SubmitStream::Step() {
  if (finished_) return;
  if (writing_ == nullptr && !answers_.empty() && !cancelled_) {
    writing_ = std::move(answers_.front());
    answers_.pop_front();
    StartWrite(writing_.get());
  }
  if (MayRead()) {
    reading_ = true;
    next_ = std::make_shared<Frame>();
    StartRead(&next_->request);
  }
  if (writing_ != nullptr) return;
  const bool all_answered = answers_.empty() && unanswered_frames_ == 0;
  if (!cancelled_ && !(all_answered && (read_closed_ || ending_))) return;
  finished_ = true;
  Finish(cancelled_ ? grpc::Status::CANCELLED : wire::ToGrpc(end_status_));
}

void SubmitStream::OnWriteDone(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_.reset();
  // The client is gone; OnCancel says so too.
  cancelled_ = cancelled_ || !ok;
  Step();
}

void SubmitStream::OnCancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  Step();
}

void SubmitStream::OnDone() {
  registry_.Remove(*this);
  // The last reference may be this one.
  const std::shared_ptr<SubmitStream> self = std::move(self_);
}

}  // namespace sluice::ingest
