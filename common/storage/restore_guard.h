// Mail that was sent after the backup was made must not go out again because a backup was restored: who starts on a restored
// database finds everything suspended until an operator lifts it.
#pragma once

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "storage/connection.h"

namespace sluice::storage {

// The rule of the constraint that holds everything.
inline constexpr const char* kRestoredRule = "restored";

// Compares who the database says it is with what it was when schedulers last ran on it, and suspends everything when it is another
// one. To be called after Migrate and before anything is released. True when it has just been suspended.
absl::StatusOr<bool> HoldIfRestored(const ConnectionOptions& options, Instant now);

}  // namespace sluice::storage
