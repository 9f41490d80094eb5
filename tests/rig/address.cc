#include "rig/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/status.h"
#include "base/text.h"
#include "rig/command.h"

namespace sluice::rig {
namespace {

const sockaddr_in& V4(const sockaddr_storage& s) { return reinterpret_cast<const sockaddr_in&>(s); }
const sockaddr_in6& V6(const sockaddr_storage& s) {
  return reinterpret_cast<const sockaddr_in6&>(s);
}

}  // namespace

absl::StatusOr<SocketAddress> SocketAddress::Parse(std::string_view text) {
  const auto wrong = absl::InvalidArgumentError(Cat(Quoted(text), " is not ADDR:PORT"));
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  const auto port = ParseNumber(text.substr(colon + 1));
  std::string_view ip = text.substr(0, colon);
  if (!port || *port > 65535) return wrong;
  SocketAddress address;
  if (ip.starts_with('[') && ip.ends_with(']')) {
    ip = ip.substr(1, ip.size() - 2);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage_);
    v6.sin6_family = AF_INET6;
    if (inet_pton(AF_INET6, std::string(ip).c_str(), &v6.sin6_addr) != 1) return wrong;
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage_);
    v4.sin_family = AF_INET;
    if (inet_pton(AF_INET, std::string(ip).c_str(), &v4.sin_addr) != 1) return wrong;
  }
  address.set_port(static_cast<uint16_t>(*port));
  return address;
}

SocketAddress SocketAddress::Local(int fd) {
  SocketAddress address;
  socklen_t size = sizeof(address.storage_);
  // Cannot fail for a socket of ours; if it did, the address would read as unknown.
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage_), &size) != 0)
    return SocketAddress();
  return address;
}

SocketAddress SocketAddress::Of(const sockaddr_storage& storage) {
  SocketAddress address;
  address.storage_ = storage;
  return address;
}

std::string SocketAddress::ip() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = storage_.ss_family == AF_INET6
                          ? static_cast<const void*>(&V6(storage_).sin6_addr)
                          : static_cast<const void*>(&V4(storage_).sin_addr);
  const int family = storage_.ss_family == AF_INET6 ? AF_INET6 : AF_INET;
  return inet_ntop(family, bytes, text.data(), text.size()) ? text.data() : "unknown";
}

uint16_t SocketAddress::port() const {
  return ntohs(storage_.ss_family == AF_INET6 ? V6(storage_).sin6_port : V4(storage_).sin_port);
}

void SocketAddress::set_port(uint16_t port) {
  if (storage_.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(storage_).sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in&>(storage_).sin_port = htons(port);
  }
}

std::string SocketAddress::ToString() const {
  if (storage_.ss_family == AF_INET6) return Cat("[", ip(), "]:", port());
  return Cat(ip(), ":", port());
}

socklen_t SocketAddress::size() const {
  return storage_.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

absl::StatusOr<int> Listen(const SocketAddress& address, bool share) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  const bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                  (!share || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
                  ::bind(fd, address.data(), address.size()) == 0 && ::listen(fd, 4096) == 0;
  if (ok) return fd;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  return absl::UnavailableError(
      Cat("cannot listen on ", address.ToString(), ": ", std::strerror(error)));
}

}  // namespace sluice::rig
