#include "mail/stage_times.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace sluice {
namespace {

constexpr std::array<std::string_view, kTimedStepCount> kNames{"connect", "greeting", "tls", "mail",
                                                               "rcpt",    "data",     "body"};

}  // namespace

std::string ToString(const StageTimes& times) {
  std::string out;
  for (size_t i = 0; i < kTimedStepCount; ++i) {
    const Duration time = times.of(static_cast<TimedStep>(i));
    if (time <= Duration(0)) continue;
    Append(out, out.empty() ? "" : ",", kNames[i], ":", time.count());
  }
  return out;
}

StageTimes ParseStageTimes(std::string_view text) {
  StageTimes times;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const size_t colon = item.find(':');
    if (colon == std::string_view::npos) continue;
    const auto name = std::find(kNames.begin(), kNames.end(), item.substr(0, colon));
    int64_t micros = 0;
    std::from_chars(item.data() + colon + 1, item.data() + item.size(), micros);
    if (name == kNames.end() || micros <= 0) continue;
    times.Add(static_cast<TimedStep>(name - kNames.begin()), Duration(micros));
  }
  return times;
}

}  // namespace sluice
