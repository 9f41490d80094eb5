// MTA-STS (RFC 8461) as values: the TXT record that announces a policy and the policy itself, both
// read from bytes of the network. Fetching and keeping them is net/sts_policies.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice {

enum class StsMode : uint8_t { kNone, kTesting, kEnforce };
std::string_view ToString(StsMode mode);

struct StsPolicy {
  StsMode mode = StsMode::kNone;
  std::vector<std::string> mx;  // lower case; `*.` in front stands for one label; kMaxStsMx at most
  std::chrono::seconds max_age{0};

  friend bool operator==(const StsPolicy&, const StsPolicy&) = default;
};
constexpr size_t kMaxStsPolicyBytes = 64 * 1024;
constexpr size_t kMaxStsMx = 200;
constexpr std::chrono::seconds kMaxStsAge{31557600};  // RFC 8461 §3.2

// The id that the TXT records of `_mta-sts.DOMAIN` announce (RFC 8461 §3.1), each the joined
// strings of one record; nullopt when the domain has no MTA-STS: none of them, or more than one, is
// such a record, or it is malformed.
std::optional<std::string> FindStsId(const std::vector<std::string>& texts);

// The body of the policy (RFC 8461 §3.2). InvalidArgument says what is wrong.
[[nodiscard]] absl::StatusOr<StsPolicy> ParseStsPolicy(std::string_view body);

// Whether the policy names the MX `host` (any case, no trailing dot; RFC 8461 §4.1).
bool NamesMx(const StsPolicy& policy, std::string_view host);

}  // namespace sluice
