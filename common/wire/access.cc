#include "wire/access.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "wire/call_log.h"

namespace sluice::wire {
namespace {

struct Rule {
  std::string_view path;
  Role role;  // The least of the three for people; exactly this one for processes.
};

constexpr std::string_view kPackage = "/sluice.v1.";

// In the order of the protos.
constexpr auto kRules = std::to_array<Rule>({
    {"AdminService/ValidatePolicy", Role::kViewer},
    {"AdminService/ApplyPolicy", Role::kAdmin},
    {"AdminService/GetPolicy", Role::kViewer},
    {"AdminService/ListPolicyRevisions", Role::kViewer},
    {"AdminService/ExplainRoute", Role::kViewer},
    {"AdminService/GetStatus", Role::kViewer},
    {"AdminService/ListSources", Role::kViewer},
    {"AdminService/Suspend", Role::kOperator},
    {"AdminService/Resume", Role::kOperator},
    {"AdminService/ListConstraints", Role::kViewer},
    {"AdminService/ListQueue", Role::kViewer},
    {"AdminService/SummarizeQueue", Role::kViewer},
    {"AdminService/StartOperation", Role::kOperator},
    {"AdminService/GetOperation", Role::kViewer},
    {"AdminService/ListOperations", Role::kViewer},
    {"AdminService/StopOperation", Role::kOperator},
    {"AdminService/GetWarmup", Role::kViewer},
    {"AdminService/UpdateWarmup", Role::kOperator},
    {"AdminService/ListWarmupEvents", Role::kViewer},
    {"AdminService/ListReputation", Role::kViewer},
    {"AdminService/OverrideHealth", Role::kOperator},
    {"AdminService/ReportFeedback", Role::kOperator},
    {"AdminService/ListSuppressions", Role::kViewer},
    {"AdminService/UpdateSuppressions", Role::kOperator},
    {"AdminService/CreateApiKey", Role::kAdmin},
    {"AdminService/ListApiKeys", Role::kViewer},
    {"AdminService/RevokeApiKey", Role::kAdmin},
    {"AdminService/LimitApiKey", Role::kAdmin},
    {"IntakeService/Handoff", Role::kIngest},
    {"IntakeService/CancelEntries", Role::kIngest},
    {"DispatchService/Control", Role::kEgress},
    {"DispatchService/Deliver", Role::kEgress},
    {"TlsReportService/ListTlsResults", Role::kViewer},
    {"TraceService/Trace", Role::kOperator},
});

constexpr auto kRoles =
    std::to_array<Role>({Role::kViewer, Role::kOperator, Role::kAdmin, Role::kIngest, Role::kEgress});

bool IsPerson(Role role) { return role <= Role::kAdmin; }

// Goes by something else than certificates.
bool IsOpen(std::string_view path) {
  return IsHousekeeping(path) || path.starts_with("/sluice.v1.SubmissionService/") || path.starts_with("/sluice.v1.EventService/");
}

absl::Status Denied(std::string_view path, std::string_view why) {
  if (path.starts_with('/')) path.remove_prefix(1);
  return absl::PermissionDeniedError(Cat(path, " ", why));
}

}  // namespace

std::string_view ToString(Role role) {
  switch (role) {
    case Role::kViewer:
      return "viewer";
    case Role::kOperator:
      return "operator";
    case Role::kAdmin:
      return "admin";
    case Role::kIngest:
      return "ingest";
    case Role::kEgress:
      return "egress";
  }
  return "";
}

std::string ToString(const Identity& identity) { return Cat(ToString(identity.role), ".", identity.host); }

std::optional<Identity> IdentityOf(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const size_t dot = name.find('.');
    if (dot == std::string::npos || dot + 1 == name.size()) continue;
    const std::string_view first = std::string_view(name).substr(0, dot);
    const auto role = std::find_if(kRoles.begin(), kRoles.end(), [&](Role r) { return ToString(r) == first; });
    if (role != kRoles.end()) return Identity{*role, name.substr(dot + 1)};
  }
  return std::nullopt;
}

absl::Status Authorize(std::string_view path, const std::optional<Identity>& caller) {
  if (IsOpen(path)) return absl::OkStatus();
  const std::string_view method = path.starts_with(kPackage) ? path.substr(kPackage.size()) : "";
  const auto rule = std::find_if(kRules.begin(), kRules.end(), [&](const Rule& r) { return r.path == method; });
  if (rule == kRules.end()) return Denied(path, "is open to nobody");
  if (!caller.has_value()) {
    return Denied(path, Cat("needs a certificate that names '", ToString(rule->role), ".<name>'"));
  }
  const bool may = IsPerson(rule->role) ? IsPerson(caller->role) && caller->role >= rule->role : caller->role == rule->role;
  if (may) return absl::OkStatus();
  return Denied(path, Cat("needs the role '", ToString(rule->role), "'; '", ToString(*caller), "' has another"));
}

}  // namespace sluice::wire
