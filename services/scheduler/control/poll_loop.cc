#include "scheduler/control/poll_loop.h"

#include "base/status.h"
#include "base/text.h"

namespace sluice::scheduler {
namespace {

constexpr auto kRound = std::chrono::seconds(1);

}  // namespace

PollLoop::PollLoop(Parts parts, std::vector<std::unique_ptr<Poller>> pollers)
    : parts_(std::move(parts)),
      pollers_(std::move(pollers)),
      bad_(parts_.metrics.AddGauge("sluice_reputation_bad_signals_count", "Signals of pollers that say something bad.")),
      failing_(parts_.metrics.AddGauge("sluice_reputation_failing_signals_count", "Signals whose poller gets no answer now.")),
      signals_(parts_.store, parts_.clock, parts_.log),
      thread_([this] { Run(); }) {}

PollLoop::~PollLoop() { Stop(); }

void PollLoop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void PollLoop::Run() {
  std::string last_error;
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    const bool control = parts_.has_control();
    if (!control) signals_.Forget();
    const absl::Status status = control ? Round() : absl::OkStatus();
    // Once for each trouble, not each second.
    if (std::string error(View(status.message())); error != last_error) {
      if (!status.ok()) parts_.log.Warn("poll_round_failed", {{"error", error}});
      last_error = std::move(error);
    }
    lock.lock();
    wake_.wait_for(lock, kRound, [this] { return stop_; });
  }
}

absl::Status PollLoop::FollowPolicy() {
  ASSIGN_OR_RETURN(const int64_t current, parts_.policies.CurrentRevision());
  if (current == revision_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto stored, parts_.policies.Current());
  if (!stored.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(policy_, parts_.parse(stored->document_json));
  revision_ = stored->revision.revision;
  return absl::OkStatus();
}

absl::Status PollLoop::Round() {
  RETURN_IF_ERROR(FollowPolicy());
  RETURN_IF_ERROR(signals_.Load());
  for (const auto& poller : pollers_) {
    poller->Poll(policy_, signals_, parts_.clock.Now());
    // What one has learned does not wait for the next.
    RETURN_IF_ERROR(signals_.Save());
    parts_.health.SetOpinions(signals_.Opinions());
  }
  signals_.KeepOnly([&](const SignalKey& key) {
    for (const auto& poller : pollers_) {
      if (poller->Keeps(policy_, key)) return true;
    }
    return false;
  });
  const auto [bad, failing] = signals_.Counts();
  bad_.Set(bad);
  failing_.Set(failing);
  return signals_.Save();
}

}  // namespace sluice::scheduler
