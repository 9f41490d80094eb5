#include "dialogs/fake_server.h"

#include <asio/experimental/as_tuple.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include "base/text.h"
#include "dialogs/test_certificate.h"
#include "net/spawn.h"

namespace sluice::dialogs {
namespace {

using asio::ip::tcp;
constexpr auto kAwait = asio::experimental::as_tuple(asio::use_awaitable);

}  // namespace

// One accepted connection; Play returns the fault, or nothing.
class FakeServer::Connection {
 public:
  Connection(tcp::socket socket, asio::ssl::context& tls) : socket_(std::move(socket)), tls_(tls) {
    asio::error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
  }

  asio::awaitable<std::string> Play(const std::vector<Line>& script) {
    for (const Line& line : script) {
      const std::string fault = co_await PlayLine(line);
      if (!fault.empty()) {
        co_return Cat("line ", line.number, " (", line.verb, " ", line.rest, "): ", fault);
      }
    }
    co_return unread_.empty() ? "" : Cat("not expected: ", Quoted(unread_));
  }

 private:
  asio::awaitable<std::string> PlayLine(const Line& line) {
    if (line.verb == "S") {
      const std::string text = line.rest + "\r\n";
      co_return co_await Send(text);
    }
    if (line.verb == "R") {
      const std::string text = Unescape(line.rest);
      co_return co_await Send(text);
    }
    if (line.verb == "C") {
      co_return co_await Expect(line.rest);
    }
    if (line.verb == "take") {
      co_return co_await Take(static_cast<size_t>(std::stoul(line.rest)));
    }
    if (line.verb == "starttls") {
      co_return co_await StartTls();
    }
    if (line.verb == "starttls-refused") {
      // The client may have heard the end of the handshake before it breaks off (TLS 1.3).
      const std::string fault = co_await StartTls();
      if (!fault.empty()) {
        co_return "";
      }
      co_return co_await ExpectEof();
    }
    if (line.verb == "eof" || line.verb == "hang") {
      co_return co_await ExpectEof();
    }
    if (line.verb == "flood") {
      const std::string text(static_cast<size_t>(std::stoul(line.rest)), 'x');
      co_return co_await Send(text);
    }
    if (line.verb == "drip") {
      co_return co_await Drip(line.rest);
    }
    if (line.verb == "garble-tls") {
      const std::string nonsense = "500 what is this\r\n";
      co_return co_await Send(nonsense);
    }
    co_return PlayNow(line);
  }

  // The directives that wait for nothing.
  std::string PlayNow(const Line& line) {
    asio::error_code ignored;
    if (line.verb == "strict") {
      is_strict_ = true;
    } else if (line.verb == "hold") {
      unread_.clear();
    } else if (line.verb == "drop") {
      unread_.clear();
      socket_.close(ignored);
    } else if (line.verb == "reset") {
      unread_.clear();
      socket_.set_option(asio::socket_base::linger(true, 0), ignored);
      socket_.close(ignored);
    } else {
      return "unknown directive";
    }
    return "";
  }

  asio::awaitable<std::string> Send(const std::string& text) {
    const asio::const_buffer bytes = asio::buffer(text);
    if (ssl_) {
      const auto [error, count] = co_await asio::async_write(*ssl_, bytes, kAwait);
      co_return error ? error.message() : "";
    }
    const auto [error, count] = co_await asio::async_write(socket_, bytes, kAwait);
    co_return error ? error.message() : "";
  }

  // More bytes into unread_.
  asio::awaitable<asio::error_code> Read() {
    char bytes[16384];
    const asio::mutable_buffer space = asio::buffer(bytes);
    asio::error_code error;
    size_t count = 0;
    if (ssl_) {
      std::tie(error, count) = co_await ssl_->async_read_some(space, kAwait);
    } else {
      std::tie(error, count) = co_await socket_.async_read_some(space, kAwait);
    }
    unread_.append(bytes, count);
    co_return error;
  }

  asio::awaitable<std::string> Expect(std::string line) {
    size_t end = unread_.find('\n');
    while (end == std::string::npos) {
      if (const asio::error_code error = co_await Read()) {
        co_return Cat("got ", Quoted(unread_), " and ", error.message());
      }
      end = unread_.find('\n');
    }
    const std::string got = unread_.substr(0, end + 1);
    unread_.erase(0, end + 1);
    if (got != line + "\r\n") {
      co_return Cat("got ", Quoted(got, 300));
    }
    if (is_strict_ && (!unread_.empty() || socket_.available() > 0)) {
      co_return "the client did not wait for the reply";
    }
    co_return "";
  }

  asio::awaitable<std::string> Take(size_t count) {
    while (unread_.size() < count) {
      if (const asio::error_code error = co_await Read()) {
        co_return Cat(count - unread_.size(), " bytes missing: ", error.message());
      }
    }
    unread_.erase(0, count);
    co_return "";
  }

  asio::awaitable<std::string> ExpectEof() {
    if (const asio::error_code error = co_await Read()) {
      co_return "";
    }
    co_return Cat("got ", Quoted(unread_));
  }

  asio::awaitable<std::string> StartTls() {
    ssl_.emplace(socket_, tls_);
    const asio::const_buffer received = asio::buffer(unread_);
    const auto [error, used] =
        co_await ssl_->async_handshake(asio::ssl::stream_base::server, received, kAwait);
    unread_.clear();
    co_return error ? error.message() : "";
  }

  // Never whole: stops when the client has gone, or after more bytes than any timeout of a test
  // allows.
  asio::awaitable<std::string> Drip(std::string line) {
    asio::steady_timer timer(socket_.get_executor());
    for (int i = 0; i < 2000; ++i) {
      const std::string byte(1, line[static_cast<size_t>(i) % line.size()]);
      if (!(co_await Send(byte)).empty()) {
        co_return "";
      }
      timer.expires_after(std::chrono::milliseconds(5));
      co_await timer.async_wait(kAwait);
    }
    co_return "the client never gave up";
  }

  tcp::socket socket_;
  asio::ssl::context& tls_;
  std::optional<asio::ssl::stream<tcp::socket&>> ssl_;
  std::string unread_;
  bool is_strict_ = false;
};

FakeServer::FakeServer(asio::io_context& io, std::vector<std::vector<Line>> connections)
    : acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      tls_(asio::ssl::context::tls_server),
      connections_(std::move(connections)) {
  UseTestCertificate(tls_.native_handle());
  Spawn(io.get_executor(), Serve(), "fake server");
}

FakeServer::~FakeServer() = default;

asio::awaitable<void> FakeServer::Serve() {
  for (const std::vector<Line>& script : connections_) {
    auto [error, socket] = co_await acceptor_.async_accept(kAwait);
    if (error) {
      co_return;
    }
    held_.push_back(std::make_unique<Connection>(std::move(socket), tls_));
    std::string fault = co_await held_.back()->Play(script);
    if (script.empty() || script.back().verb != "hold") {
      held_.pop_back();
    }
    if (fault_.empty()) {
      fault_ = std::move(fault);
    }
    ++played_count_;
  }
}

}  // namespace sluice::dialogs
