#include "ingest/handoff_link.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "ingest/handoff_convert.h"
#include "sluice/v1/intake.grpc.pb.h"

namespace sluice::ingest {
namespace {

// The scheduler says how much it takes with its first answer; until then this much.
constexpr int64_t kFirstContentBudget = int64_t{8} << 20;
constexpr Duration kPopTimeout = std::chrono::milliseconds(200);

// One stream, from opening to its end.
class Stream {
 public:
  Stream(const std::shared_ptr<grpc::Channel>& channel, const std::function<void()>& on_not_owned)
      : stub_(v1::IntakeService::NewStub(channel)),
        on_not_owned_(on_not_owned),
        window_(kFirstContentBudget) {
    rpc_ = stub_->Handoff(&context_);
    reader_ = std::thread([this] { Read(); });
  }
  // Waits for the scheduler's last answer; Cancel, from another thread too, makes that short. Last
  // call before the destructor.
  void End() {
    rpc_->WritesDone();
    reader_.join();
    rpc_->Finish();
  }

  // False when the stream is broken.
  bool Write(std::vector<CommittedBatch> batches) {
    v1::HandoffRequest request;
    for (CommittedBatch& batch : batches) {
      {
        const std::lock_guard lock(mutex_);
        if (!window_.Fits(ContentBytes(batch))) DropContent(batch);
        window_.OnSent(ContentBytes(batch));
      }
      ToProto(std::move(batch), *request.add_batches());
    }
    return rpc_->Write(request);
  }
  void Cancel() { context_.TryCancel(); }
  bool ended() const { return ended_; }

 private:
  void Read() {
    v1::HandoffResponse response;
    while (rpc_->Read(&response)) {
      {
        const std::lock_guard lock(mutex_);
        window_.OnAnswer(response.handled_count(), response.content_budget_bytes());
      }
      if (response.not_owned_size() > 0) on_not_owned_();
    }
    ended_ = true;
  }

  grpc::ClientContext context_;
  std::unique_ptr<v1::IntakeService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::HandoffRequest, v1::HandoffResponse>> rpc_;
  const std::function<void()>& on_not_owned_;
  std::mutex mutex_;
  ContentWindow window_;
  std::atomic<bool> ended_{false};
  std::thread reader_;
};

class Link final : public HandoffLink {
 public:
  Link(std::string endpoint, const HandoffLinkOptions& options, std::function<void()> on_not_owned,
       const Logger& log)
      : endpoint_(std::move(endpoint)),
        options_(options),
        on_not_owned_(std::move(on_not_owned)),
        log_(log),
        queue_(options.queue),
        thread_([this] { Run(); }) {}

  ~Link() override {
    queue_.Close();
    {
      std::unique_lock lock(mutex_);
      ended_.wait_for(lock, options_.close_timeout, [this] { return done_; });
      closing_ = true;
      if (stream_ != nullptr) stream_->Cancel();
    }
    thread_.join();
  }

  HandoffQueue& queue() override { return queue_; }

 private:
  void Run() {
    while (true) {
      std::vector<CommittedBatch> batches = queue_.Pop(options_.write_bytes, kPopTimeout);
      if (batches.empty() && queue_.closed()) break;
      if (stream_ != nullptr && stream_->ended()) Close("the scheduler ended it");
      if (stream_ == nullptr && !Open()) {
        // The scheduler finds all of it in PostgreSQL before the stream is up.
        queue_.Clear();
        continue;
      }
      if (!batches.empty() && !stream_->Write(std::move(batches))) Close("writing failed");
    }
    Close("");
    const std::lock_guard lock(mutex_);
    done_ = true;
    ended_.notify_all();
  }

  bool Open() {
    const auto now = std::chrono::steady_clock::now();
    if (now < retry_at_) return false;
    retry_at_ = now + options_.connect_timeout + options_.reconnect_delay;
    const auto channel = wire::MakeChannel(endpoint_, options_.channel);
    if (!channel.ok()) {
      log_.Error("handoff_refused",
                 {{"endpoint", endpoint_}, {"error", View(channel.status().message())}});
      return false;
    }
    if (!(*channel)->WaitForConnected(std::chrono::system_clock::now() + options_.connect_timeout))
      return false;
    auto stream = std::make_unique<Stream>(*channel, on_not_owned_);
    const std::lock_guard lock(mutex_);
    if (closing_) stream->Cancel();
    stream_ = std::move(stream);
    return true;
  }

  // Nothing when there is no stream. `broken` is why, empty = in order.
  void Close(std::string_view broken) {
    if (stream_ == nullptr) return;
    if (!broken.empty()) {
      log_.Warn("handoff_broken", {{"endpoint", endpoint_}, {"reason", broken}});
      stream_->Cancel();
    }
    // Outside the lock: meanwhile the destructor may cancel.
    stream_->End();
    const std::lock_guard lock(mutex_);
    stream_.reset();
  }

  const std::string endpoint_;
  const HandoffLinkOptions options_;
  const std::function<void()> on_not_owned_;
  const Logger& log_;
  HandoffQueue queue_;
  std::chrono::steady_clock::time_point retry_at_;  // Of the thread.
  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;
  bool closing_ = false;
  // Changed by the thread under the lock, so that the destructor can cancel it.
  std::unique_ptr<Stream> stream_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<HandoffLink> OpenHandoffLink(const std::string& endpoint,
                                             const HandoffLinkOptions& options,
                                             std::function<void()> on_not_owned,
                                             const Logger& log) {
  return std::make_unique<Link>(endpoint, options, std::move(on_not_owned), log);
}

}  // namespace sluice::ingest
