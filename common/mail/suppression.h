// An address that is not sent to, for one tenant or for all. Addresses compare without case, also
// in the local part: no mailbox provider tells them apart, and a complaint must not be missed over a
// capital letter.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice {

enum class SuppressionReason : uint8_t { kBounce, kComplaint, kUnsubscribe, kManual };
std::string_view ToString(SuppressionReason reason);
std::optional<SuppressionReason> ParseSuppressionReason(std::string_view name);

struct Suppression {
  std::string tenant{};   // Empty = all tenants.
  std::string address{};  // Canonical; empty = erased, only its hash is left.
  SuppressionReason reason = SuppressionReason::kManual;
  std::string detail{};  // What a person should read: the reply, the feedback, the operator's words.
  Instant created_at{};
  std::optional<Instant> expires_at{};  // Absent = until removed.
};

// The address as suppressions know it: a valid mailbox in lower case (ASCII). The error names the
// cure.
[[nodiscard]] absl::StatusOr<std::string> SuppressedAddress(std::string_view address);

// SHA-256 of the canonical address: what stays when the address itself is erased.
using AddressHash = std::array<uint8_t, 32>;
// Any valid address; letter case does not matter.
AddressHash HashAddress(std::string_view address);

}  // namespace sluice
