// The listener's bounds in time and rate: peers that say nothing, nothing to the end, or never read; connections that stay too long; more
// messages a second than it takes. What bounds one peer costs the others nothing.
#include "net/smtp_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr auto kPatience = seconds(60);  // With what has to come.

// A peer that waits for what the listener says, or for the end of it.
class Peer {
 public:
  explicit Peer(const std::string& address) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)))),
                   .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
    for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) ::setsockopt(socket_, SOL_SOCKET, option, &patience, sizeof patience);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  }
  ~Peer() { ::close(socket_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // With its line end; empty = the connection has ended.
  std::string Line() {
    size_t end = std::string::npos;
    while ((end = text_.find("\r\n")) == std::string::npos) {
      char buffer[4096];
      const ssize_t size = ::recv(socket_, buffer, sizeof buffer, 0);
      if (size < 0 && errno == EAGAIN) ADD_FAILURE() << "neither a line nor an end";
      if (size <= 0) return "";
      text_.append(buffer, static_cast<size_t>(size));
    }
    std::string line = text_.substr(0, end + 2);
    text_.erase(0, end + 2);
    return line;
  }
  bool HasEnded() { return Line().empty(); }
  // False = the connection has ended.
  bool Say(std::string_view text) {
    while (!text.empty()) {
      const ssize_t size = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (size < 0 && errno == EAGAIN) ADD_FAILURE() << "it neither reads nor ends";
      if (size <= 0) return false;
      text.remove_prefix(static_cast<size_t>(size));
    }
    return true;
  }
  std::string Ask(std::string_view text) {
    EXPECT_TRUE(Say(text));
    return Line();
  }
  // The reply to the dot of one more message.
  std::string Message() {
    for (const char* line : {"EHLO peer.test\r\n", "MAIL FROM:<>\r\n", "RCPT TO:<b-1@bounces.shop.example>\r\n", "DATA\r\n"}) Say(line);
    Say("Subject: x\r\n\r\nx\r\n.\r\n");
    std::string line;
    do line = Line();
    while (!line.empty() && !line.starts_with("354"));
    return Line();
  }

 private:
  const int socket_;
  std::string text_;
};

class SmtpListenerTest : public testing::Test {
 protected:
  void Start(SmtpListenerOptions options) {
    options.listen = "127.0.0.1:0";
    options.rules.host_name = "mta.test";
    options.rules.accepts = [](std::string_view) { return true; };
    auto started = StartSmtpListener(std::move(options), [this](const ReceivedMail&) { ++taken_; return std::string("250 2.0.0 taken"); },
                                     clock_, log_);
    ASSERT_TRUE(started.ok()) << started.status();
    listener_ = *std::move(started);
  }
  Peer Connect() { return Peer(listener_->address()); }
  // Until there is room again for one more.
  void ExpectRoom() {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < end) {
      Peer next = Connect();
      if (!next.HasEnded()) return;
    }
    ADD_FAILURE() << "nobody gets in any more";
  }

  FakeClock clock_;
  CapturingSink sink_;
  Logger log_{sink_, clock_, "test"};
  std::atomic<int> taken_{0};
  std::unique_ptr<SmtpListener> listener_;
};

TEST_F(SmtpListenerTest, APeerThatSaysNothingIsLetGoAndItsPlaceIsFree) {
  Start({.most_connections = 2, .most_connections_per_peer = 2, .idle_timeout = milliseconds(50)});
  Peer silent = Connect(), halfway = Connect();
  EXPECT_THAT(silent.Line(), StartsWith("220 mta.test"));
  halfway.Say("EHLO peer.test\r\nMAIL FR");
  while (!halfway.HasEnded()) continue;
  EXPECT_TRUE(silent.HasEnded());
  ExpectRoom();
  EXPECT_EQ(taken_, 0);
}

TEST_F(SmtpListenerTest, APeerThatStopsWithinAMessageIsLetGoAndTheMessageIsNotTaken) {
  Start({.idle_timeout = milliseconds(50)});
  Peer peer = Connect();
  for (const char* line : {"EHLO peer.test\r\n", "MAIL FROM:<>\r\n", "RCPT TO:<b-1@bounces.shop.example>\r\n", "DATA\r\n"}) peer.Say(line);
  peer.Say("Subject: x\r\n\r\nno dot\r\n");
  while (!peer.HasEnded()) continue;
  EXPECT_EQ(taken_, 0);
}

TEST_F(SmtpListenerTest, APeerThatNeverReadsIsLetGo) {
  constexpr int kMuch = 4'000;  // A quarter of a gigabyte.
  Start({.most_connections = 1, .idle_timeout = milliseconds(100)});
  Peer deaf = Connect();
  std::string commands;
  while (commands.size() < 64 << 10) commands += "NOOP\r\n";
  int said = 0;
  while (said < kMuch && deaf.Say(commands)) ++said;
  EXPECT_LT(said, kMuch) << "its replies were kept for it";
  ExpectRoom();
}

TEST_F(SmtpListenerTest, AConnectionEndsAfterItsTimeHoweverBusyItIs) {
  Start({.session_timeout = std::chrono::minutes(10)});
  Peer busy = Connect();
  busy.Line();
  EXPECT_THAT(busy.Ask("NOOP\r\n"), StartsWith("250"));
  clock_.Advance(std::chrono::minutes(9));
  EXPECT_THAT(busy.Ask("NOOP\r\n"), StartsWith("250"));
  clock_.Advance(std::chrono::minutes(1) + seconds(1));
  busy.Say("NOOP\r\nNOOP\r\n");
  while (!busy.HasEnded()) continue;  // With or without an answer to what was asked at that very moment.
  Peer again = Connect();
  EXPECT_THAT(again.Line(), StartsWith("220")) << "it may come back";
}

TEST_F(SmtpListenerTest, MoreMessagesASecondThanItTakesComeBackLater) {
  Start({.most_messages_per_second = 3});
  Peer peer = Connect(), other = Connect();
  peer.Line();
  other.Line();
  for (int i = 0; i < 3; ++i) EXPECT_THAT(peer.Message(), StartsWith("250"));
  EXPECT_THAT(peer.Message(), StartsWith("451 4.7.0"));
  EXPECT_THAT(other.Message(), StartsWith("451 4.7.0")) << "of all peers together";
  clock_.Advance(seconds(1));
  EXPECT_THAT(other.Message(), StartsWith("250"));
  EXPECT_EQ(taken_, 4);
}

TEST_F(SmtpListenerTest, WhereItCannotListenItSaysWhatToWrite) {
  for (const char* listen : {"", "mta.test:25", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:25x"}) {
    SmtpListenerOptions options;
    options.listen = listen;
    const auto started = StartSmtpListener(std::move(options), [](const ReceivedMail&) { return std::string(); }, clock_, log_);
    EXPECT_THAT(std::string(started.status().message()), HasSubstr("IP:PORT")) << listen;
  }
}

}  // namespace
}  // namespace sluice
