#include "net/tcp_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>

#include <asio/experimental/as_tuple.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include "base/text.h"
#include "net/smtp_session.h"
#include "net/spawn.h"

namespace sluice {
namespace {

using asio::ip::make_address;
using asio::ip::tcp;
using testing::HasSubstr;

class TcpStreamTest : public testing::Test {
 protected:
  absl::Status Connect(const char* source, const tcp::endpoint& peer,
                       Duration timeout = std::chrono::seconds(5)) {
    status_ = absl::UnknownError("not through");
    Spawn(io_.get_executor(), ConnectOver(make_address(source), peer, timeout), "connect");
    io_.restart();
    io_.run_for(std::chrono::seconds(10));
    return status_;
  }
  asio::awaitable<void> ConnectOver(asio::ip::address source, tcp::endpoint peer,
                                    Duration timeout) {
    auto stream = co_await ConnectTcp(io_.get_executor(), source, peer, timeout);
    status_ = stream.status();
    if (stream.ok()) {
      stream_ = *std::move(stream);
    }
  }
  asio::awaitable<void> OpenSession(asio::ip::address source, tcp::endpoint peer) {
    SmtpSessionOptions options;
    options.ehlo = "client.example";
    opened_ = co_await SmtpSession::Open(io_.get_executor(), source, peer, std::move(options));
  }

  asio::io_context io_;
  absl::Status status_;
  std::unique_ptr<Stream> stream_;
  OpenResult opened_;
};

TEST_F(TcpStreamTest, ConnectsFromTheGivenSource) {
  tcp::acceptor acceptor(io_, tcp::endpoint(make_address("127.0.0.1"), 0));
  ASSERT_TRUE(Connect("127.0.0.77", acceptor.local_endpoint()).ok());
  tcp::endpoint from;
  tcp::socket accepted = acceptor.accept(from);
  EXPECT_EQ(from.address(), make_address("127.0.0.77"));
}

TEST_F(TcpStreamTest, ConnectsOverIpv6) {
  tcp::acceptor acceptor(io_);
  asio::error_code error;
  const tcp::endpoint any(make_address("::1"), 0);
  acceptor.open(any.protocol(), error);
  acceptor.bind(any, error);
  if (error) {
    GTEST_SKIP() << "no IPv6 loopback: " << error.message();
  }
  acceptor.listen();
  EXPECT_TRUE(Connect("::1", acceptor.local_endpoint()).ok()) << status_;
}

TEST_F(TcpStreamTest, NeverFallsBackWhenTheSourceIsNotOnThisHost) {
  tcp::acceptor acceptor(io_, tcp::endpoint(make_address("127.0.0.1"), 0));
  acceptor.non_blocking(true);
  for (const char* source : {"192.0.2.1", "0.0.0.0", "::1", "::"}) {
    const absl::Status status = Connect(source, acceptor.local_endpoint());
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << source;
    EXPECT_THAT(std::string(View(status.message())), HasSubstr(source));
  }
  asio::error_code error;
  acceptor.accept(error);
  EXPECT_EQ(error, asio::error::would_block) << "nobody may have connected";
}

TEST_F(TcpStreamTest, TellsABindFailureFromARefusalInTheSessionToo) {
  tcp::acceptor acceptor(io_, tcp::endpoint(make_address("127.0.0.1"), 0));
  const tcp::endpoint peer = acceptor.local_endpoint();
  Spawn(io_.get_executor(), OpenSession(make_address("192.0.2.1"), peer), "open");
  io_.run();
  EXPECT_EQ(opened_.outcome.ending, Ending::kBindFailed);
  EXPECT_EQ(opened_.outcome.stage, Stage::kConnect);
  acceptor.close();
  Spawn(io_.get_executor(), OpenSession(make_address("127.0.0.1"), peer), "open");
  io_.restart();
  io_.run();
  EXPECT_EQ(opened_.outcome.ending, Ending::kConnectFailed);
  EXPECT_EQ(opened_.outcome.reply.enhanced, (EnhancedStatus{4, 4, 1}));
}

TEST_F(TcpStreamTest, GivesUpConnectingInTime) {
  // A listener whose queue is full drops what comes: the connection is never made and never
  // refused.
  tcp::acceptor acceptor(io_, tcp::v4());
  acceptor.bind(tcp::endpoint(make_address("127.0.0.1"), 0));
  acceptor.listen(0);
  std::vector<tcp::socket> fillers;
  for (int i = 0; i < 8; ++i) {
    fillers.emplace_back(io_, tcp::v4());
    fillers.back().native_non_blocking(true);
    const tcp::endpoint peer = acceptor.local_endpoint();
    ::connect(fillers.back().native_handle(), peer.data(), static_cast<socklen_t>(peer.size()));
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Connect("127.0.0.1", acceptor.local_endpoint(), std::chrono::milliseconds(100)).code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
}

TEST_F(TcpStreamTest, SeesAPeerThatClosedOrSpokeUnasked) {
  tcp::acceptor acceptor(io_, tcp::endpoint(make_address("127.0.0.1"), 0));
  ASSERT_TRUE(Connect("127.0.0.1", acceptor.local_endpoint()).ok());
  tcp::socket accepted = acceptor.accept();
  EXPECT_TRUE(stream_->IsQuiet());
  asio::write(accepted, asio::buffer("x", 1));
  EXPECT_FALSE(stream_->IsQuiet());
  ASSERT_TRUE(Connect("127.0.0.1", acceptor.local_endpoint()).ok());
  tcp::socket second = acceptor.accept();
  second.close();
  EXPECT_FALSE(stream_->IsQuiet());
}

}  // namespace
}  // namespace sluice
