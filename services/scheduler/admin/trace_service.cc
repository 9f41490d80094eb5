#include "scheduler/admin/trace_service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "mail/domain.h"
#include "sluice/v1/trace.grpc.pb.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

// Lines that a caller has not taken yet; those beyond are counted.
constexpr int kMostUnsentLines = 8192;

class Face;

// One caller. Owns itself until OnDone.
class Watching final : public grpc::ServerWriteReactor<v1::TraceResponse> {
 public:
  Watching(Face& face, TraceHub& hub) : face_(face), hub_(hub) {}

  void Begin(const v1::TraceFilter& filter);
  void End(const absl::Status& status);

 private:
  void Add(v1::TraceResponse response);
  void Write();
  void OnWriteDone(bool ok) override;
  void OnCancel() override { End(absl::CancelledError("the caller has left")); }
  void OnDone() override;

  Face& face_;
  TraceHub& hub_;
  std::optional<int64_t> number_;  // in the hub

  std::mutex mutex_;
  v1::TraceResponse unsent_, written_;
  bool is_writing_ = false, is_finished_ = false;
};

class Face final : public TraceFace, public v1::TraceService::CallbackService {
 public:
  explicit Face(TraceHub& hub) : hub_(hub) {}
  grpc::Service& service() override { return *this; }

  grpc::ServerWriteReactor<v1::TraceResponse>* Trace(grpc::CallbackServerContext*,
                                                     const v1::TraceRequest* request) override {
    auto* const watching = new Watching(*this, hub_);
    bool is_ending = false;
    {
      const std::lock_guard lock(mutex_);
      is_ending = is_ending_;
      all_.insert(watching);
    }
    if (is_ending) {
      watching->End(absl::UnavailableError("the scheduler is stopping: ask another one"));
    } else {
      watching->Begin(request->filter());
    }
    return watching;
  }

  void EndStreams() override {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
    for (Watching* const watching : all_) {
      watching->End(absl::UnavailableError("the scheduler is stopping: ask another one"));
    }
  }

  void Forget(Watching* watching) {
    const std::lock_guard lock(mutex_);
    all_.erase(watching);
  }

 private:
  TraceHub& hub_;
  std::mutex mutex_;
  std::set<Watching*> all_;
  bool is_ending_ = false;
};

void Watching::Begin(const v1::TraceFilter& filter) {
  if (filter.source().empty() && filter.domain().empty()) {
    return End(wire::FieldError("filter", "name a source or a recipient domain: all dialogs at once are too many"));
  }
  v1::TraceFilter normal = filter;
  if (!filter.domain().empty()) {
    const absl::StatusOr<std::string> domain = NormaliseDomain(filter.domain());
    if (!domain.ok()) return End(wire::FieldError("filter.domain", std::string(View(domain.status().message()))));
    normal.set_domain(*domain);
  }
  number_ = hub_.Watch(std::move(normal), [this](v1::TraceResponse response) { Add(std::move(response)); });
  if (!number_.has_value()) {
    End(absl::ResourceExhaustedError("as many watch at this scheduler as may: try another one, or later"));
  }
}

void Watching::Add(v1::TraceResponse response) {
  const std::lock_guard lock(mutex_);
  const int room = std::max(kMostUnsentLines - unsent_.lines_size(), 0);
  const int taken = std::min(room, response.lines_size());
  unsent_.set_dropped(unsent_.dropped() + response.dropped() + response.lines_size() - taken);
  for (int i = 0; i < taken; ++i) unsent_.mutable_lines()->Add(std::move(*response.mutable_lines(i)));
  Write();
}

void Watching::Write() {
  if (is_writing_ || is_finished_ || (unsent_.lines().empty() && unsent_.dropped() == 0)) return;
  is_writing_ = true;
  written_ = std::exchange(unsent_, v1::TraceResponse());
  StartWrite(&written_);
}

void Watching::OnWriteDone(bool ok) {
  if (!ok) return End(absl::CancelledError("the caller has left"));
  const std::lock_guard lock(mutex_);
  is_writing_ = false;
  Write();
}

void Watching::End(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(is_finished_, true)) return;
  Finish(wire::ToGrpc(status));
}

void Watching::OnDone() {
  if (number_.has_value()) hub_.Unwatch(*number_);
  face_.Forget(this);
  delete this;
}

}  // namespace

std::unique_ptr<TraceFace> MakeTraceFace(TraceHub& hub) { return std::make_unique<Face>(hub); }

}  // namespace sluice::scheduler
