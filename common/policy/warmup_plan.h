// Warmup plans: ladders of attempts a day for one address. Those shipped (data/warmup_plans.yaml) and those of the policy document
// read the same. Pure.
//
// A plan has columns: catalogue names, `other`, and `*` for the address's total. Providers without a column of their own count
// together as `other`: they share one allowance. Where the plan has no `other` either, each column not named has the total's cap.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/policy_document.h"

namespace sluice {

inline constexpr std::string_view kWarmupTotal = "*";

// What is pinned on a source. The version rises when the plan of this name changes.
struct PinnedPlan {
  WarmupPlan plan;
  int version = 1;
};

// default, gentle, sendgrid, ses, sparkpost.
const std::vector<PinnedPlan>& ShippedWarmupPlans();
// nullptr when no shipped plan has the name.
const PinnedPlan* FindShippedPlan(std::string_view name);

int StageCount(const WarmupPlan& plan);
// The columns whose stages are judged, sorted; never empty, without `*`.
std::vector<std::string> ColumnsOf(const WarmupPlan& plan);
// The column that `provider` counts in.
std::string_view ColumnOf(const WarmupPlan& plan, std::string_view provider);
// Attempts a day; stages from 1. None = no cap: past the last stage, or the stage names neither the column nor a total.
std::optional<int64_t> CapOf(const WarmupPlan& plan, int stage, std::string_view column);

// One stage a line, for storage; and back. `google=100,other=50,*=200`.
std::string StagesText(const WarmupPlan& plan);
std::optional<WarmupPlan> PlanFromText(std::string_view name, std::string_view stages);

}  // namespace sluice
