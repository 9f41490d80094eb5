#include "smtp/server_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

struct ServerSessionTest : ::testing::Test {
  ServerSessionTest() {
    rules.host_name = "mx.test";
    rules.accepts = [](std::string_view domain) { return domain == "bounces.test"; };
  }
  // All the replies to `bytes`, fed `step` bytes at a time; every message is answered 250.
  std::string Talk(std::string_view bytes, size_t step = 1 << 20) {
    std::string replies;
    while (!bytes.empty() && !session.is_over()) {
      std::string_view piece = bytes.substr(0, step);
      bytes.remove_prefix(piece.size());
      while (!piece.empty()) {
        if (auto got = session.Feed(piece, replies)) {
          mail.push_back(*std::move(got));
          session.Finish("250 taken", replies);
        }
      }
    }
    return replies;
  }
  SmtpServerSession::Rules rules;
  SmtpServerSession session{rules};
  std::vector<ReceivedMail> mail;
};

constexpr std::string_view kOne =
    "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<b-x@Bounces.test>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\nend\r\n.\r\nQUIT\r\n";

TEST_F(ServerSessionTest, TakesAMessageHoweverItIsCut) {
  for (const size_t step : {size_t{1}, size_t{7}, kOne.size()}) {
    session = SmtpServerSession(rules);
    mail.clear();
    EXPECT_THAT(Talk(kOne, step), HasSubstr("250 taken\r\n221 "));
    ASSERT_THAT(mail, SizeIs(1));
    EXPECT_EQ(mail[0].from, "");
    EXPECT_THAT(mail[0].to, ElementsAre("b-x@Bounces.test"));
    EXPECT_EQ(mail[0].content, "Subject: x\r\n\r\n.dot\r\nend\r\n");
  }
}

TEST_F(ServerSessionTest, TakesOnlyItsOwnDomains) {
  EXPECT_THAT(Talk("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<x@else.test>\r\nDATA\r\n"),
              HasSubstr("550 5.7.1"));
  EXPECT_THAT(mail, SizeIs(0));
}

TEST_F(ServerSessionTest, RefusesWhatIsTooLargeAndGoesOn) {
  rules.most_bytes = 100;
  const std::string big = Cat("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<x@bounces.test>\r\nDATA\r\n",
                              std::string(50, 'x'), "\r\n", std::string(60, 'y'), "\r\n.\r\n");
  EXPECT_THAT(Talk(big), HasSubstr("552 5.3.4"));
  EXPECT_THAT(mail, SizeIs(0));
  Talk("MAIL FROM:<a@b>\r\nRCPT TO:<x@bounces.test>\r\nDATA\r\nsmall\r\n.\r\n");
  EXPECT_THAT(mail, SizeIs(1));
}

TEST_F(ServerSessionTest, ABareDotLineWithoutCrEndsNothingElseThanItself) {
  Talk("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<x@bounces.test>\r\nDATA\r\nMAIL FROM:<in content>\r\n.\r\n");
  ASSERT_THAT(mail, SizeIs(1));
  EXPECT_EQ(mail[0].content, "MAIL FROM:<in content>\r\n");
}

TEST_F(ServerSessionTest, BoundsErrorsMessagesRecipientsAndLines) {
  EXPECT_THAT(Talk(std::string(4'000, 'z')), "");
  EXPECT_THAT(Talk(std::string(4'000, 'z') + "\r\n"), HasSubstr("500 5.5.2"));
  std::string many;
  for (int i = 0; i < 20; ++i) many += "BOGUS\r\n";
  EXPECT_THAT(Talk(many), HasSubstr("421 4.7.0"));
  EXPECT_TRUE(session.is_over());

  session = SmtpServerSession(rules);
  std::string recipients = "EHLO a\r\nMAIL FROM:<>\r\n";
  for (int i = 0; i < 12; ++i) recipients += "RCPT TO:<x@bounces.test>\r\n";
  EXPECT_THAT(Talk(recipients), HasSubstr("452 4.5.3"));

  rules.most_messages = 2;
  session = SmtpServerSession(rules);
  const std::string one = "MAIL FROM:<>\r\nRCPT TO:<x@bounces.test>\r\nDATA\r\nx\r\n.\r\n";
  EXPECT_THAT(Talk(Cat("EHLO a\r\n", one, one, one)), HasSubstr("421 4.7.0 enough"));
}

TEST_F(ServerSessionTest, NeedsTheRightOrder) {
  EXPECT_THAT(Talk("MAIL FROM:<>\r\n"), HasSubstr("503"));
  EXPECT_THAT(Talk("EHLO a\r\nRCPT TO:<x@bounces.test>\r\n"), HasSubstr("503"));
  EXPECT_THAT(Talk("MAIL FROM:<>\r\nDATA\r\n"), HasSubstr("503"));
}

}  // namespace
}  // namespace sluice
