#include "policy/postmaster_summary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "policy/confidence.h"

namespace sluice {
namespace {

constexpr double kZ = 1.645;                 // 95 %, one side.
constexpr double kFewest = 20;               // Errors that say anything of a day.
constexpr double kMostMessages = 1e12;       // Of a day; beyond it a number is nonsense.

bool IsShare(double value) { return value >= 0 && value <= 1; }

const PostmasterValue* OfDay(const PostmasterStats& stats, std::string_view metric, std::string_view date) {
  const auto found = std::find_if(stats.values.begin(), stats.values.end(),
                                  [&](const PostmasterValue& value) { return value.metric == metric && value.date == date; });
  return found == stats.values.end() ? nullptr : &*found;
}

// A share and how many it was say of how many.
double Surely(double share, double count) {
  if (share <= 0 || count < kFewest || count > kMostMessages * share) return 0;
  return WilsonLower(std::llround(count), std::llround(count / share), kZ);
}

std::string Reasons(const PostmasterStats& stats, std::string_view kind, std::string_view date) {
  const std::string prefix = Cat(kind, "_"), count = Cat(kind, "_count");
  std::vector<const PostmasterValue*> found;
  for (const PostmasterValue& value : stats.values) {
    if (value.date == date && value.metric.starts_with(prefix) && value.metric != count && value.value > 0) found.push_back(&value);
  }
  std::sort(found.begin(), found.end(), [](const auto* a, const auto* b) { return a->value > b->value; });
  std::string out;
  for (const PostmasterValue* one : found) {
    Append(out, out.empty() ? "" : ", ", one->metric.substr(prefix.size()), " ", SharePercent(one->value));
  }
  return out;
}

// It becomes a part of a filter.
bool CanBeAsked(std::string_view id) {
  return std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\\'; });
}

}  // namespace

std::string SharePercent(double share) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f %%", share * 100);
  return text.data();
}

std::optional<PostmasterErrorDay> LatestPostmasterErrors(const PostmasterStats& stats, std::string_view kind) {
  const PostmasterValue* share = LatestPostmasterValue(stats, kind);
  if (share == nullptr || !IsShare(share->value)) return std::nullopt;
  PostmasterErrorDay out{.date = share->date, .share = share->value, .reasons = Reasons(stats, kind, share->date)};
  const PostmasterValue* count = OfDay(stats, Cat(kind, "_count"), share->date);
  if (count != nullptr && count->value >= 0 && count->value <= kMostMessages) {
    out.count = std::llround(count->value);
    out.surely = Surely(out.share, count->value);
  }
  return out;
}

std::vector<std::string> PostmasterLoopIdsOf(const PostmasterStats& stats, size_t most) {
  std::vector<const PostmasterTexts*> days;
  for (const PostmasterTexts& list : stats.lists) {
    if (list.metric == "loop_ids") days.push_back(&list);
  }
  std::stable_sort(days.begin(), days.end(), [](const auto* a, const auto* b) { return a->date > b->date; });
  std::vector<std::string> out;
  for (const PostmasterTexts* day : days) {
    for (const std::string& id : day->texts) {
      if (out.size() >= most) return out;
      if (CanBeAsked(id) && std::find(out.begin(), out.end(), id) == out.end()) out.push_back(id);
    }
  }
  return out;
}

std::vector<PostmasterLoop> PostmasterLoopsOf(const PostmasterStats& stats, std::span<const std::string> ids) {
  std::vector<PostmasterLoop> out;
  for (size_t i = 0; i < ids.size(); ++i) {
    const PostmasterValue* value = LatestPostmasterValue(stats, Cat("loop_", i));
    if (value != nullptr && IsShare(value->value)) out.push_back({ids[i], value->date, value->value});
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.spam_rate > b.spam_rate; });
  return out;
}

}  // namespace sluice
