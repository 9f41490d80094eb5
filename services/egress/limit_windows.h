// What the limits of one (source, provider), or (source, site), let begin now: messages, bytes and new connections, each in an exact
// window (policy/rate_window.h), and how much more than that it makes sense to hold. Pure; time is the caller's.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "policy/effective_limits.h"
#include "policy/rate_window.h"

namespace sluice::egress {

// Not thread-safe.
class LimitWindows {
 public:
  // What went already counts on.
  void SetLimits(const EffectiveLimits& limits, SteadyInstant now);

  // When a message of `bytes` to one recipient may begin, `ahead` others having begun as soon as they may; `now` or later.
  SteadyInstant BeginAt(int64_t ahead, int64_t bytes, SteadyInstant now) const;
  // To how many recipients a message may begin now, at most `most`.
  int64_t RecipientsNow(int64_t most, SteadyInstant now) const { return messages_.Available(most, now); }
  // Each recipient counts as a message, the bytes count once.
  void Began(int64_t recipients, int64_t bytes, SteadyInstant now);

  SteadyInstant ConnectAt(SteadyInstant now) const { return connections_.ReadyAt(1, now); }
  void Connecting(SteadyInstant now) { connections_.Take(1, now); }
  void NotConnecting() { connections_.Untake(1); }

  // How many entries may usefully be here: what can begin within the next moments. Absent = nothing limits it.
  std::optional<int64_t> Room() const;
  // Nothing is remembered that limits anything.
  bool IsBlank(SteadyInstant now) const;

 private:
  RateWindow messages_, bytes_;
  // How many there are at once is limited elsewhere: they need not be spread out.
  RateWindow connections_{false};
  std::optional<double> messages_per_second_, bytes_per_second_;
  double usual_bytes_ = 10'000;  // Of a message, lately.
};

// The rate that a share of it leaves; at least one an interval of the same kind, stretched.
Rate ShareOf(const Rate& rate, double share);
double PerSecond(const Rate& rate);

}  // namespace sluice::egress
