// How long the steps of an attempt took, in microseconds: 0 where there was none. A connection's own
// steps (connect, greeting, tls) count for the first message on it.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sluice {

enum class TimedStep : uint8_t {
  kConnect,   // TCP
  kGreeting,  // banner and EHLO
  kTls,       // STARTTLS, handshake, EHLO again
  kMail,      // to the reply to MAIL
  kRcpt,      // from there to the last reply to RCPT
  kData,      // to the reply to DATA
  kBody,      // content and the reply to its end
};
inline constexpr size_t kTimedStepCount = 7;

class StageTimes {
 public:
  Duration of(TimedStep step) const { return times_[static_cast<size_t>(step)]; }
  void Add(TimedStep step, Duration time) { times_[static_cast<size_t>(step)] += time; }
  void Add(const StageTimes& other) {
    for (size_t i = 0; i < kTimedStepCount; ++i) times_[i] += other.times_[i];
  }

  friend bool operator==(const StageTimes&, const StageTimes&) = default;

 private:
  std::array<Duration, kTimedStepCount> times_{};
};

// "connect:1203,tls:3400,body:140": steps that took no time are left out. Logs and SQL have it.
std::string ToString(const StageTimes& times);
// Reads that; what it does not know is passed over.
StageTimes ParseStageTimes(std::string_view text);

}  // namespace sluice
