// Who may call what where callers are known by a certificate (mutual TLS). A certificate of ours names `<role>.<host or person>`:
// `egress.mta1`, `operator.alice`. The table in access.cc has a row for every method that is not public; one without a row is
// refused, so a new method is closed until somebody decides.
//
//   viewer ⊂ operator ⊂ admin        people and their tools, on AdminService
//   ingest, egress                   our own processes, each on its service
//
// Public methods (SubmissionService, EventService) go by API keys instead; health and reflection are open to whoever gets in.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace sluice::wire {

enum class Role { kViewer, kOperator, kAdmin, kIngest, kEgress };
std::string_view ToString(Role role);

struct Identity {
  Role role = Role::kViewer;
  std::string host;  // Or person: what stands behind the first dot.
};
std::string ToString(const Identity& identity);  // `operator.alice`
// The first of a certificate's names that is one of ours; nothing when none is.
std::optional<Identity> IdentityOf(const std::vector<std::string>& names);

// `path` is `/sluice.v1.AdminService/GetPolicy`. PermissionDenied names the roles that may.
absl::Status Authorize(std::string_view path, const std::optional<Identity>& caller);

}  // namespace sluice::wire
