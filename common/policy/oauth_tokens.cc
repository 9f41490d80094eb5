#include "policy/oauth_tokens.h"

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "policy/json_answer.h"

namespace sluice {
namespace {

constexpr size_t kMostTokenBytes = 16 << 10;
constexpr int64_t kShortest = 600, kLongest = 86'400;  // Seconds; the first where none is said.

// It becomes a header field: printable ASCII (RFC 6749, appendix A.12).
bool IsToken(std::string_view text) {
  return text.size() <= kMostTokenBytes && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

absl::StatusOr<OauthTokens> ParseOauthTokens(std::string_view text) {
  ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonAnswer(text));
  if (const std::string error = JsonText(JsonMember(json, "error")); !error.empty()) {
    return absl::PermissionDeniedError(Cat("the token endpoint refuses: ", error));
  }
  OauthTokens out;
  out.access_token = JsonText(JsonMember(json, "access_token"), kMostTokenBytes + 1);
  out.refresh_token = JsonText(JsonMember(json, "refresh_token"), kMostTokenBytes + 1);
  if (out.access_token.empty()) return absl::InvalidArgumentError("the answer of the token endpoint has no access_token");
  if (!IsToken(out.access_token) || !IsToken(out.refresh_token)) {
    return absl::InvalidArgumentError("a token of the token endpoint has characters that no token has");
  }
  const nlohmann::json* expires = JsonMember(json, "expires_in");
  const int64_t seconds = expires != nullptr && expires->is_number_integer() ? expires->get<int64_t>() : kShortest;
  out.expires_in = std::chrono::seconds(std::clamp<int64_t>(seconds, 1, kLongest));
  return out;
}

}  // namespace sluice
