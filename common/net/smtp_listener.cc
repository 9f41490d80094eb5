#include "net/smtp_listener.h"

#include <array>
#include <asio.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <charconv>
#include <map>
#include <thread>

#include "base/status.h"
#include "base/text.h"
#include "net/spawn.h"
#include "net/timeout.h"

namespace sluice {
namespace {

using asio::ip::tcp;

constexpr auto kAwait = asio::experimental::as_tuple(asio::use_awaitable);

absl::StatusOr<tcp::endpoint> ParseEndpoint(const std::string& listen) {
  const size_t colon = listen.rfind(':');
  std::string host = colon == std::string::npos ? "" : listen.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  asio::error_code error;
  const auto address = asio::ip::make_address(host, error);
  unsigned port = 65536;
  if (colon != std::string::npos) {
    const char* const end = listen.data() + listen.size();
    if (std::from_chars(listen.data() + colon + 1, end, port).ptr != end) port = 65536;
  }
  if (error || port > 65535) {
    return absl::InvalidArgumentError(Cat("'", listen, "' is no address to listen on: write IP:PORT"));
  }
  return tcp::endpoint(address, static_cast<uint16_t>(port));
}

class AsioListener final : public SmtpListener {
 public:
  AsioListener(SmtpListenerOptions options, OnMail on_mail, const Clock& clock, const Logger& log)
      : options_(std::move(options)), on_mail_(std::move(on_mail)), clock_(clock), log_(log) {}

  ~AsioListener() override {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Start() {
    ASSIGN_OR_RETURN(const tcp::endpoint endpoint, ParseEndpoint(options_.listen));
    asio::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(128, error);
    if (error) return absl::UnavailableError(Cat("cannot listen on ", options_.listen, ": ", error.message()));
    const tcp::endpoint local = acceptor_.local_endpoint(error);
    const std::string host = local.address().to_string();
    address_ = Cat(local.address().is_v6() ? Cat("[", host, "]") : host, ":", local.port());
    Spawn(io_.get_executor(), AcceptAll(), "feedback accept");
    thread_ = std::thread([this] { io_.run(); });
    return absl::OkStatus();
  }

  const std::string& address() const override { return address_; }
  int64_t refused_connections() const override { return refused_; }

 private:
  asio::awaitable<void> AcceptAll() {
    while (true) {
      auto [error, socket] = co_await acceptor_.async_accept(kAwait);
      if (error == asio::error::operation_aborted) co_return;
      if (error) {
        asio::steady_timer pause(io_, std::chrono::milliseconds(100));
        co_await pause.async_wait(kAwait);
        continue;
      }
      asio::error_code ignored;
      const std::string peer = socket.remote_endpoint(ignored).address().to_string();
      if (connections_ >= options_.most_connections ||
          by_peer_[peer] >= options_.most_connections_per_peer) {
        if (by_peer_[peer] == 0) by_peer_.erase(peer);
        ++refused_;
        continue;
      }
      ++connections_;
      ++by_peer_[peer];
      Spawn(io_.get_executor(), Serve(std::move(socket), peer), "feedback session");
    }
  }

  asio::awaitable<void> Serve(tcp::socket socket, std::string peer) {
    Deadline idle(socket.get_executor(), [&socket] {
      asio::error_code ignored;
      socket.close(ignored);
    });
    SmtpServerSession session(options_.rules);
    const SteadyInstant begun_at = clock_.Steady();
    std::string out = session.Greeting();
    std::array<char, 16384> buffer;
    while (true) {
      idle.Set(options_.idle_timeout);
      auto [write_error, written] = co_await asio::async_write(
          socket, asio::buffer(out), kAwait);
      out.clear();
      if (write_error || session.is_over() || clock_.Steady() - begun_at > options_.session_timeout) break;
      auto [read_error, count] = co_await socket.async_read_some(
          asio::buffer(buffer), kAwait);
      if (read_error) break;
      TakeBytes(session, std::string_view(buffer.data(), count), out);
    }
    idle.Clear();
    --connections_;
    if (--by_peer_[peer] == 0) by_peer_.erase(peer);
  }

  void TakeBytes(SmtpServerSession& session, std::string_view bytes, std::string& out) {
    while (!bytes.empty()) {
      const std::optional<ReceivedMail> mail = session.Feed(bytes, out);
      if (!mail) continue;
      session.Finish(MayTake() ? on_mail_(*mail) : "451 4.7.0 too much at once, come back later", out);
    }
  }

  bool MayTake() {
    const SteadyInstant now = clock_.Steady();
    if (now - second_began_ >= std::chrono::seconds(1)) {
      second_began_ = now;
      this_second_ = 0;
    }
    return ++this_second_ <= options_.most_messages_per_second;
  }

  const SmtpListenerOptions options_;
  const OnMail on_mail_;
  const Clock& clock_;
  const Logger& log_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  std::string address_;
  int connections_ = 0;
  std::map<std::string, int> by_peer_;
  SteadyInstant second_began_{};
  int this_second_ = 0;
  std::atomic<int64_t> refused_{0};
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SmtpListener>> StartSmtpListener(SmtpListenerOptions options,
                                                                SmtpListener::OnMail on_mail,
                                                                const Clock& clock, const Logger& log) {
  auto listener =
      std::make_unique<AsioListener>(std::move(options), std::move(on_mail), clock, log);
  RETURN_IF_ERROR(listener->Start());
  return listener;
}

}  // namespace sluice
