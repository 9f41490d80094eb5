#include "base/clock.h"

#include <array>
#include <charconv>
#include <ctime>

#include "base/text.h"
#include "absl/strings/str_format.h"

namespace sluice {
namespace {

struct Unit {
  std::string_view name;
  double micros;
};
constexpr std::array<Unit, 7> kUnits = {{{"us", 1},
                                         {"ms", 1e3},
                                         {"s", 1e6},
                                         {"m", 60e6},
                                         {"h", 3600e6},
                                         {"d", 86400e6},
                                         {"w", 7 * 86400e6}}};
constexpr double kLongest = 1e17;  // About 3,000 years: far from overflow.

}  // namespace

std::string ToString(Instant at) {
  const int64_t micros = ToMicros(at);
  int64_t seconds = micros / 1'000'000;
  int64_t rest = micros % 1'000'000;
  if (rest < 0) {
    rest += 1'000'000;
    --seconds;
  }
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900,
                         parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                         rest);
}

absl::StatusOr<Duration> ParseDuration(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return absl::InvalidArgumentError(Cat(
        "'", text, "' is no duration: ", why, "; write a number and a unit: 250ms, 10s, 5m, 2h, 4d12h"));
  };
  if (text.empty()) return bad("it is empty");
  double total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    double number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number,
                                              std::chars_format::fixed);
    if (error != std::errc() || !(number >= 0)) return bad("a number is missing");
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    size_t letters = 0;
    while (letters < rest.size() && rest[letters] >= 'a' && rest[letters] <= 'z') ++letters;
    const std::string_view name = rest.substr(0, letters);
    rest.remove_prefix(letters);
    bool known = false;
    for (const Unit& unit : kUnits) {
      if (unit.name != name) continue;
      total += number * unit.micros;
      known = true;
    }
    if (!known) return bad(Cat("'", name, "' is no unit"));
    if (total > kLongest) return bad("it is too long");
  }
  return Duration(static_cast<int64_t>(total));
}

std::string ToString(Duration duration) {
  int64_t micros = duration.count();
  if (micros == 0) return "0s";
  if (micros % 1000 != 0) return Cat(micros, "us");
  if (micros % 1'000'000 != 0) return Cat(micros / 1000, "ms");
  std::string out;
  int64_t seconds = micros / 1'000'000;
  for (const auto& [name, size] : {std::pair<const char*, int64_t>{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}}) {
    if (seconds / size != 0) Append(out, seconds / size, name);
    seconds %= size;
  }
  return out;
}

Instant SystemClock::Now() const {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}
SteadyInstant SystemClock::Steady() const {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

Instant FakeClock::Now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}
SteadyInstant FakeClock::Steady() const {
  const std::lock_guard lock(mutex_);
  return steady_;
}
void FakeClock::Advance(Duration by) {
  const std::lock_guard lock(mutex_);
  now_ += by;
  steady_ += by;
}

}  // namespace sluice
