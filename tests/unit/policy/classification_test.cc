#include "policy/classification.h"

#include <gtest/gtest.h>

#include <array>

namespace sluice {
namespace {

constexpr std::array kTransactionStages{Stage::kMail, Stage::kRcpt, Stage::kData, Stage::kBody};

Verdict Judge(std::string_view reply, Stage stage) {
  return Classify(*ParseSmtpReply(reply), stage);
}

TEST(ClassificationTest, DeliversOnlyOnAPositiveReplyToTheContent) {
  EXPECT_EQ(Judge("250 2.0.0 queued", Stage::kBody).disposition, Disposition::kDelivered);
  for (const Stage stage : {Stage::kConnect, Stage::kMail, Stage::kRcpt, Stage::kData}) {
    EXPECT_EQ(Judge("250 ok", stage).disposition, Disposition::kDeferred);
  }
  EXPECT_EQ(Judge("354 go on", Stage::kBody).disposition, Disposition::kDeferred);
}

TEST(ClassificationTest, DefersEvery4xxAndBouncesA5xxAtEveryStageOfATransaction) {
  for (const Stage stage : kTransactionStages) {
    EXPECT_EQ(Judge("451 later", stage).disposition, Disposition::kDeferred) << ToString(stage);
    EXPECT_EQ(Judge("499 odd", stage).disposition, Disposition::kDeferred) << ToString(stage);
    EXPECT_EQ(Judge("554 no", stage).disposition, Disposition::kBounced) << ToString(stage);
    EXPECT_EQ(Judge("599 odd", stage).disposition, Disposition::kBounced) << ToString(stage);
  }
}

TEST(ClassificationTest, NeverBlamesTheMessageForWhatTheHostSaysBeforeMail) {
  for (const Stage stage : {Stage::kBanner, Stage::kEhlo, Stage::kStarttls}) {
    for (const char* reply :
         {"421 busy", "554 no SMTP service here", "550 5.7.1 blocked", "521 no", "451 x"}) {
      const Verdict verdict = Judge(reply, stage);
      EXPECT_EQ(verdict.disposition, Disposition::kDeferred) << reply;
      EXPECT_TRUE(verdict.host_only) << reply;
    }
  }
  EXPECT_EQ(Judge("554 5.7.1 your IP is blocked", Stage::kEhlo).reply_class, ReplyClass::kBlockIp);
  EXPECT_EQ(Judge("554 go away", Stage::kBanner).reply_class, ReplyClass::kBlockIp);
}

TEST(ClassificationTest, Defers421WhereverItComes) {
  for (const Stage stage : kTransactionStages) {
    const Verdict verdict = Judge("421 4.3.2 closing", stage);
    EXPECT_EQ(verdict.disposition, Disposition::kDeferred);
    EXPECT_EQ(verdict.reply_class, ReplyClass::kRemoteSys);
    EXPECT_TRUE(verdict.host_only);
  }
}

TEST(ClassificationTest, TellsA552OfTheMailboxFromOneOfTheContent) {
  const Verdict at_rcpt = Judge("552 no room", Stage::kRcpt);
  EXPECT_EQ(at_rcpt.disposition, Disposition::kDeferred);
  EXPECT_EQ(at_rcpt.reply_class, ReplyClass::kRcptQuota);
  const Verdict at_dot = Judge("552 too much data", Stage::kBody);
  EXPECT_EQ(at_dot.disposition, Disposition::kBounced);
  EXPECT_EQ(at_dot.reply_class, ReplyClass::kPolicy);
  EXPECT_EQ(Judge("552 5.2.2 over quota", Stage::kBody).reply_class, ReplyClass::kRcptQuota);
  EXPECT_EQ(Judge("552 5.3.4 too big", Stage::kRcpt).disposition, Disposition::kBounced);
  EXPECT_EQ(Judge("552 5.3.4 too big", Stage::kMail).disposition, Disposition::kBounced);
}

TEST(ClassificationTest, CallsARecipientBadOnlyWhenTheReplySpeaksOfTheMailbox) {
  EXPECT_EQ(Judge("550 5.1.1 no such user", Stage::kRcpt).reply_class, ReplyClass::kRcptBad);
  EXPECT_EQ(Judge("550 no such user", Stage::kRcpt).reply_class, ReplyClass::kRcptBad);
  EXPECT_EQ(Judge("550 5.1.1 no such user", Stage::kBody).reply_class, ReplyClass::kRcptBad);
  EXPECT_EQ(Judge("550 5.7.1 not allowed", Stage::kRcpt).reply_class, ReplyClass::kPolicy);
  EXPECT_EQ(Judge("550 refused", Stage::kBody).reply_class, ReplyClass::kContent);
  EXPECT_EQ(Judge("550 refused", Stage::kMail).reply_class, ReplyClass::kUnknown);
}

TEST(ClassificationTest, TakesSyntaxErrorsForOurBug) {
  EXPECT_EQ(Judge("501 5.5.4 bad parameter", Stage::kMail).reply_class, ReplyClass::kOurBug);
  EXPECT_EQ(Judge("503 what", Stage::kData).reply_class, ReplyClass::kOurBug);
}

TEST(ClassificationTest, DefersSilenceAtEveryStageForAnotherHostToTry) {
  for (const Stage stage : {Stage::kConnect, Stage::kBanner, Stage::kMail, Stage::kBody}) {
    const Verdict verdict = Judge("4.4.2 timed out", stage);
    EXPECT_EQ(verdict.disposition, Disposition::kDeferred);
    EXPECT_EQ(verdict.reply_class, ReplyClass::kRemoteSys);
    EXPECT_TRUE(verdict.host_only);
  }
}

TEST(ClassificationTest, BouncesWhatWeRefuseBeforeTransmission) {
  EXPECT_EQ(Judge("5.6.3 no 8BITMIME", Stage::kLocal).disposition, Disposition::kBounced);
  EXPECT_EQ(Judge("5.3.4 too large", Stage::kLocal).disposition, Disposition::kBounced);
  EXPECT_EQ(Judge("5.1.10 null MX", Stage::kDns).reply_class, ReplyClass::kRcptBad);
  EXPECT_EQ(Judge("4.4.3 DNS down", Stage::kDns).disposition, Disposition::kDeferred);
}

TEST(ClassificationTest, AnswersForEveryCodeAndStage) {
  for (int code = 0; code <= 999; ++code) {
    for (int stage = 0; stage <= static_cast<int>(Stage::kBody); ++stage) {
      const SmtpReply reply{.code = code, .enhanced = std::nullopt, .text = {}};
      const Verdict verdict = Classify(reply, static_cast<Stage>(stage));
      EXPECT_FALSE(verdict.rule.empty());
      const bool may_bounce = code >= 500 && code <= 599;
      EXPECT_TRUE(may_bounce || verdict.disposition != Disposition::kBounced) << code;
    }
  }
}

}  // namespace
}  // namespace sluice
