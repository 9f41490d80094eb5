#include "net/proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace sluice {
namespace {

using namespace std::string_literals;
using asio::ip::make_address;
using asio::ip::tcp;
using testing::HasSubstr;

TEST(ProxyAddressTest, ReadsWhatThePolicySays) {
  const auto socks = ParseProxyAddress("socks5://192.0.2.1:1080");
  ASSERT_TRUE(socks);
  EXPECT_EQ(socks->kind, ProxyKind::kSocks5);
  EXPECT_EQ(socks->address, "192.0.2.1");
  EXPECT_EQ(socks->port, 1080);
  const auto v2 = ParseProxyAddress("proxy-v2://[2001:db8::1]:5000");
  ASSERT_TRUE(v2);
  EXPECT_EQ(v2->kind, ProxyKind::kProxyV2);
  EXPECT_EQ(v2->address, "2001:db8::1");
  for (const char* wrong : {"", "192.0.2.1:1080", "http://192.0.2.1:80", "socks5://host:1080",
                            "socks5://192.0.2.1", "socks5://192.0.2.1:0", "socks5://192.0.2.1:99999",
                            "socks5://[192.0.2.1]:1080"}) {
    EXPECT_FALSE(ParseProxyAddress(wrong)) << wrong;
  }
}

TEST(ProxyProtocolTest, HeaderNamesSourceAndPeer) {
  EXPECT_EQ(ProxyHeader(make_address("192.0.2.1"), tcp::endpoint(make_address("198.51.100.2"), 25)),
            "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\0\0\0\x19"s);
  const std::string v6 =
      ProxyHeader(make_address("2001:db8::1"), tcp::endpoint(make_address("2001:db8::2"), 25));
  EXPECT_EQ(v6.size(), 16U + 36U);
  EXPECT_EQ(v6[13], '\x21');
}

TEST(SocksTest, AsksForThePeer) {
  EXPECT_EQ(SocksGreeting(), "\x05\x01\0"s);
  EXPECT_EQ(SocksConnect(tcp::endpoint(make_address("198.51.100.2"), 25)),
            "\x05\x01\0\x01\xc6\x33\x64\x02\0\x19"s);
}

TEST(SocksTest, TakesOnlyABindingOfTheSource) {
  const auto source = make_address("192.0.2.1");
  const std::string right = "\x05\0\0\x01\xc0\0\x02\x01\x10\0"s;
  EXPECT_EQ(SocksReplySize(right.substr(0, 5)), right.size());
  EXPECT_TRUE(JudgeSocksReply(right, source).ok());

  const absl::Status wrong = JudgeSocksReply(right, make_address("192.0.2.9"));
  EXPECT_TRUE(absl::IsFailedPrecondition(wrong));
  EXPECT_THAT(wrong.ToString(), HasSubstr("192.0.2.1 and not source 192.0.2.9"));
  const std::string name = "\x05\0\0\x03\x01x\0\0"s;
  EXPECT_TRUE(absl::IsFailedPrecondition(JudgeSocksReply(name, source)));
}

TEST(SocksTest, TellsRefusalsAndNonsense) {
  const auto source = make_address("192.0.2.1");
  EXPECT_THAT(JudgeSocksReply("\x05\x05\0\x01\0\0\0\0\0\0"s, source).ToString(),
              HasSubstr("connection refused"));
  EXPECT_TRUE(absl::IsUnavailable(JudgeSocksReply("\x05\0\0\x01\xc0"s, source)));
  EXPECT_EQ(SocksReplySize("HTTP/"), 0U);
  EXPECT_EQ(SocksReplySize("\x05\0\0\x09\0"s), 0U);
}

}  // namespace
}  // namespace sluice
