// The client's end: one channel with the limits that our servers have, keepalive that notices a
// dead peer, and quick reconnects. Every call over it still needs its own deadline.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "wire/credentials.h"

namespace grpc {
class Channel;
}

namespace sluice::wire {

struct ChannelOptions {
  CredentialsConfig credentials;
  // The name that the server's certificate must have, where the address is not that name; empty =
  // the address.
  std::string server_name = {};
  // A ping goes out after this much silence; the connection is closed when its answer takes longer
  // than the timeout. Servers refuse pings more frequent than every 5 s (wire/server.h).
  Duration keepalive_interval = std::chrono::seconds(10);
  Duration keepalive_timeout = std::chrono::seconds(5);
  Duration connect_timeout = std::chrono::seconds(5);
  Duration first_backoff = std::chrono::milliseconds(100);
  Duration most_backoff = std::chrono::seconds(2);
};

// Does not connect yet: the first call does. Each channel has a TCP connection of its own, so
// control and content never share one.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const ChannelOptions& options);

}  // namespace sluice::wire
