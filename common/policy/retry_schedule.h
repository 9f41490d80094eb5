// When a deferred entry is tried again. Built in, but for the classes below: 5 minutes, doubling, at most 4 hours, each wait
// 10% longer or shorter by chance so that what failed together does not come back together. Five
// minutes pass most greylists at the second attempt; four hours are the field's common ceiling (RFC
// 5321 section 4.5.4.1 asks for 30 minutes or more in the long run). Pure.
#pragma once

#include <optional>
#include <string_view>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "mail/disposition.h"
#include "mail/policy_document.h"
#include "policy/shaping.h"

namespace sluice {

inline constexpr Duration kFirstRetryWait = std::chrono::minutes(5);
inline constexpr Duration kLongestRetryWait = std::chrono::hours(4);
inline constexpr double kRetryJitter = 0.1;

// Before the attempt that follows `attempts_made` ≥ 1 ones, without jitter. A schedule without
// waits is the built-in one.
Duration RetryWait(const RetrySchedule& schedule, int attempts_made);

// `unit_random` in [0, 1): 0 is 10% early, 0.5 is exact.
Instant NextDue(const RetrySchedule& schedule, int attempts_made, Instant now, double unit_random);
// The same, never after `expires_at`: an entry due at its expiry is not attempted again but ended
// as expired then.
Instant NextDue(const RetrySchedule& schedule, int attempts_made, Instant now, double unit_random,
                Instant expires_at);
constexpr bool IsExpired(Instant expires_at, Instant now) { return now >= expires_at; }

// How long the reply itself asks us to wait ("try again in 300 seconds", "retry after 10 minutes"), within a minute and four
// hours; absent when it does not say.
std::optional<Duration> ToldWait(std::string_view reply);

// What was tried; empty = not known (a lookup that failed has no source).
struct RetryFacts {
  std::string_view stream = {}, source = {}, provider = {}, site = {}, domain = {};
};

// Which schedule a deferral follows. Immutable, thread-safe.
class RetrySchedules {
 public:
  explicit RetrySchedules(const PolicyDocument& policy);
  // The first of these that applies to this class of reply: the schedule of the most specific shaping rule (policy/shaping.h), the
  // stream's, the built-in one of the class: a greylist is passed by coming back soon and often, a full mailbox is not emptied
  // within minutes, and what was throttled waits for the path, not for its age. Lives as long as this object.
  const RetrySchedule& For(const RetryFacts& facts, ReplyClass reply_class) const;

 private:
  template <class T>
  using ByName = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;
  const RetrySchedule* Named(std::string_view name) const;

  RetrySchedule built_in_, greylist_, quota_, throttle_;
  ByName<RetrySchedule> schedules_;
  ByName<std::string> by_stream_;
  // Rules that name a schedule, and what they ask of a source.
  ShapingTable rules_;
  ByName<std::vector<std::string>> pools_of_;
};

}  // namespace sluice
