// The gRPC channels of a link.
#pragma once

#include "absl/status/statusor.h"
#include "egress/dialer.h"
#include "egress/scheduler_link.h"
#include "wire/credentials.h"

namespace sluice::egress {

// Does not connect yet. An error names the option to set.
[[nodiscard]] absl::StatusOr<SchedulerLink::Channels> MakeChannels(
    const wire::CredentialsConfig& credentials, const DialTarget& target);

}  // namespace sluice::egress
