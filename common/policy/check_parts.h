// The parts of policy/check.h; nobody else includes this.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/text.h"
#include "mail/policy_document.h"
#include "policy/provider.h"

namespace sluice::check {

using NameIndex = std::unordered_map<std::string, int, StringHash, std::equal_to<>>;

// The document, its names, and what was found so far.
struct Findings {
  explicit Findings(const PolicyDocument& document);

  void Error(std::string path, std::string description);
  void Warn(std::string path, std::string description);
  // Of 1..64 letters, digits, '-', '_' or '.'.
  void CheckName(std::string_view name, const std::string& path);
  void CheckDomain(const std::string& domain, const std::string& path);
  // An empty name refers to nothing, which is fine here.
  void CheckReference(std::string_view name, const NameIndex& known, std::string_view kind,
                      const std::string& path);
  // A warning only: the catalogue grows, and a rule may be there before its provider is.
  void CheckProvider(std::string_view name, const std::string& path);
  void CheckBounds(const std::optional<int>& value, int least, int most, const std::string& path);

  const PolicyDocument& policy;
  const ProviderCatalogue catalogue;
  NameIndex tenants, streams, sources, pools, smart_hosts, retry_schedules, warmup_plans;
  std::vector<PolicyFinding> all;
};

void CheckTenants(Findings& findings);
void CheckStreams(Findings& findings);
void CheckSources(Findings& findings);
void CheckPools(Findings& findings);
void CheckOverflow(Findings& findings);
void CheckColdOverflow(Findings& findings);
void CheckSharedSources(Findings& findings);
void CheckRoutes(Findings& findings);
void CheckSmartHosts(Findings& findings);
void CheckShaping(Findings& findings);
void CheckAutomation(Findings& findings);
void CheckHealth(Findings& findings);
void CheckRetrySchedules(Findings& findings);
void CheckWarmupPlans(Findings& findings);
void CheckDkimKeys(Findings& findings);
void CheckTagHeaders(Findings& findings);
void CheckReplyRules(Findings& findings);
void CheckTheRest(Findings& findings);

}  // namespace sluice::check
