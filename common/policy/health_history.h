// What replies and feedback said about a source, a tenant or a domain, counted over time: fine for a quarter of an hour, then in
// steps of five minutes, for a day. Bounded in memory, whatever the traffic. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mail/disposition.h"

namespace sluice {

enum class HealthSignal : uint8_t {
  kAttempt,          // Somebody answered, whatever.
  kDelivered,
  kThrottle,         // Slow down, said to the address.
  kBlock,            // The address is refused.
  kBlockEverywhere,  // … for a reason that others share: a blocklist, reverse DNS.
  kBadRecipient,
  kComplaint,
  kTrouble,          // Their system, or the way to it.
  kSenderRefused,    // The sending domain is meant, not the address.
};
inline constexpr size_t kHealthSignals = 9;
std::string_view ToString(HealthSignal signal);

using HealthCounts = std::array<int64_t, kHealthSignals>;
inline int64_t& At(HealthCounts& counts, HealthSignal signal) { return counts[static_cast<size_t>(signal)]; }
inline int64_t At(const HealthCounts& counts, HealthSignal signal) { return counts[static_cast<size_t>(signal)]; }

// What `n` events of a kind (as stored: `delivered`, `complained` …) count as.
HealthCounts CountsOf(std::string_view kind, ReplyClass reply_class, ReplyScope scope, int64_t n);

class HealthHistory {
 public:
  void Add(Instant at, const HealthCounts& counts, std::string_view reply);
  // What comes from now on is told apart from what was before, to the microsecond.
  void Cut() { cut_ = true; }
  // Of what happened at `from` or later.
  HealthCounts Sum(Instant from) const;
  // The last reply that counted as `signal`; empty = none.
  const std::string& last_reply(HealthSignal signal) const { return last_replies_[static_cast<size_t>(signal)]; }
  // Forgets what is older than a day; true when nothing is left.
  bool Trim(Instant now);
  size_t slices() const { return slices_.size(); }

 private:
  struct Slice {
    Instant first{}, last{};
    HealthCounts counts{};
  };
  void Coarsen(Instant now);
  std::vector<Slice> slices_;  // By time, nearly.
  std::array<std::string, kHealthSignals> last_replies_;
  bool cut_ = false;
};

}  // namespace sluice
