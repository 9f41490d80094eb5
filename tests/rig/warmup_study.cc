// The study of deploy/docs/warmup.md: Sluice's controller and what others publish, against the same modelled providers with the same
// seeds. Prints the tables and writes the plots: `sluice-warmup-study DIRECTORY`.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "base/text.h"
#include "policy/warmup_simulation.h"

namespace sluice {
namespace {

constexpr int kDays = 90;
constexpr uint64_t kSeeds = 20;

struct World {
  std::string name, title;
  std::function<WarmupScenario()> make;
};

WarmupScenario Base(int64_t volume) {
  WarmupScenario scenario;
  scenario.plan = FindShippedPlan("default")->plan;
  scenario.volume = volume;
  scenario.traffic = UsualTraffic();
  scenario.days = kDays;
  return scenario;
}

std::vector<World> Worlds() {
  const auto usual = [] { return Base(100'000); };
  const auto strict = [] {
    WarmupScenario scenario = Base(100'000);
    for (TrafficShare& share : scenario.traffic) {
      share.model.growth = 1.0 + (share.model.growth - 1) * 0.4;
      share.model.late_growth = 1.0 + (share.model.late_growth - 1) * 0.4;
      share.model.overrun_cost = 0.9;
    }
    return scenario;
  };
  const auto incident = [] {
    WarmupScenario scenario = Base(100'000);
    // A bad list goes out on days 12 and 13.
    scenario.risk = [](int day) { return day == 12 || day == 13 ? 25.0 : 1.0; };
    return scenario;
  };
  const auto small = [] { return Base(5'000); };
  return {{"usual", "100,000 a day, usual providers", usual},
          {"strict", "100,000 a day, providers that allow 40 % of the usual growth", strict},
          {"incident", "100,000 a day, a bad list on days 12 and 13", incident},
          {"small", "5,000 a day, usual providers", small}};
}

struct Contender {
  std::string name;
  std::function<Simulation(const WarmupScenario&)> run;
};

FixedCaps TotalOnly(std::function<int64_t(int)> total) {
  return {.provider = [](int, const std::string&) { return int64_t{-1}; }, .total = std::move(total)};
}

int64_t Ladder(const char* plan, int stage) { return CapOf(FindShippedPlan(plan)->plan, stage, kWarmupTotal).value_or(-1); }

// SparkPost: the next stage only after a day with 90 % of the stage delivered; it never goes back.
Simulation SparkPost(const WarmupScenario& scenario) {
  int stage = 1;
  Simulation last;
  std::vector<int64_t> caps;
  // Day by day: the caps of the days before decide, so each day is the same run, one day longer.
  for (int day = 0; day < scenario.days; ++day) {
    caps.push_back(Ladder("sparkpost", stage));
    WarmupScenario until = scenario;
    until.days = day + 1;
    last = SimulateFixed(until, TotalOnly([&](int d) { return caps[static_cast<size_t>(d)]; }));
    const int64_t cap = caps.back();
    if (cap >= 0 && static_cast<double>(last.days.back().counts.accepted) >= 0.9 * static_cast<double>(cap)) ++stage;
  }
  return last;
}

std::vector<Contender> Contenders() {
  return {{"Sluice default", [](const WarmupScenario& s) { return SimulateWarmup(s); }},
          {"Sluice gentle", [](WarmupScenario s) { s.plan = FindShippedPlan("gentle")->plan; return SimulateWarmup(s); }},
          {"static 500/day", [](const WarmupScenario& s) { return SimulateFixed(s, TotalOnly([](int) { return int64_t{500}; })); }},
          // A cold VMTA takes the day's first N, N doubled by hand each week from 1,000.
          {"first-N, doubled weekly",
           [](const WarmupScenario& s) { return SimulateFixed(s, TotalOnly([](int day) { return int64_t{1'000} << (day / 7); })); }},
          {"x1.4 a day (SendGrid)",
           [](const WarmupScenario& s) { return SimulateFixed(s, TotalOnly([](int day) { return Ladder("sendgrid", day + 1); })); }},
          {"45 days (SES)",
           [](const WarmupScenario& s) { return SimulateFixed(s, TotalOnly([](int day) { return Ladder("ses", day + 1); })); }},
          {"30 stages (SparkPost)", SparkPost}};
}

struct Row {
  int reached = 0;
  double full_day = 0, deferred = 0, blocks = 0, bounced = 0, delay = 0;
};

std::string Fixed(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

void Study(const World& world, const std::string& directory) {
  std::printf("### %s\n\n", world.title.c_str());
  std::printf("| schedule | days to full volume | deferred | blocks | accepted in %d days | mean wait, days of the volume |\n", kDays);
  std::printf("| --- | --- | --- | --- | --- | --- |\n");
  std::vector<PlotLine> lines;
  for (const Contender& contender : Contenders()) {
    Row row;
    double accepted = 0, attempted = 0, volume = 0;
    PlotLine line{.name = contender.name, .values = {}};
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      WarmupScenario scenario = world.make();
      scenario.seed = seed;
      const Simulation run = contender.run(scenario);
      if (run.full_day >= 0) {
        ++row.reached;
        row.full_day += run.full_day;
      }
      row.blocks += run.blocks;
      row.deferred += static_cast<double>(run.counts.throttled);
      row.delay += static_cast<double>(run.delayed);
      attempted += static_cast<double>(run.counts.attempted);
      accepted += static_cast<double>(run.counts.accepted);
      volume += static_cast<double>(scenario.volume) * kDays;
      if (seed == 1) {
        for (const SimulatedDay& day : run.days) line.values.push_back(day.counts.accepted);
      }
    }
    const std::string full = row.reached == 0 ? "never"
                             : Cat(Fixed(row.full_day / row.reached, 0), row.reached < static_cast<int>(kSeeds) ? Cat(" (", row.reached, " of ", kSeeds, " runs)") : "");
    std::printf("| %s | %s | %s %% | %s | %s %% | %s |\n", contender.name.c_str(), full.c_str(), Fixed(100 * row.deferred / attempted, 1).c_str(),
                Fixed(row.blocks / kSeeds, 1).c_str(), Fixed(100 * accepted / volume, 0).c_str(), Fixed(row.delay / volume, 2).c_str());
    lines.push_back(std::move(line));
  }
  std::printf("\n![%s](warmup/%s.svg)\n\n", world.title.c_str(), world.name.c_str());
  std::ofstream(directory + "/" + world.name + ".svg") << SvgPlot(Cat("Accepted a day: ", world.title), lines);
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: sluice-warmup-study DIRECTORY   (the plots go there)\n");
    return 2;
  }
  for (const sluice::World& world : sluice::Worlds()) sluice::Study(world, argv[1]);
  return 0;
}
