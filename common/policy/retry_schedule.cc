#include "policy/retry_schedule.h"

#include <algorithm>
#include <charconv>
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

std::optional<Duration> ToldWait(std::string_view reply) {
  constexpr Duration kLeast = std::chrono::minutes(1);
  std::string text(reply);
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const std::string_view words : {"try again in ", "retry in ", "retry after ", "try again after ", "wait "}) {
    const size_t at = text.find(words);
    if (at == std::string::npos) continue;
    const char* const end = text.data() + text.size();
    int64_t count = 0;
    const auto [rest, error] = std::from_chars(text.data() + at + words.size(), end, count);
    if (error != std::errc() || count <= 0 || count > 1'000'000) continue;
    std::string_view unit(rest, static_cast<size_t>(end - rest));
    while (unit.starts_with(' ')) unit.remove_prefix(1);
    const bool minutes = unit.starts_with("min"), hours = unit.starts_with("hour");
    if (!minutes && !hours && !unit.starts_with('s')) continue;
    const Duration told = std::chrono::seconds(count) * (hours ? 3600 : minutes ? 60 : 1);
    return std::clamp(told, kLeast, kLongestRetryWait);
  }
  return std::nullopt;
}

RetrySchedules::RetrySchedules(const PolicyDocument& policy) {
  using std::chrono::hours;
  using std::chrono::minutes;
  greylist_.waits = {minutes(5), minutes(10), minutes(15), minutes(30), hours(1)};
  quota_.waits = {hours(1), hours(2), hours(4), hours(8)};
  throttle_.waits = {minutes(5), minutes(5), minutes(10), minutes(15)};
  for (const StreamPolicy& stream : policy.streams) {
    if (stream.retry_schedule.empty()) continue;
    for (const RetrySchedule& schedule : policy.retry_schedules) {
      if (schedule.name == stream.retry_schedule) by_stream_.emplace(stream.name, schedule);
    }
  }
}

const RetrySchedule& RetrySchedules::For(std::string_view stream, ReplyClass reply_class) const {
  const auto found = by_stream_.find(stream);
  const auto usual = [&]() -> const RetrySchedule& {
    switch (reply_class) {
      case ReplyClass::kGreylist:
        return greylist_;
      case ReplyClass::kRcptQuota:
        return quota_;
      case ReplyClass::kThrottle:
      case ReplyClass::kConnLimit:
      case ReplyClass::kMsgPerConn:
      case ReplyClass::kRcptRate:
        return throttle_;
      default:
        return built_in_;
    }
  };
  if (found == by_stream_.end()) return usual();
  const auto& classes = found->second.reply_classes;
  const bool applies =
      classes.empty() || std::find(classes.begin(), classes.end(), reply_class) != classes.end();
  return applies ? found->second : usual();
}

}  // namespace sluice
