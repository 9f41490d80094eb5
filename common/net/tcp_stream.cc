#include "net/tcp_stream.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <asio/experimental/as_tuple.hpp>
#include <asio/ssl/stream.hpp>
#include <asio/use_awaitable.hpp>

#include "base/text.h"
#include "net/timeout.h"

namespace sluice {
namespace {

using asio::ip::tcp;
constexpr auto kAwait = asio::experimental::as_tuple(asio::use_awaitable);
// What fits into one TLS record; asio's TLS stream writes one buffer at a time, one record each.
constexpr size_t kTlsRecordBytes = 16384;

class TcpStream final : public Stream {
 public:
  explicit TcpStream(tcp::socket socket) : socket_(std::move(socket)) {}

  asio::any_io_executor executor() override { return socket_.get_executor(); }

  asio::awaitable<IoResult> ReadSome(asio::mutable_buffer into) override {
    if (ssl_) {
      return ssl_->async_read_some(into, kAwait);
    }
    return socket_.async_read_some(into, kAwait);
  }

  asio::awaitable<IoResult> WriteSome(std::span<const asio::const_buffer> buffers) override {
    if (ssl_) {
      return ssl_->async_write_some(Record(buffers), kAwait);
    }
    return WritePlain(buffers);
  }

  asio::awaitable<HandshakeResult> StartTls(TlsContext& context,
                                            const TlsRequirement& requirement) override {
    HandshakeResult result;
    SSL* const ssl = SSL_new(context.native());
    if (ssl == nullptr) {
      result.error = asio::error::no_memory;
      co_return result;
    }
    ssl_.emplace(socket_, ssl);
    asio::error_code ignored;
    const std::string client = requirement.client.empty()
                                   ? socket_.local_endpoint(ignored).address().to_string()
                                   : requirement.client;
    if (absl::Status status = context.Prepare(ssl, requirement, client, session_key_);
        !status.ok()) {
      result.error = asio::error::invalid_argument;
      result.fault = {TlsFailure::kTlsaInvalid, std::string(View(status.message()))};
      co_return result;
    }
    const auto [error] = co_await ssl_->async_handshake(asio::ssl::stream_base::client, kAwait);
    if (error) {
      result.error = error;
      result.fault = FaultOf(ssl);
    } else {
      facts_ = FactsOf(ssl);
    }
    co_return result;
  }

  void Close() noexcept override {
    asio::error_code ignored;
    socket_.close(ignored);
  }

  bool IsQuiet() noexcept override {
    if (!socket_.is_open() || (ssl_ && SSL_pending(ssl_->native_handle()) > 0)) {
      return false;
    }
    char byte = 0;
    const ssize_t n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  }

  const TlsFacts* tls() const override { return facts_ ? &*facts_ : nullptr; }

 private:
  // Most writes fit the socket's buffer: trying first saves a turn of the scheduler.
  asio::awaitable<IoResult> WritePlain(std::span<const asio::const_buffer> buffers) {
    asio::error_code error;
    if (!socket_.non_blocking()) {
      socket_.non_blocking(true, error);
    }
    const size_t written = error ? 0 : socket_.write_some(buffers, error);
    if (error == asio::error::would_block || error == asio::error::try_again) {
      co_return co_await socket_.async_write_some(buffers, kAwait);
    }
    co_return IoResult(error, written);
  }

  asio::const_buffer Record(std::span<const asio::const_buffer> buffers) {
    if (buffers.size() == 1 || buffers.front().size() >= kTlsRecordBytes) {
      return buffers.front();
    }
    record_.resize(kTlsRecordBytes);
    return asio::buffer(record_.data(), asio::buffer_copy(asio::buffer(record_), buffers));
  }

  tcp::socket socket_;
  std::string session_key_;  // outlives ssl_
  std::optional<asio::ssl::stream<tcp::socket&>> ssl_;
  std::optional<TlsFacts> facts_;
  std::vector<char> record_;
};

absl::Status BindError(const asio::ip::address& source, const std::string& why) {
  return absl::FailedPreconditionError(Cat("cannot bind source ", source.to_string(), ": ", why));
}

absl::Status OpenBound(tcp::socket& socket, const asio::ip::address& source,
                       const tcp::endpoint& peer) {
  if (source.is_unspecified()) {
    return BindError(source, "it names no address");
  }
  if (source.is_v4() != peer.address().is_v4()) {
    return BindError(source, Cat("not of the family of ", peer.address().to_string()));
  }
  asio::error_code error;
  socket.open(peer.protocol(), error);
  if (error) {
    return absl::ResourceExhaustedError(Cat("cannot open a socket: ", error.message()));
  }
  // The port is chosen at connect, so that the four-tuple has to be unique and not the local port.
  const int on = 1;
  ::setsockopt(socket.native_handle(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  socket.bind(tcp::endpoint(source, 0), error);
  return error ? BindError(source, error.message()) : absl::OkStatus();
}

absl::Status ConnectError(const tcp::endpoint& peer, const asio::error_code& error) {
  const std::string where = Cat(peer.address().to_string(), ":", peer.port());
  if (error == std::errc::address_not_available) {
    return absl::ResourceExhaustedError(Cat("no local port left for ", where));
  }
  return absl::UnavailableError(Cat("cannot connect to ", where, ": ", error.message()));
}

}  // namespace

asio::awaitable<absl::StatusOr<std::unique_ptr<Stream>>> ConnectTcp(asio::any_io_executor executor,
                                                                    asio::ip::address source,
                                                                    tcp::endpoint peer,
                                                                    Duration timeout) {
  tcp::socket socket(executor);
  if (absl::Status status = OpenBound(socket, source, peer); !status.ok()) {
    co_return status;
  }
  const std::function<void()> close = [&socket] {
    asio::error_code ignored;
    socket.close(ignored);
  };
  Deadline deadline(executor, close);
  deadline.Set(timeout);
  const auto [error] = co_await socket.async_connect(peer, kAwait);
  if (deadline.has_passed()) {
    co_return absl::DeadlineExceededError(Cat("no connection to ", peer.address().to_string(), ":",
                                              peer.port(), " within ", ToString(timeout)));
  }
  if (error) {
    co_return ConnectError(peer, error);
  }
  asio::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  co_return MakeTcpStream(std::move(socket));
}

std::unique_ptr<Stream> MakeTcpStream(tcp::socket socket) {
  return std::make_unique<TcpStream>(std::move(socket));
}

}  // namespace sluice
