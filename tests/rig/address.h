// Socket addresses as the rig's command lines and records write them: 127.0.0.1:2525, [::1]:2525.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::rig {

class SocketAddress {
 public:
  // An error quotes what was wrong. Numeric addresses only.
  static absl::StatusOr<SocketAddress> Parse(std::string_view text);
  static SocketAddress Local(int fd);
  static SocketAddress Of(const sockaddr_storage& storage);

  std::string ip() const;
  uint16_t port() const;
  void set_port(uint16_t port);
  std::string ToString() const;
  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const;
  int family() const { return storage_.ss_family; }

 private:
  sockaddr_storage storage_{};
};

// A listening, non-blocking socket. `share` sets SO_REUSEPORT, for one socket a thread.
absl::StatusOr<int> Listen(const SocketAddress& address, bool share);

}  // namespace sluice::rig
