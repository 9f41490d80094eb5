#include "mail/smtp_reply.h"

#include <gtest/gtest.h>

#include "mail/disposition.h"

namespace sluice {
namespace {

TEST(EnhancedStatusTest, ReadsOnlyWhatRfc3463Allows) {
  EXPECT_EQ(EnhancedStatus::Parse("5.7.26"), (EnhancedStatus{5, 7, 26}));
  EXPECT_EQ(ToString(EnhancedStatus{4, 7, 650}), "4.7.650");
  for (const char* text :
       {"", "5", "5.7", "5.7.", "3.1.1", "5.7.1 ", "5.7.1x", "55.1.1", "5.1.1000", "a.b.c"}) {
    EXPECT_FALSE(EnhancedStatus::Parse(text)) << text;
  }
}

TEST(SmtpReplyTest, PrintsAndReadsBackTheSame) {
  for (const char* text :
       {"250 2.0.0 queued as 17", "550 no such user", "421", "451 4.7.1", "4.4.2 timed out"}) {
    const auto reply = ParseSmtpReply(text);
    ASSERT_TRUE(reply) << text;
    EXPECT_EQ(ToString(*reply), text);
  }
  EXPECT_FALSE(ParseSmtpReply("no reply at all"));
}

TEST(SmtpReplyTest, MarksWhatWeSayOurselvesWithCodeZero) {
  const SmtpReply reply = LocalReply({5, 3, 4}, "too\nlarge");
  EXPECT_EQ(reply.code, 0);
  EXPECT_FALSE(reply.is_permanent());
  EXPECT_EQ(ToString(reply), "5.3.4 too large");
}

TEST(SanitiseTest, NeverCutsACharacterAtTheBound) {
  std::string out;
  AppendSanitised(out, "ab\xe2\x82\xac", 4);
  EXPECT_EQ(out, "ab");
  AppendSanitised(out, "\xe2\x82\xac", 5);
  EXPECT_EQ(out, "ab\xe2\x82\xac");
}

TEST(SanitiseTest, KeepsOnlyWellFormedUtf8) {
  for (const char* bad :
       {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf8"}) {
    std::string out;
    AppendSanitised(out, bad, 100);
    EXPECT_EQ(out.find_first_not_of('?'), std::string::npos) << out;
  }
}

TEST(DispositionTest, NamesReadBack) {
  for (int i = 0; i < 3; ++i) {
    const auto value = static_cast<Disposition>(i);
    EXPECT_EQ(ParseDisposition(ToString(value)), value);
  }
  for (int i = 0; i <= static_cast<int>(ReplyClass::kOurBug); ++i) {
    const auto value = static_cast<ReplyClass>(i);
    EXPECT_EQ(ParseReplyClass(ToString(value)), value);
  }
  for (int i = 0; i <= static_cast<int>(Stage::kBody); ++i) {
    const auto value = static_cast<Stage>(i);
    EXPECT_EQ(ParseStage(ToString(value)), value);
  }
  EXPECT_FALSE(ParseReplyClass("THROTTLE"));
  EXPECT_EQ(ToString(ReplyClass::kBlockIp), "block_ip");
}

}  // namespace
}  // namespace sluice
