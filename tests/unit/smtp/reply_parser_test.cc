#include "smtp/reply_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice {
namespace {

using Result = ReplyParser::Result;

SmtpReply ParseWhole(std::string_view bytes) {
  ReplyParser parser;
  size_t consumed = 0;
  EXPECT_EQ(parser.Feed(bytes, consumed), Result::kReply) << bytes;
  EXPECT_EQ(consumed, bytes.size());
  return parser.TakeReply();
}

Result ResultOf(std::string_view bytes) {
  ReplyParser parser;
  size_t consumed = 0;
  return parser.Feed(bytes, consumed);
}

TEST(ReplyParserTest, SplitsCodeEnhancedStatusAndText) {
  const SmtpReply reply = ParseWhole("451 4.7.1 Try again later\r\n");
  EXPECT_EQ(reply.code, 451);
  EXPECT_EQ(reply.enhanced, (EnhancedStatus{4, 7, 1}));
  EXPECT_EQ(reply.text, "Try again later");
}

TEST(ReplyParserTest, JoinsLinesWithoutTheRepeatedPrefix) {
  const SmtpReply reply = ParseWhole(
      "421-4.7.28 Our system has detected an unusual rate of\r\n"
      "421-4.7.28 unsolicited mail.\r\n"
      "421 4.7.28 https://example.com\r\n");
  EXPECT_EQ(reply.text,
            "Our system has detected an unusual rate of unsolicited mail. https://example.com");
  EXPECT_EQ(reply.enhanced, (EnhancedStatus{4, 7, 28}));
}

TEST(ReplyParserTest, GivesTheSameReplyHoweverTheBytesAreCut) {
  const std::string bytes = "250-mx.example\r\n250-SIZE 100\r\n250 2.0.0 OK\r\n";
  const SmtpReply whole = ParseWhole(bytes);
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    ReplyParser parser;
    size_t consumed = 0;
    EXPECT_EQ(parser.Feed(std::string_view(bytes).substr(0, cut), consumed), Result::kNeedMore);
    EXPECT_EQ(consumed, cut);
    EXPECT_TRUE(parser.is_inside_reply());
    EXPECT_EQ(parser.Feed(std::string_view(bytes).substr(cut), consumed), Result::kReply);
    EXPECT_EQ(consumed, bytes.size());
    EXPECT_EQ(parser.reply(), whole);
    EXPECT_EQ(parser.lines(), "mx.example\nSIZE 100\n2.0.0 OK");
  }
}

TEST(ReplyParserTest, StopsAfterOneReplySoThatPipelinedOnesFollow) {
  const std::string_view bytes = "250 ok\r\n550 5.1.1 no\r\n354 go\r\n";
  ReplyParser parser;
  size_t consumed = 0;
  std::vector<int> codes;
  while (consumed < bytes.size()) {
    ASSERT_EQ(parser.Feed(bytes.substr(consumed), consumed), Result::kReply);
    codes.push_back(parser.reply().code);
  }
  EXPECT_EQ(codes, (std::vector<int>{250, 550, 354}));
}

TEST(ReplyParserTest, TakesWhatRealServersWrite) {
  EXPECT_EQ(ParseWhole("250\r\n").text, "");
  EXPECT_EQ(ParseWhole("250 \r\n").text, "");
  EXPECT_EQ(ParseWhole("250\n").code, 250);
  EXPECT_EQ(ParseWhole("250OK\r\n").text, "OK");
  EXPECT_EQ(ParseWhole("250 ok\r\r\n").text, "ok");
  EXPECT_EQ(ParseWhole("250-\r\n250 x\r\n").text, "x");
  EXPECT_EQ(ParseWhole("250   5.1.1  x \r\n").text, "x");
  EXPECT_EQ(ParseWhole("550-5.1.1 a\r\n554 5.7.1 b\r\n").code, 554) << "the last line counts";
}

TEST(ReplyParserTest, CallsMalformedWhatHasNoReplyCode) {
  for (const char* bytes : {"hello\r\n", "\r\n", "25\r\n", "2500 x\r\n", "950 x\r\n", "150 x\r\n",
                            "HTTP/1.1 400 Bad Request\r\n", " 250 ok\r\n", "250-a\r\nb\r\n"}) {
    EXPECT_EQ(ResultOf(bytes), Result::kMalformed) << bytes;
  }
}

TEST(ReplyParserTest, StaysMalformed) {
  ReplyParser parser;
  size_t consumed = 0;
  EXPECT_EQ(parser.Feed("junk\r\n", consumed), Result::kMalformed);
  EXPECT_EQ(parser.Feed("250 ok\r\n", consumed), Result::kMalformed);
  EXPECT_FALSE(parser.error().empty());
}

TEST(ReplyParserTest, SanitisesControlsAndBrokenUtf8) {
  using namespace std::string_view_literals;
  const auto bytes = "550 a\0b\x1b[31m\tc\xff\xc3\xa9\xc2\x85.\r\n"sv;
  EXPECT_EQ(ParseWhole(bytes).text, "a?b?[31m c?\xc3\xa9?.");
}

TEST(ReplyParserTest, BoundsALineWithoutEnd) {
  ReplyParser parser;
  size_t consumed = 0;
  const std::string some(1000, 'x');
  Result result = parser.Feed("250 ", consumed);
  int rounds = 0;
  for (; result == Result::kNeedMore && rounds < 100; ++rounds) {
    result = parser.Feed(some, consumed);
  }
  EXPECT_EQ(result, Result::kMalformed);
  EXPECT_LE(rounds, 6);
}

TEST(ReplyParserTest, BoundsAReplyWithoutEnd) {
  ReplyParser parser;
  size_t consumed = 0;
  const std::string line = "250-" + std::string(1000, 'x') + "\r\n";
  Result result = Result::kNeedMore;
  int rounds = 0;
  for (; result == Result::kNeedMore && rounds < 1000; ++rounds) {
    result = parser.Feed(line, consumed);
  }
  EXPECT_EQ(result, Result::kMalformed);
  EXPECT_LE(rounds, 70);
}

TEST(ReplyParserTest, KeepsOnlySoMuchText) {
  std::string bytes;
  for (int i = 0; i < 20; ++i) {
    bytes += "550-" + std::string(1000, 'x') + "\r\n";
  }
  bytes += "550 end\r\n";
  EXPECT_EQ(ParseWhole(bytes).text.size(), kMaxReplyTextBytes);
}

}  // namespace
}  // namespace sluice
