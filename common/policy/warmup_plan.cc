#include "policy/warmup_plan.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/text.h"

namespace sluice {
namespace {

constexpr std::string_view kOther = "other";

const int64_t* Find(const WarmupPlan::StageCaps& caps, std::string_view column) {
  for (const auto& [name, cap] : caps) {
    if (name == column) return &cap;
  }
  return nullptr;
}

bool Names(const WarmupPlan& plan, std::string_view column) {
  return std::any_of(plan.stages.begin(), plan.stages.end(),
                     [&](const WarmupPlan::StageCaps& caps) { return Find(caps, column) != nullptr; });
}

// Calls `take` with each part between separators.
template <class Take>
bool Split(std::string_view text, char separator, Take take) {
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (!take(text.substr(0, end))) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

}  // namespace

const PinnedPlan* FindShippedPlan(std::string_view name) {
  const auto& plans = ShippedWarmupPlans();
  const auto found = std::find_if(plans.begin(), plans.end(), [&](const PinnedPlan& p) { return p.plan.name == name; });
  return found == plans.end() ? nullptr : &*found;
}

int StageCount(const WarmupPlan& plan) { return static_cast<int>(plan.stages.size()); }

std::vector<std::string> ColumnsOf(const WarmupPlan& plan) {
  std::set<std::string> columns{std::string(kOther)};
  for (const WarmupPlan::StageCaps& caps : plan.stages) {
    for (const auto& [name, cap] : caps) {
      if (name != kWarmupTotal) columns.insert(name);
    }
  }
  return {columns.begin(), columns.end()};
}

std::string_view ColumnOf(const WarmupPlan& plan, std::string_view provider) {
  return Names(plan, provider) ? provider : kOther;
}

std::optional<int64_t> CapOf(const WarmupPlan& plan, int stage, std::string_view column) {
  if (stage < 1 || stage > StageCount(plan)) return std::nullopt;
  const WarmupPlan::StageCaps& caps = plan.stages[static_cast<size_t>(stage - 1)];
  if (const int64_t* cap = Find(caps, column)) return *cap;
  if (const int64_t* total = Find(caps, kWarmupTotal)) return *total;
  // Without a total the columns together are one.
  if (column != kWarmupTotal) return std::nullopt;
  int64_t sum = 0;
  for (const auto& [name, cap] : caps) sum += cap;
  return sum;
}

std::string StagesText(const WarmupPlan& plan) {
  std::string text;
  for (const WarmupPlan::StageCaps& caps : plan.stages) {
    if (!text.empty()) text += '\n';
    for (size_t i = 0; i < caps.size(); ++i) Append(text, i == 0 ? "" : ",", caps[i].first, '=', caps[i].second);
  }
  return text;
}

std::optional<WarmupPlan> PlanFromText(std::string_view name, std::string_view stages) {
  WarmupPlan plan{.name = std::string(name), .stages = {}};
  const bool sound = Split(stages, '\n', [&](std::string_view line) {
    WarmupPlan::StageCaps& caps = plan.stages.emplace_back();
    return Split(line, ',', [&](std::string_view part) {
      const size_t equals = part.rfind('=');
      if (equals == std::string_view::npos) return false;
      int64_t cap = 0;
      const char* end = part.data() + part.size();
      if (std::from_chars(part.data() + equals + 1, end, cap).ptr != end) return false;
      caps.emplace_back(part.substr(0, equals), cap);
      return true;
    });
  });
  if (!sound || plan.stages.empty()) return std::nullopt;
  return plan;
}

}  // namespace sluice
