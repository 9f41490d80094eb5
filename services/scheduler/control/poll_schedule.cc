#include "scheduler/control/poll_schedule.h"

#include <algorithm>

namespace sluice::scheduler {
namespace {

constexpr Duration kFirstWait = std::chrono::minutes(5);
constexpr int kMostDoublings = 6;

}  // namespace

Duration PollSchedule::Jittered(Duration wait) {
  const int64_t tenth = wait.count() / 10;
  return wait + Duration(std::uniform_int_distribution<int64_t>(-tenth, tenth)(random_));
}

void PollSchedule::Succeeded(Instant now) {
  failures_ = 0;
  due_ = now + Jittered(every_);
}

void PollSchedule::Failed(Instant now) {
  const Duration wait = kFirstWait * (int64_t{1} << failures_);
  failures_ = std::min(failures_ + 1, kMostDoublings);
  due_ = now + Jittered(std::min(wait, every_));
}

void PollSchedule::Resume(Instant last) {
  if (due_ == Instant{} && last != Instant{}) due_ = last + Jittered(every_);
}

}  // namespace sluice::scheduler
