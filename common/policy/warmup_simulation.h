// A warmup played through day by day against modelled providers: for `sluicectl warmup simulate` and the study in
// deploy/docs/warmup.md. The controller is the production code (policy/warmup.h); others are what they publish. Pure and
// deterministic for a seed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "policy/warmup_model.h"
#include "policy/warmup_plan.h"

namespace sluice {

struct TrafficShare {
  std::string provider;  // A column of the plan, or a provider of the catalogue.
  double share = 1;      // Of the volume.
  ProviderModel model = {};
};

struct WarmupScenario {
  WarmupPlan plan;
  int64_t volume = 100'000;  // Wanted a day.
  std::vector<TrafficShare> traffic;
  int days = 60;
  uint64_t seed = 1;
  // Times the usual bounces and complaints on a day (0 = the first); empty = always 1.
  std::function<double(int day)> risk = {};
};

// What one day may send to `provider`, where not our controller decides; `total` of the whole address. -1 = no limit.
struct FixedCaps {
  std::function<int64_t(int day, const std::string& provider)> provider;
  std::function<int64_t(int day)> total;
};

struct SimulatedDay {
  int day = 0;
  std::map<std::string, int> stages;
  WarmupCounts counts;      // Of all providers together.
  int64_t waiting = 0;      // Not sent by the end of the day: overflow, or tomorrow's.
  int suspended = 0;        // Providers to which nothing may be sent.
  int blocking = 0;         // Providers that refuse the address.
  std::map<std::string, WarmupCounts> by_provider;
};
struct Simulation {
  std::vector<SimulatedDay> days;
  int full_day = -1;        // First day on which 95 % of the volume was accepted and two days more stayed so; -1 = never.
  int blocks = 0;           // Times that a provider refused the address.
  WarmupCounts counts;
  int64_t delayed = 0;      // Message-days of waiting.
};

Simulation SimulateWarmup(const WarmupScenario& scenario);
Simulation SimulateFixed(const WarmupScenario& scenario, const FixedCaps& caps);

// Usual consumer traffic: google 40 %, Microsoft 25 %, yahoo 15 %, apple 10 %, other 10 %, each with a temper of its own.
std::vector<TrafficShare> UsualTraffic();

// `google=40,yahoo=20,other=40`: shares in any unit, of the usual tempers; providers without one of their own have that of `other`.
absl::StatusOr<std::vector<TrafficShare>> TrafficFromText(std::string_view text);

// Lines of a plot of `values` (one a day) on a logarithmic scale, for terminals.
std::string TerminalPlot(const std::vector<int64_t>& values, int height = 12);
struct PlotLine {
  std::string name;
  std::vector<int64_t> values;
};
// The same for several lines, as an SVG document.
std::string SvgPlot(const std::string& title, const std::vector<PlotLine>& lines);

}  // namespace sluice
