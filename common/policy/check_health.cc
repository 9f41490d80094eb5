#include "policy/check_parts.h"
#include "policy/health.h"

namespace sluice::check {
namespace {

constexpr int kMostLeast = 1'000'000, kMostProbes = 1'000;
constexpr Duration kShortest = std::chrono::seconds(1), kDay = std::chrono::hours(24), kMonth = std::chrono::hours(24 * 31);

void CheckSpan(Findings& findings, const std::optional<Duration>& value, Duration most, const std::string& path) {
  if (!value || (*value >= kShortest && *value <= most)) return;
  findings.Error(path, Cat("must be from ", ToString(kShortest), " to ", ToString(most)));
}

void CheckShare(Findings& findings, const std::optional<double>& value, const std::string& path) {
  if (value && !(*value >= 0 && *value <= 1)) findings.Error(path, "must be from 0 to 1");
}

}  // namespace

void CheckHealth(Findings& findings) {
  std::set<std::string> seen;
  const auto& changes = findings.policy.health;
  for (size_t i = 0; i < changes.size(); ++i) {
    const HealthRulePolicy& change = changes[i];
    const std::string path = Cat("health[", i, "]");
    if (FindHealthRule(ShippedHealthRules(), change.rule) == nullptr) {
      findings.Error(path + ".rule", Cat(Quoted(change.rule), " is no rule of health; deploy/docs/reputation.md lists them"));
    } else if (!seen.insert(change.rule).second) {
      findings.Error(path + ".rule", Cat(Quoted(change.rule), " stands twice; put its fields into one"));
    }
    CheckSpan(findings, change.over, kDay, path + ".over");
    CheckSpan(findings, change.rest, kMonth, path + ".rest");
    CheckSpan(findings, change.longest_rest, kMonth, path + ".longest_rest");
    CheckSpan(findings, change.probe_every, kDay, path + ".probe_every");
    findings.CheckBounds(change.least, 1, kMostLeast, path + ".least");
    findings.CheckBounds(change.probes, 1, kMostProbes, path + ".probes");
    CheckShare(findings, change.share, path + ".share");
    CheckShare(findings, change.slow_to, path + ".slow_to");
  }
}

}  // namespace sluice::check
