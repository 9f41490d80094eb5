// An answer of an OAuth 2.0 token endpoint (RFC 6749, sections 5.1 and 5.2). Pure; any bytes may come.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice {

struct OauthTokens {
  std::string access_token = {};
  std::string refresh_token = {};  // Empty = the old one stays.
  Duration expires_in{};           // Up to a day.
};
// PermissionDenied: the endpoint refuses; the error has its own code (`invalid_grant`), and no error ever has a token.
absl::StatusOr<OauthTokens> ParseOauthTokens(std::string_view json);

}  // namespace sluice
