// A refresh token as it may lie in a database and its backups: sealed with a key that is derived from the token it descends from, which
// is in the mounted credentials file alone (AES-256-GCM; HMAC-SHA-256 as the derivation, since a token is as random as a key). Whoever
// has only the database has nothing; whoever has the file has an older token of the same account anyway.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::scheduler {

// `name`: whose token it is; another name does not open it. Another text each time, printable.
std::string SealToken(std::string_view token, std::string_view secret, std::string_view name);
// DataLoss: sealed with another secret, for another name, changed since, or no sealed text at all.
absl::StatusOr<std::string> OpenToken(std::string_view sealed, std::string_view secret, std::string_view name);

}  // namespace sluice::scheduler
