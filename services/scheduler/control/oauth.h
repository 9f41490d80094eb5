// Access tokens by a refresh token that may rotate. The credentials are one JSON file of a secret directory: client_id, refresh_token,
// and client_secret where there is one. Where tokens rotate a new one replaces the file (written whole, mode 0600, synced, renamed),
// because the old one may be worth nothing any more; that it can be written is made sure of before anything is asked. Nothing of it is
// logged or stored elsewhere. Not thread-safe.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "scheduler/control/http_questions.h"

namespace sluice::scheduler {

struct OauthOptions {
  std::string credentials_file;
  std::string token_url;
  std::string scope = {};  // Empty = as granted.
  bool rotates = false;    // The file is rewritten.
};

class OauthTokenSource {
 public:
  OauthTokenSource(OauthOptions options, AskHttp ask, const Clock& clock)
      : options_(std::move(options)), ask_(std::move(ask)), clock_(clock) {}
  // The header field to send, `Authorization: Bearer …`. PermissionDenied: a person has to sign in again, or the file cannot be written.
  absl::StatusOr<std::string> Header();
  // The server does not take it.
  void Forget() { access_token_.clear(); }

 private:
  absl::Status Refresh();
  absl::Status Replace(nlohmann::json credentials, int fd);

  const OauthOptions options_;
  const AskHttp ask_;
  const Clock& clock_;
  std::string access_token_;
  SteadyInstant expires_at_{};
};

}  // namespace sluice::scheduler
