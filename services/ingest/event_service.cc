#include "ingest/event_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "base/status.h"
#include "ingest/decode.h"
#include "ingest/event_convert.h"
#include "ingest/event_reader.h"
#include "mail/ids.h"
#include "sluice/v1/events.grpc.pb.h"
#include "wire/peer.h"
#include "wire/status.h"

namespace sluice::ingest {
namespace {

class Face;

// One call. Its steps never overlap: a step is posted by its start, by the end of a write, or by
// the ticker when idle.
class Subscription final : public grpc::ServerWriteReactor<v1::SubscribeResponse>,
                           public std::enable_shared_from_this<Subscription> {
 public:
  Subscription(Face& face, const EventParts& parts, const v1::SubscribeRequest& request)
      : face_(face), parts_(parts), request_(request) {}

  void Begin(const std::string& tenant);
  void End(const absl::Status& status);
  // From the ticker.
  void StepIfIdle();

  std::shared_ptr<Subscription> self_;  // Until OnDone.

 private:
  void OnWriteDone(bool ok) override;
  void OnCancel() override { End(absl::CancelledError("the client cancelled")); }
  void OnDone() override;

  absl::StatusOr<EventFilter> Filter() const;
  absl::Status Position();
  void PostStep();
  void Step();

  Face& face_;
  const EventParts parts_;
  const v1::SubscribeRequest request_;
  std::unique_ptr<EventReader> reader_;
  bool positioned_ = false;
  v1::SubscribeResponse response_;

  std::mutex mutex_;
  bool busy_ = true;  // A step or a write is under way.
  bool finished_ = false;
};

class Face final : public EventFace, public v1::EventService::CallbackService {
 public:
  explicit Face(const EventParts& parts) : parts_(parts), ticker_([this] { Tick(); }) {}
  ~Face() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    ticker_.join();
  }

  grpc::Service& service() override { return *this; }

  void EndStreams() override {
    for (const auto& subscription : All(true)) {
      subscription->End(
          absl::UnavailableError("the server is stopping: subscribe again with the last cursor"));
    }
  }

  grpc::ServerWriteReactor<v1::SubscribeResponse>* Subscribe(
      grpc::CallbackServerContext* context, const v1::SubscribeRequest* request) override {
    auto subscription = std::make_shared<Subscription>(*this, parts_, *request);
    subscription->self_ = subscription;
    const std::optional<std::string> tenant =
        parts_.accept.ReaderOf(HashSecret(wire::BearerToken(*context)));
    bool is_room = false;
    {
      const std::lock_guard lock(mutex_);
      is_room = !ending_ && subscriptions_.size() < parts_.most_subscribers;
      if (is_room) subscriptions_.insert(subscription);
    }
    if (!tenant.has_value()) {
      subscription->End(ToStatus(parts_.accept.NotAdmitted()));
    } else if (!is_room) {
      subscription->End(wire::Retry(
          absl::StatusCode::kResourceExhausted,
          "this server has all the subscribers it takes: try again later, or another one",
          std::chrono::seconds(5)));
    } else {
      subscription->Begin(*tenant);
    }
    return subscription.get();
  }

  void Remove(const std::shared_ptr<Subscription>& subscription) {
    const std::lock_guard lock(mutex_);
    subscriptions_.erase(subscription);
  }

 private:
  std::vector<std::shared_ptr<Subscription>> All(bool ending) {
    const std::lock_guard lock(mutex_);
    ending_ = ending_ || ending;
    return {subscriptions_.begin(), subscriptions_.end()};
  }

  void Tick() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, parts_.poll_interval, [this] { return stopping_; })) {
      lock.unlock();
      for (const auto& subscription : All(false)) subscription->StepIfIdle();
      lock.lock();
    }
  }

  const EventParts parts_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::shared_ptr<Subscription>> subscriptions_;
  bool ending_ = false;
  bool stopping_ = false;
  std::thread ticker_;
};

void Subscription::Begin(const std::string& tenant) {
  absl::StatusOr<EventFilter> filter = Filter();
  if (!filter.ok()) return End(filter.status());
  reader_ = std::make_unique<EventReader>(parts_.events, tenant, *std::move(filter));
  PostStep();
}

absl::StatusOr<EventFilter> Subscription::Filter() const {
  EventFilter filter{.kinds = {}, .stream = request_.stream(), .campaign = request_.campaign()};
  for (const int kind : request_.kinds()) {
    const std::string name = KindName(kind);
    if (name.empty())
      return wire::FieldError("kinds", Cat(kind, " is no kind of event: leave it out"));
    filter.kinds.insert(name);
  }
  if (!request_.message_id().empty()) {
    const absl::StatusOr<MessageId> id = ParseMessageId(request_.message_id());
    if (!id.ok()) return wire::FieldError("message_id", std::string(View(id.status().message())));
    filter.message_id = id->value();
  }
  return filter;
}

absl::Status Subscription::Position() {
  if (request_.cursor().empty())
    return request_.from_now() ? reader_->StartNow() : reader_->StartAtOldest();
  const absl::StatusOr<EventCursor> cursor = DecodeCursor(request_.cursor());
  if (!cursor.ok()) return wire::FieldError("cursor", std::string(View(cursor.status().message())));
  return reader_->StartAt(*cursor);
}

void Subscription::PostStep() {
  parts_.queries.Post([self = shared_from_this()] { self->Step(); });
}

void Subscription::Step() {
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
  }
  // Who begins now has a place to come back to before anything happens.
  const bool tells_place = !positioned_ && request_.from_now() && request_.cursor().empty();
  if (!positioned_) {
    if (const absl::Status status = Position(); !status.ok()) return End(status);
    positioned_ = true;
  }
  absl::StatusOr<EventReader::Step> step = reader_->Read();
  if (!step.ok()) return End(step.status());
  const std::lock_guard lock(mutex_);
  if (finished_) return;
  if (!step->moved && !tells_place) {
    busy_ = false;
    return;
  }
  response_.Clear();
  for (const storage::StoredEvent& event : step->events) ToProto(event, *response_.add_events());
  response_.set_cursor(EncodeCursor(reader_->cursor()));
  StartWrite(&response_);
}

void Subscription::StepIfIdle() {
  {
    const std::lock_guard lock(mutex_);
    if (busy_ || finished_) return;
    busy_ = true;
  }
  PostStep();
}

void Subscription::OnWriteDone(bool ok) {
  if (!ok) return End(absl::CancelledError("the client is gone"));
  PostStep();
}

void Subscription::End(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  if (finished_) return;
  finished_ = true;
  parts_.metrics.OnQuery("subscribe", absl::StatusCodeToString(status.code()));
  Finish(wire::ToGrpc(status));
}

void Subscription::OnDone() {
  face_.Remove(shared_from_this());
  const std::shared_ptr<Subscription> self = std::move(self_);
}

}  // namespace

std::unique_ptr<EventFace> MakeEventFace(const EventParts& parts) {
  return std::make_unique<Face>(parts);
}

}  // namespace sluice::ingest
