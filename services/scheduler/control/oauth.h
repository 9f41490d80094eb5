// Access tokens by a refresh token that may rotate. A person's sign-in is one JSON file of a secret directory, which is only read:
// client_id, refresh_token, and client_secret where there is one. What the token endpoint gives in exchange is stored, sealed by the
// file's token (token_seal.h) and with a digest of it, so that the next owner of `control` goes on from it, and a new sign-in in the file
// is worth more than what is stored.
// The store is asked before the endpoint is: where it cannot be reached nothing rotates. Nothing is logged. Not thread-safe.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "scheduler/control/http_questions.h"
#include "storage/token_store.h"

namespace sluice::scheduler {

struct OauthOptions {
  std::string name;  // In the store.
  std::string credentials_file;
  std::string token_url;
  std::string scope = {};  // Empty = as granted.
};

class OauthTokenSource {
 public:
  OauthTokenSource(OauthOptions options, storage::TokenStore& store, AskHttp ask, const Clock& clock)
      : options_(std::move(options)), store_(store), ask_(std::move(ask)), clock_(clock) {}
  // The header field to send, `Authorization: Bearer …`. PermissionDenied: a person has to sign in again.
  absl::StatusOr<std::string> Header();
  // The server does not take it.
  void Forget() { access_token_.clear(); }

 private:
  absl::Status Refresh();
  // Of the file whose token has that digest: what was given last in exchange, else (also where it cannot be opened) the file's own.
  absl::StatusOr<std::string> Current(const std::string& seed, const std::string& from_file);
  absl::Status Keep();

  const OauthOptions options_;
  storage::TokenStore& store_;
  const AskHttp ask_;
  const Clock& clock_;
  std::string access_token_;
  SteadyInstant expires_at_{};
  std::optional<storage::RotatedToken> unstored_;
};

}  // namespace sluice::scheduler
