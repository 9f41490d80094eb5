#include "scheduler/control/rounds.h"

#include "base/status.h"
#include "base/text.h"

namespace sluice::scheduler {
namespace {

constexpr auto kRound = std::chrono::seconds(1);

}  // namespace

Rounds::Rounds(Parts parts, Work work) : parts_(std::move(parts)), work_(std::move(work)), thread_([this] { Run(); }) {}

void Rounds::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Rounds::Run() {
  std::string last_error;
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    const bool control = parts_.has_control();
    if (!control) work_.forget();
    const absl::Status status = control ? Round() : absl::OkStatus();
    // Once for each trouble, not each second.
    if (std::string error(View(status.message())); error != last_error) {
      if (!status.ok()) parts_.log.Warn(Cat(work_.name, "_round_failed"), {{"error", error}});
      last_error = std::move(error);
    }
    lock.lock();
    wake_.wait_for(lock, kRound, [this] { return stop_; });
  }
}

absl::Status Rounds::Round() {
  RETURN_IF_ERROR(FollowPolicy());
  return work_.round(policy_);
}

absl::Status Rounds::FollowPolicy() {
  ASSIGN_OR_RETURN(const int64_t current, parts_.policies.CurrentRevision());
  if (current == revision_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto stored, parts_.policies.Current());
  if (!stored.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(policy_, parts_.parse(stored->document_json));
  revision_ = stored->revision.revision;
  if (work_.on_policy) work_.on_policy(policy_);
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
