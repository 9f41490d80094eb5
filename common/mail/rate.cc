#include "mail/rate.h"

#include <array>
#include <charconv>

#include "base/status.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr int64_t kMostCount = 1'000'000'000'000'000;

struct Unit {
  std::string_view name;
  Duration per;
};
// The first name of a length is the one written.
constexpr std::array<Unit, 8> kUnits = {{{"s", std::chrono::seconds(1)},
                                         {"min", std::chrono::minutes(1)},
                                         {"h", std::chrono::hours(1)},
                                         {"d", std::chrono::hours(24)},
                                         {"sec", std::chrono::seconds(1)},
                                         {"m", std::chrono::minutes(1)},
                                         {"hr", std::chrono::hours(1)},
                                         {"day", std::chrono::hours(24)}}};

struct Magnitude {
  char letter;
  int64_t factor;
};
constexpr std::array<Magnitude, 3> kMagnitudes = {
    {{'G', 1'000'000'000}, {'M', 1'000'000}, {'k', 1'000}}};

}  // namespace

absl::StatusOr<int64_t> ParseCount(std::string_view text) {
  const std::string_view whole = text;
  int64_t factor = 1;
  for (const Magnitude& magnitude : kMagnitudes) {
    if (!text.empty() && text.back() == magnitude.letter) {
      factor = magnitude.factor;
      text.remove_suffix(1);
      break;
    }
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 ||
      value > kMostCount / factor) {
    return absl::InvalidArgumentError(
        Cat(Quoted(whole), " is not a count; write a whole number such as 1500, 20k or 2M"));
  }
  return value * factor;
}

std::string CountText(int64_t count) {
  for (const Magnitude& magnitude : kMagnitudes) {
    if (count != 0 && count % magnitude.factor == 0) {
      return Cat(count / magnitude.factor, magnitude.letter);
    }
  }
  return Cat(count);
}

absl::StatusOr<Rate> ParseRate(std::string_view text) {
  const auto wrong = [&] {
    return absl::InvalidArgumentError(
        Cat(Quoted(text), " is not a rate; write it as 500/s, 100/min, 2/h or 10k/d"));
  };
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return wrong();
  const auto count = ParseCount(text.substr(0, slash));
  if (!count.ok()) return wrong();
  if (*count == 0) {
    return absl::InvalidArgumentError(
        Cat(Quoted(text), " lets nothing through; suspend instead, or write at least 1"));
  }
  const std::string_view unit = text.substr(slash + 1);
  for (const Unit& known : kUnits) {
    if (known.name == unit) return Rate{*count, known.per};
  }
  if (unit.empty() || unit.front() < '0' || unit.front() > '9') return wrong();
  const auto per = ParseDuration(unit);
  if (!per.ok() || *per <= Duration::zero()) return wrong();
  return Rate{*count, *per};
}

std::string ToString(const Rate& rate) {
  for (const Unit& unit : kUnits) {
    if (unit.per == rate.per) return Cat(CountText(rate.count), "/", unit.name);
  }
  return Cat(CountText(rate.count), "/", ToString(rate.per));
}

}  // namespace sluice
