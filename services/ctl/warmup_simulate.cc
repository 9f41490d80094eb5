#include <fstream>
#include <ostream>

#include "base/text.h"
#include "ctl/output.h"
#include "ctl/policy_file.h"
#include "ctl/verbs.h"
#include "policy/warmup_simulation.h"
#include "sluice/v1/policy.pb.h"
#include "wire/policy_convert.h"

namespace sluice::ctl {
namespace {

void PrintDays(const Context& context, const Simulation& run) {
  std::vector<std::string> head = {"DAY"};
  for (const auto& [provider, stage] : run.days.front().stages) head.push_back(provider);
  for (const char* name : {"ATTEMPTED", "ACCEPTED", "DEFERRED", "BOUNCED", "NOT SENT", "SUSPENDED", "BLOCKING"}) head.emplace_back(name);
  Table table(head);
  for (const SimulatedDay& day : run.days) {
    std::vector<std::string> row = {Cat(day.day)};
    for (const auto& [provider, stage] : day.stages) row.push_back(Cat(stage));
    for (const int64_t n : {day.counts.attempted, day.counts.accepted, day.counts.deferred, day.counts.bounced, day.waiting,
                            int64_t{day.suspended}, int64_t{day.blocking}}) {
      row.push_back(Cat(n));
    }
    table.Add(std::move(row));
  }
  table.Print(context.io.out);
}

}  // namespace

int WarmupSimulate(const Context& context, const WarmupOptions& options) {
  WarmupScenario scenario{.plan = {}, .volume = options.volume, .traffic = UsualTraffic(), .days = options.days, .seed = options.seed};
  if (!options.file.empty()) {
    v1::Policy policy;
    if (const int code = ReadPolicyFile(context, options.file, &policy); code != kOk) return code;
    PolicyDocument document;
    wire::ValidatePolicy(policy, &document);
    for (const WarmupPlan& plan : document.warmup_plans) {
      if (plan.name == options.plan) scenario.plan = plan;
    }
  } else if (const PinnedPlan* shipped = FindShippedPlan(options.plan)) {
    scenario.plan = shipped->plan;
  }
  if (scenario.plan.stages.empty()) {
    std::string names;
    for (const PinnedPlan& plan : ShippedWarmupPlans()) Append(names, names.empty() ? "" : ", ", plan.plan.name);
    return RefuseUsage(context, Cat("--plan: there is no plan ", Quoted(options.plan), options.file.empty() ? "" : " in that file",
                                    "; shipped are ", names));
  }
  if (!options.traffic.empty()) {
    absl::StatusOr<std::vector<TrafficShare>> traffic = TrafficFromText(options.traffic);
    if (!traffic.ok()) return RefuseUsage(context, Cat("--traffic: ", View(traffic.status().message())));
    scenario.traffic = *std::move(traffic);
  }
  for (TrafficShare& share : scenario.traffic) {
    share.model.growth = 1 + (share.model.growth - 1) * options.growth;
    share.model.late_growth = 1 + (share.model.late_growth - 1) * options.growth;
  }
  const Simulation run = SimulateWarmup(scenario);
  PrintDays(context, run);
  PlotLine line{.name = options.plan, .values = {}};
  for (const SimulatedDay& day : run.days) line.values.push_back(day.counts.accepted);
  context.io.out << "\naccepted a day\n" << TerminalPlot(line.values);
  context.io.out << (run.full_day < 0 ? Cat("full volume not reached within ", options.days, " days") : Cat("full volume on day ", run.full_day))
                 << "; blocked " << run.blocks << " times\n";
  if (options.svg.empty()) return kOk;
  std::ofstream file(options.svg);
  file << SvgPlot(Cat("Accepted a day, ", options.volume, " wanted"), {line});
  file.close();
  return file ? kOk : RefuseUsage(context, Cat("--svg: ", options.svg, " cannot be written"));
}

}  // namespace sluice::ctl
