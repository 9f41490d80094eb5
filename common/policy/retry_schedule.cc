#include "policy/retry_schedule.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <utility>

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
  for (const RetrySchedule& schedule : policy.retry_schedules) schedules_.emplace(schedule.name, schedule);
  for (const StreamPolicy& stream : policy.streams) by_stream_.emplace(stream.name, stream.retry_schedule);
  std::vector<PlacedRule> rules = PlacedRules(policy);
  std::erase_if(rules, [](const PlacedRule& placed) { return placed.rule.retry_schedule.empty(); });
  rules_ = ShapingTable(std::move(rules));
  if (!rules_.has_retry_schedules()) return;
  for (const PoolPolicy& pool : policy.pools) {
    for (const PoolMember& member : pool.members) pools_of_[member.source].push_back(pool.name);
  }
}

const RetrySchedule* RetrySchedules::Named(std::string_view name) const {
  const auto found = schedules_.find(name);
  return found == schedules_.end() ? nullptr : &found->second;
}

const RetrySchedule& RetrySchedules::For(const RetryFacts& facts, ReplyClass reply_class) const {
  const auto applies = [&](const RetrySchedule* schedule) {
    if (schedule == nullptr) return false;
    const auto& classes = schedule->reply_classes;
    return classes.empty() || std::find(classes.begin(), classes.end(), reply_class) != classes.end();
  };
  if (rules_.has_retry_schedules()) {
    const auto pools = pools_of_.find(facts.source);
    const Limit<std::string> by_rule = rules_.Resolve({.source = facts.source,
                                                       .provider = facts.provider,
                                                       .site = facts.site,
                                                       .domain = facts.domain,
                                                       .pools = pools == pools_of_.end() ? std::span<const std::string>()
                                                                                         : pools->second})
                                           .retry_schedule;
    const RetrySchedule* named = by_rule.value ? Named(*by_rule.value) : nullptr;
    if (applies(named)) return *named;
  }
  if (const auto stream = by_stream_.find(facts.stream); stream != by_stream_.end()) {
    const RetrySchedule* named = Named(stream->second);
    if (applies(named)) return *named;
  }
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
}

}  // namespace sluice
