// Asking a server how it is (grpc.health.v1), as wire/server.h answers.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace grpc {
class Channel;
}

namespace sluice::wire {

// Whether the server as a whole says SERVING. An error: it did not answer within `timeout`.
absl::StatusOr<bool> IsServing(const std::shared_ptr<grpc::Channel>& channel, Duration timeout);

}  // namespace sluice::wire
