#include "policy/automation.h"

#include <gtest/gtest.h>

#include "policy/reply_text.h"

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const Instant kNow{Duration(1'700'000'000'000'000)};

SmtpReply Reply(int code, std::string text) {
  SmtpReply reply;
  reply.code = code;
  reply.text = std::move(text);
  return reply;
}

SmtpReply Slowed() {
  SmtpReply reply = Reply(451, "slow down");
  reply.enhanced = EnhancedStatus{4, 4, 5};
  return reply;
}

struct AutomationTest : ::testing::Test {
  // As the reply of an MX host of the provider at the end of content.
  Automation::Outcome Refuse(const SmtpReply& reply, Instant now, const std::string& mx_host = "mx.example.com",
                             const std::string& source = "ip-11", bool counts = true) {
    const std::string text = MatchText(reply), shown = ToString(reply);
    const Refusal refusal{.mail = {.source = source, .provider = "yahoo", .pool = "warm", .tenant = "shop", .stream = "marketing",
                                   .campaign = "autumn", .domain = "example.com"},
                          .sender_domain = "shop.example",
                          .text = text,
                          .reply = shown,
                          .verdict = Classify(reply, Stage::kMail, {.provider = "yahoo", .mx_host = mx_host})};
    return automation.OnRefusal(*rules, refusal, 10, counts, now);
  }
  void Use(std::vector<AutomationRule> given) {
    std::vector<PlacedAutomation> placed;
    for (size_t i = 0; i < given.size(); ++i) placed.push_back({static_cast<int>(i), given[i]});
    rules = std::make_unique<AutomationRules>(std::move(placed));
  }
  Automation automation;
  std::unique_ptr<AutomationRules> rules = std::make_unique<AutomationRules>();
};

AutomationRule OnTss04() {
  AutomationRule rule;
  rule.match.provider = "yahoo";
  rule.match.reply = R"(\[TSS04\])";
  rule.when = Rate{2, hours(1)};
  rule.suspend = hours(2);
  return rule;
}

TEST_F(AutomationTest, TwoAnHourCountsAnHour) {
  Use({OnTss04()});
  const SmtpReply reply = Reply(421, "4.7.0 [TSS04] Messages temporarily deferred");
  EXPECT_TRUE(Refuse(reply, kNow).reactions.empty());
  EXPECT_TRUE(Refuse(reply, kNow + minutes(61)).reactions.empty()) << "the first is too long ago";
  const auto outcome = Refuse(reply, kNow + minutes(61 + 59));
  ASSERT_EQ(outcome.reactions.size(), 1U);
  const Reaction& reaction = outcome.reactions[0];
  EXPECT_EQ(ToString(reaction.scope), "source=ip-11 provider=yahoo");
  EXPECT_EQ(reaction.rule, "automation[0]");
  EXPECT_TRUE(reaction.value.suspend);
  EXPECT_EQ(reaction.until, kNow + minutes(120) + hours(2));
  EXPECT_NE(reaction.evidence.find("[TSS04]"), std::string::npos);
  EXPECT_NE(reaction.evidence.find("2 times within 1h"), std::string::npos);
  EXPECT_TRUE(Refuse(reply, kNow + minutes(121)).reactions.empty()) << "it counts anew";
}

TEST_F(AutomationTest, SourcesCountForThemselvesAndRecipientsOfOneTransactionOnce) {
  Use({OnTss04()});
  const SmtpReply reply = Reply(421, "4.7.0 [TSS04] Messages temporarily deferred");
  EXPECT_TRUE(Refuse(reply, kNow).reactions.empty());
  EXPECT_TRUE(Refuse(reply, kNow, "mx.example.com", "ip-12").reactions.empty());
  EXPECT_TRUE(Refuse(reply, kNow, "mx.example.com", "ip-11", /*counts=*/false).reactions.empty());
  EXPECT_EQ(Refuse(reply, kNow).reactions.size(), 1U);
}

TEST_F(AutomationTest, AShareIsOfThePresentRateAndSaysSo) {
  AutomationRule rule;
  rule.match.reply_class = "throttle";
  rule.slow_to = 0.5;
  rule.connections = 2;
  Use({rule});
  const auto outcome = Refuse(Slowed(), kNow);
  ASSERT_EQ(outcome.reactions.size(), 1U);
  EXPECT_EQ(outcome.reactions[0].value, (ConstraintValue{.connections = 2, .rate = Rate{18'000, hours(1)}}));
  EXPECT_NE(outcome.reactions[0].evidence.find("slow down"), std::string::npos);
  EXPECT_EQ(outcome.reactions[0].until, kNow + Automation::kUsualLife);
}

TEST_F(AutomationTest, TheMessageItselfIsJudgedEveryTime) {
  AutomationRule rule;
  rule.match.reply = "S3150";
  rule.when = Rate{5, hours(1)};
  rule.suspend = hours(24);
  rule.transcode = 451;
  rule.retry_after = hours(3);
  Use({rule});
  const auto outcome = Refuse(Reply(550, "5.7.1 Part of their network is on our block list (S3150)"), kNow);
  EXPECT_EQ(outcome.transcode, 451);
  EXPECT_EQ(outcome.retry_after, hours(3));
  EXPECT_EQ(outcome.rule, "automation[0]");
  EXPECT_TRUE(outcome.reactions.empty()) << "one of five";
}

TEST_F(AutomationTest, ATenantOrADomainIsSuspendedWhereTheRuleSaysSo) {
  AutomationRule tenant = OnTss04(), domain = OnTss04();
  tenant.when.reset();
  tenant.scope = SuspendScope::kTenant;
  domain.when.reset();
  domain.scope = SuspendScope::kDomain;
  Use({tenant, domain});
  const auto outcome = Refuse(Reply(421, "4.7.0 [TSS04] Messages temporarily deferred"), kNow);
  ASSERT_EQ(outcome.reactions.size(), 2U);
  EXPECT_EQ(ToString(outcome.reactions[0].scope), "tenant=shop");
  EXPECT_EQ(ToString(outcome.reactions[1].scope), "domain=example.com");
}

TEST_F(AutomationTest, WhatIsShippedWithTheReplyActsWhereNoRuleDoes) {
  const SmtpReply reply = Reply(421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred");
  const std::string mx = "mta5.am0.yahoodns.net";
  EXPECT_TRUE(Refuse(reply, kNow, mx).reactions.empty());
  const auto outcome = Refuse(reply, kNow + minutes(1), mx);
  ASSERT_EQ(outcome.reactions.size(), 1U);
  EXPECT_TRUE(outcome.reactions[0].value.suspend);
  EXPECT_EQ(outcome.reactions[0].until, kNow + minutes(1) + hours(2));

  AutomationRule mild;
  mild.match.provider = "yahoo";
  mild.match.reply = "TSS04";
  mild.connections = 1;
  Use({mild});
  EXPECT_FALSE(Refuse(reply, kNow + minutes(2), mx).reactions[0].value.suspend) << "the operator's rule takes its place";
}

TEST_F(AutomationTest, OthersRepliesAndMailAreNotMeant) {
  AutomationRule rule = OnTss04();
  rule.when.reset();
  rule.match.tenant = "other";
  Use({rule});
  EXPECT_TRUE(Refuse(Reply(421, "4.7.0 [TSS04] later"), kNow).reactions.empty());
  rule.match.tenant.clear();
  Use({rule});
  EXPECT_TRUE(Refuse(Reply(421, "4.7.0 [TSS05] later"), kNow).reactions.empty());
}

}  // namespace
}  // namespace sluice
