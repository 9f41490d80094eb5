"""warmup_plans.yaml as the plans that policy/warmup_plan.h declares."""
from compile import need, only_keys, text


def check(plan):
    only_keys(plan, ("name", "version", "from", "columns", "stages"), "plan")
    name, columns, stages = plan["name"], plan["columns"], plan["stages"]
    need(isinstance(plan["version"], int) and plan["version"] > 0, "%s.version: write a number from 1" % name)
    need("*" in columns and len(set(columns)) == len(columns), '%s.columns: each once, and "*" for the total' % name)
    for number, stage in enumerate(stages, 1):
        need(len(stage) == len(columns), "%s: stage %d has %d caps for %d columns" % (name, number, len(stage), len(columns)))
    for number, (before, after) in enumerate(zip(stages, stages[1:]), 2):
        need(all(0 < b <= a for b, a in zip(before, after)), "%s: stage %d is below the one before" % (name, number))


def lines(plan):
    order = sorted(range(len(plan["columns"])), key=lambda i: plan["columns"][i])
    yield "      {{.name = %s, .stages = {" % text(plan["name"])
    for stage in plan["stages"]:
        yield "          {%s}," % ", ".join("{%s, %d}" % (text(plan["columns"][i]), stage[i]) for i in order)
    yield "      }}, %d}," % plan["version"]


def generate(data):
    only_keys(data, ("plans",), "warmup_plans")
    for plan in data["plans"]:
        check(plan)
    return """#include "policy/warmup_plan.h"

namespace sluice {

const std::vector<PinnedPlan>& ShippedWarmupPlans() {
  static const std::vector<PinnedPlan> plans = {
%s
  };
  return plans;
}

}  // namespace sluice
""" % "\n".join(line for plan in data["plans"] for line in lines(plan))
