#include "policy/retry_schedule.h"

#include <algorithm>
#include <cmath>

namespace sluice {

Duration RetryWait(const RetrySchedule& schedule, int attempts_made) {
  const int step = std::max(attempts_made, 1) - 1;
  if (!schedule.waits.empty()) {
    return schedule.waits[std::min(static_cast<size_t>(step), schedule.waits.size() - 1)];
  }
  Duration wait = kFirstRetryWait;
  for (int i = 0; i < step && wait < kLongestRetryWait; ++i) wait *= 2;
  return std::min(wait, kLongestRetryWait);
}

Instant NextDue(const RetrySchedule& schedule, int attempts_made, Instant now, double unit_random) {
  const double factor = 1 - kRetryJitter + 2 * kRetryJitter * std::clamp(unit_random, 0.0, 1.0);
  const auto wait = static_cast<double>(RetryWait(schedule, attempts_made).count());
  return now + Duration(std::llround(wait * factor));
}

Instant NextDue(const RetrySchedule& schedule, int attempts_made, Instant now, double unit_random,
                Instant expires_at) {
  return std::min(NextDue(schedule, attempts_made, now, unit_random), expires_at);
}

RetrySchedules::RetrySchedules(const PolicyDocument& policy) {
  for (const StreamPolicy& stream : policy.streams) {
    if (stream.retry_schedule.empty()) continue;
    for (const RetrySchedule& schedule : policy.retry_schedules) {
      if (schedule.name == stream.retry_schedule) by_stream_.emplace(stream.name, schedule);
    }
  }
}

const RetrySchedule& RetrySchedules::For(std::string_view stream, ReplyClass reply_class) const {
  const auto found = by_stream_.find(stream);
  if (found == by_stream_.end()) return built_in_;
  const auto& classes = found->second.reply_classes;
  const bool applies =
      classes.empty() || std::find(classes.begin(), classes.end(), reply_class) != classes.end();
  return applies ? found->second : built_in_;
}

}  // namespace sluice
