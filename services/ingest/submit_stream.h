// One SubmitStream call. Frames are checked on the workers side by side and answered as they become
// durable:
//
//   read a frame ─▶ admit ─▶ worker: decode, check ─▶ group commit ─▶ answer queue ─▶ write
//     ▲                                                                    │
//     └──── while fewer than 64 frames and 16 MB are unanswered ◀──────────┘
//
// It ends with OK when the client has half-closed and all is answered; with UNAVAILABLE when the
// service stops; with UNAUTHENTICATED when the key is not valid (any more).
#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "ingest/submission_service.h"
#include "sluice/v1/submission.pb.h"

namespace sluice::ingest {

class SubmitStream;

// The streams that are running. Thread-safe.
class StreamRegistry {
 public:
  void Add(SubmitStream& stream);
  void Remove(SubmitStream& stream);
  // Ends all, and those that are added later.
  void EndAll();

 private:
  std::mutex mutex_;
  std::set<SubmitStream*> streams_;
  bool ending_ = false;
};

class SubmitStream final
    : public grpc::ServerBidiReactor<v1::SubmitStreamRequest, v1::SubmitStreamResponse>,
      public std::enable_shared_from_this<SubmitStream> {
 public:
  // The reactor keeps itself until gRPC is done with it.
  static SubmitStream* Start(const SubmissionParts& parts, StreamRegistry& registry,
                             const SecretHash& secret, std::string traceparent);

  void End(const absl::Status& status);

 private:
  struct Frame {
    v1::SubmitStreamRequest request;
    size_t bytes = 0;
    SteadyInstant read_at{};
  };

  SubmitStream(const SubmissionParts& parts, StreamRegistry& registry, const SecretHash& secret,
               std::string traceparent)
      : parts_(parts), registry_(registry), secret_(secret), traceparent_(std::move(traceparent)) {}

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void Take(std::shared_ptr<Frame> frame);
  void Process(const std::shared_ptr<Frame>& frame, Accept::Admitted admitted);
  void Answer(const Frame& frame, const std::vector<SubmitOutcome>& outcomes);
  // Starts whatever can be started now. Under the lock: after Finish nothing may be started any
  // more.
  void Step();
  bool MayRead() const;

  const SubmissionParts parts_;
  StreamRegistry& registry_;
  const SecretHash secret_;
  const std::string traceparent_;
  std::shared_ptr<SubmitStream>
      self_;  // Until OnDone; frames under way hold their own. Only Start and OnDone touch it.

  std::mutex mutex_;
  std::shared_ptr<Frame> next_;  // Being read.
  std::deque<std::unique_ptr<v1::SubmitStreamResponse>> answers_;
  std::unique_ptr<v1::SubmitStreamResponse> writing_;
  size_t unanswered_frames_ = 0;
  size_t unanswered_bytes_ = 0;
  bool reading_ = false;
  bool read_closed_ = false;
  bool cancelled_ = false;
  bool ending_ = false;
  bool finished_ = false;
  absl::Status end_status_;
};

}  // namespace sluice::ingest
