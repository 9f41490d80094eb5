#include "policy/reply_text.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sluice {
namespace {

re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Takes `what` out wherever it begins a word.
void RemoveWords(std::string& text, std::string_view what, size_t from) {
  for (size_t at = text.find(what, from); at != std::string::npos; at = text.find(what, at + 1)) {
    while (at > 0 && text[at - 1] == ' ' && text.compare(at, what.size(), what) == 0) {
      text.erase(at, what.size());
    }
  }
}

Duration UnitOf(char first) {
  if (first == 'h') return std::chrono::hours(1);
  return first == 'm' ? Duration(std::chrono::minutes(1)) : Duration(std::chrono::seconds(1));
}

// Longer than what any peer means, so that sums stay far from overflow.
constexpr int64_t kMostNumber = 10'000'000;
constexpr Duration kMargin = std::chrono::seconds(10);

}  // namespace

std::string MatchText(const SmtpReply& reply) {
  std::string head = Cat(reply.code);
  if (reply.enhanced) Append(head, ' ', ToString(*reply.enhanced));
  std::string text = Cat(head, reply.text.empty() ? "" : " ", Lower(reply.text));
  if (reply.enhanced) {
    const std::string status = ToString(*reply.enhanced);
    for (const char glue : {'-', ' '}) {
      RemoveWords(text, Cat(reply.code, glue, status, ' '), head.size());
    }
  }
  RemoveWords(text, Cat(reply.code, '-'), head.size());
  return text;
}

std::optional<Duration> ParseRetryAfter(std::string_view text) {
  static const RE2 kUnits(
      R"((?:again|retry|retried|come back|resend|wait|gr[ea]y-?list(?:ed|ing)?)[a-z ,:.'(-]{0,40}?(?:in|after|for|wait|least)? ?(\d{1,7}) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b)");
  static const RE2 kClock(
      R"((?:again|retry|retried|come back|resend|wait|gr[ea]y-?list(?:ed|ing)?)[a-z ,:.'(-]{0,40}?(?:in|after|for) (?:(\d{1,2}):)?(\d{1,2}):(\d{2})\b)");
  int64_t number = 0;
  std::string unit, hours;
  int minutes = 0, seconds = 0;
  Duration asked{};
  if (RE2::PartialMatch(Piece(text), kUnits, &number, &unit)) {
    asked = UnitOf(unit.front()) * std::min(number, kMostNumber);
  } else if (RE2::PartialMatch(Piece(text), kClock, &hours, &minutes, &seconds)) {
    asked = std::chrono::hours(hours.empty() ? 0 : std::stoi(hours)) +
            std::chrono::minutes(minutes) + std::chrono::seconds(seconds);
  } else {
    return std::nullopt;
  }
  return std::clamp<Duration>(asked + kMargin, std::chrono::seconds(1) + kMargin, kMostRetryAfter);
}

Culprit FindCulprit(std::string_view text, std::string& name) {
  // The particular before the general: each names its address in passing, too.
  static constexpr std::array<std::pair<std::string_view, Culprit>, 5> kWords = {{
      {"ip netblock", Culprit::kNetblock},
      {"dkim domain", Culprit::kDkimDomain},
      {"spf domain", Culprit::kSpfDomain},
      {"url domains", Culprit::kUrlDomains},
      {"your ip address", Culprit::kAddress},
  }};
  static const RE2 kName(R"(^ \[ ?([^ \]]{1,255}))");
  for (const auto& [word, culprit] : kWords) {
    const size_t at = text.find(word);
    if (at == std::string_view::npos) continue;
    RE2::PartialMatch(Piece(text.substr(at + word.size())), kName, &name);
    return culprit;
  }
  return Culprit::kNone;
}

}  // namespace sluice
