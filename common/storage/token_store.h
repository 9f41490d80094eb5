// Refresh tokens that have rotated since a person signed in, as whoever polls has sealed them (scheduler/control/token_seal.h).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

struct RotatedToken {
  std::string seed = {};  // Digest of the token that the person got.
  std::string refresh_token = {};  // Sealed by that token.
  Instant rotated_at{};
};

// Thread-safe.
class TokenStore {
 public:
  virtual ~TokenStore() = default;
  virtual absl::StatusOr<std::optional<RotatedToken>> Find(const std::string& name) = 0;
  // In the place of the one before.
  virtual absl::Status Put(const std::string& name, const RotatedToken& token) = 0;
};
std::unique_ptr<TokenStore> MakeTokenStore(ConnectionPool& pool);

}  // namespace sluice::storage
