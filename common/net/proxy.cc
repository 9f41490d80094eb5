#include "net/proxy.h"

#include <functional>
#include <utility>

#include <asio/experimental/as_tuple.hpp>
#include <asio/read.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include "base/text.h"
#include "net/tcp_stream.h"
#include "net/timeout.h"

namespace sluice {
namespace {

using asio::ip::tcp;
constexpr auto kAwait = asio::experimental::as_tuple(asio::use_awaitable);

constexpr char kSocksVersion = 5;
constexpr char kSocksIpv4 = 1, kSocksName = 3, kSocksIpv6 = 4;
constexpr size_t kSocksHeadBytes = 5;
constexpr size_t kSocksGreetingReplyBytes = 2;

void AppendAddress(std::string& out, const asio::ip::address& address) {
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  } else {
    const auto bytes = address.to_v6().to_bytes();
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

void AppendPort(std::string& out, uint16_t port) {
  out += static_cast<char>(port >> 8);
  out += static_cast<char>(port & 0xff);
}

std::string_view SocksErrorText(char code) {
  switch (code) {
    case 2:
      return "not allowed by the proxy's rules";
    case 3:
      return "network unreachable";
    case 4:
      return "host unreachable";
    case 5:
      return "connection refused";
    case 6:
      return "timed out";
    case 8:
      return "the proxy does not know such addresses";
    default:
      return "general failure of the proxy";
  }
}

std::optional<asio::ip::address> BoundAddress(std::string_view reply) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(reply.data()) + 4;
  if (reply[3] == kSocksIpv4) {
    asio::ip::address_v4::bytes_type v4;
    std::copy_n(bytes, v4.size(), v4.begin());
    return asio::ip::address_v4(v4);
  }
  if (reply[3] == kSocksIpv6) {
    asio::ip::address_v6::bytes_type v6;
    std::copy_n(bytes, v6.size(), v6.begin());
    return asio::ip::address_v6(v6);
  }
  return std::nullopt;
}

asio::awaitable<absl::Status> Write(tcp::socket& socket, const std::string& bytes) {
  const asio::const_buffer buffer = asio::buffer(bytes);
  const auto [error, count] = co_await asio::async_write(socket, buffer, kAwait);
  co_return error ? absl::UnavailableError(Cat("the proxy has left: ", error.message()))
                  : absl::OkStatus();
}

// Exactly `count` bytes more.
asio::awaitable<absl::Status> Read(tcp::socket& socket, size_t count, std::string& into) {
  const size_t before = into.size();
  into.resize(before + count);
  const asio::mutable_buffer buffer(into.data() + before, count);
  const auto [error, read] = co_await asio::async_read(socket, buffer, kAwait);
  co_return error ? absl::UnavailableError(Cat("the proxy has left: ", error.message()))
                  : absl::OkStatus();
}

asio::awaitable<absl::Status> AskSocks(tcp::socket& socket, asio::ip::address source,
                                       tcp::endpoint peer) {
  const std::string greeting = SocksGreeting();
  absl::Status status = co_await Write(socket, greeting);
  if (!status.ok()) {
    co_return status;
  }
  std::string chosen;
  status = co_await Read(socket, kSocksGreetingReplyBytes, chosen);
  if (!status.ok()) {
    co_return status;
  }
  if (chosen[0] != kSocksVersion || chosen[1] != 0) {
    co_return absl::UnavailableError("the proxy is no SOCKS5 server or wants authentication");
  }
  const std::string request = SocksConnect(peer);
  status = co_await Write(socket, request);
  if (!status.ok()) {
    co_return status;
  }
  std::string reply;
  status = co_await Read(socket, kSocksHeadBytes, reply);
  const size_t size = status.ok() ? SocksReplySize(reply) : 0;
  if (status.ok() && size > 0) {
    status = co_await Read(socket, size - kSocksHeadBytes, reply);
  }
  if (!status.ok()) {
    co_return status;
  }
  co_return JudgeSocksReply(reply, source);
}

}  // namespace

std::string ProxyHeader(const asio::ip::address& source, const tcp::endpoint& peer) {
  std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
  const bool is_v4 = source.is_v4();
  out += '\x21';                         // version 2, PROXY
  out += is_v4 ? '\x11' : '\x21';        // TCP over IPv4 or IPv6
  AppendPort(out, is_v4 ? 12 : 36);      // bytes that follow
  AppendAddress(out, source);
  AppendAddress(out, peer.address());
  AppendPort(out, 0);  // any
  AppendPort(out, peer.port());
  return out;
}

std::string SocksGreeting() { return {"\x05\x01\x00", 3}; }

std::string SocksConnect(const tcp::endpoint& peer) {
  std::string out("\x05\x01\x00", 3);
  out += peer.address().is_v4() ? kSocksIpv4 : kSocksIpv6;
  AppendAddress(out, peer.address());
  AppendPort(out, peer.port());
  return out;
}

size_t SocksReplySize(std::string_view first_five) {
  if (first_five.size() < kSocksHeadBytes || first_five[0] != kSocksVersion) {
    return 0;
  }
  switch (first_five[3]) {
    case kSocksIpv4:
      return 4 + 4 + 2;
    case kSocksIpv6:
      return 4 + 16 + 2;
    case kSocksName:
      return 4 + 1 + static_cast<unsigned char>(first_five[4]) + 2U;
    default:
      return 0;
  }
}

absl::Status JudgeSocksReply(std::string_view reply, const asio::ip::address& source) {
  const size_t size = SocksReplySize(reply);
  if (size == 0 || reply.size() < size) {
    return absl::UnavailableError("the proxy's answer is not SOCKS5");
  }
  if (reply[1] != 0) {
    return absl::UnavailableError(Cat("the proxy cannot connect: ", SocksErrorText(reply[1])));
  }
  const auto bound = BoundAddress(reply);
  if (bound != source) {
    return absl::FailedPreconditionError(
        Cat("the proxy has bound ", bound ? bound->to_string() : "a name", " and not source ",
            source.to_string()));
  }
  return absl::OkStatus();
}

asio::awaitable<absl::StatusOr<std::unique_ptr<Stream>>> ConnectThroughProxy(
    asio::any_io_executor executor, ProxyAddress proxy, asio::ip::address source,
    tcp::endpoint peer, Duration timeout) {
  if (source.is_v4() != peer.address().is_v4()) {
    co_return absl::FailedPreconditionError(Cat("source ", source.to_string(),
                                                " is not of the family of ",
                                                peer.address().to_string()));
  }
  tcp::socket socket(executor);
  const std::function<void()> close = [&socket] {
    asio::error_code ignored;
    socket.close(ignored);
  };
  Deadline deadline(executor, close);
  deadline.Set(timeout);
  const tcp::endpoint at(asio::ip::make_address(proxy.address), proxy.port);
  const auto [error] = co_await socket.async_connect(at, kAwait);
  absl::Status status =
      error ? absl::UnavailableError(
                  Cat("cannot connect to the proxy ", proxy.address, ": ", error.message()))
            : absl::OkStatus();
  if (status.ok() && proxy.kind == ProxyKind::kProxyV2) {
    const std::string header = ProxyHeader(source, peer);
    status = co_await Write(socket, header);
  } else if (status.ok()) {
    status = co_await AskSocks(socket, source, peer);
  }
  if (deadline.has_passed()) {
    co_return absl::DeadlineExceededError(
        Cat("no connection through the proxy within ", ToString(timeout)));
  }
  if (!status.ok()) {
    co_return status;
  }
  asio::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  co_return MakeTcpStream(std::move(socket));
}

}  // namespace sluice
