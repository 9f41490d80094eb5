#include "egress/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.h"

namespace sluice::egress {

std::vector<BindResult> Addresses::Assign(std::vector<AssignedSource> sources, SteadyInstant now) {
  std::vector<State> next;
  std::vector<BindResult> results;
  for (AssignedSource& source : sources) {
    const auto known = std::find_if(states_.begin(), states_.end(), [&](const State& state) {
      return state.source.name == source.name;
    });
    if (known != states_.end() && known->source.epoch > source.epoch) source = known->source;
    State state{.source = std::move(source), .bound = {}, .tested_at = now};
    state.bound = Test(state.source);
    results.push_back({state.source.name, state.source.epoch, state.bound});
    next.push_back(std::move(state));
  }
  states_ = std::move(next);
  return results;
}

std::vector<BindResult> Addresses::Lost(const SourceName& source, const absl::Status& error,
                                        SteadyInstant now) {
  for (State& state : states_) {
    if (state.source.name != source || !state.bound.ok()) continue;
    state.bound = error;
    state.tested_at = now;
    return {{source, state.source.epoch, error}};
  }
  return {};
}

std::vector<BindResult> Addresses::Retry(SteadyInstant now) {
  std::vector<BindResult> results;
  for (State& state : states_) {
    if (state.bound.ok() || now - state.tested_at < kRetryInterval) continue;
    state.tested_at = now;
    state.bound = Test(state.source);
    if (state.bound.ok()) results.push_back({state.source.name, state.source.epoch, state.bound});
  }
  return results;
}

std::vector<AssignedSource> Addresses::Usable() const {
  std::vector<AssignedSource> usable;
  for (const State& state : states_) {
    if (state.bound.ok()) usable.push_back(state.source);
  }
  return usable;
}

absl::Status Addresses::Test(const AssignedSource& source) const {
  if (source.proxy.has_value()) return absl::OkStatus();
  const std::string& address = source.bind_address;
  if (!allowed_.empty() && std::find(allowed_.begin(), allowed_.end(), address) == allowed_.end()) {
    return absl::PermissionDeniedError(
        Cat("address ", Quoted(address), " is not among this egress's bind_addresses"));
  }
  return test_bind_(address);
}

absl::Status TestBindTcp(const std::string& address) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  const sockaddr* name = nullptr;
  socklen_t size = 0;
  if (inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    name = reinterpret_cast<const sockaddr*>(&v4);
    size = sizeof v4;
  } else if (inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    name = reinterpret_cast<const sockaddr*>(&v6);
    size = sizeof v6;
  } else {
    return absl::InvalidArgumentError(Cat(Quoted(address), " is not an IP address"));
  }
  const int fd = ::socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::UnavailableError(Cat("socket: ", std::strerror(errno)));
  const int error = ::bind(fd, name, size) == 0 ? 0 : errno;
  ::close(fd);
  if (error == 0) return absl::OkStatus();
  return absl::UnavailableError(Cat("bind ", address, ": ", std::strerror(error)));
}

}  // namespace sluice::egress
