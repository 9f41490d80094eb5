// Texts: every shipped rule with the reply that stands beside it, replies that must not be mistaken, the operator's rules.
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "base/text.h"
#include "policy/classification.h"
#include "policy/shipped_data.h"
#include "smtp/reply_parser.h"

namespace sluice {
namespace {

constexpr std::string_view kElsewhere = "mx.corp.example";

// As it comes over the wire: lines with code and status on each.
SmtpReply Heard(std::string_view lines) {
  std::string bytes;
  for (const char c : lines) bytes += c == '\n' ? std::string("\r\n") : std::string(1, c);
  bytes += "\r\n";
  ReplyParser parser;
  size_t consumed = 0;
  EXPECT_EQ(parser.Feed(bytes, consumed), ReplyParser::Result::kReply) << lines;
  return parser.reply();
}

// A host of the provider.
std::string HostOf(std::string_view provider) {
  for (const ShippedSuffix& row : ShippedSuffixes()) {
    if (ShippedProviders()[row.provider].name != provider) continue;
    std::string host(row.suffix);
    if (const size_t star = host.find('*'); star != std::string::npos) host[star] = 'x';
    return host.front() == '.' ? "mx1" + host : host;
  }
  return std::string(kElsewhere);
}

Verdict Judge(std::string_view lines, Stage stage, std::string_view host = kElsewhere) {
  return Classify(Heard(lines), stage, {.provider = {}, .mx_host = host});
}

Stage StageOf(const ShippedReply& row) {
  for (const Stage stage : {Stage::kBody, Stage::kRcpt, Stage::kMail, Stage::kBanner}) {
    if ((row.stages & StageBit(stage)) != 0) return stage;
  }
  return Stage::kBody;
}

class ShippedReplyTest : public ::testing::TestWithParam<size_t> {};

TEST_P(ShippedReplyTest, KnowsTheReplyBesideIt) {
  const ShippedReply& row = ShippedReplies()[GetParam()];
  const std::string_view first = row.providers.substr(0, row.providers.find(' '));
  const Verdict verdict = Judge(row.example, StageOf(row), HostOf(first));
  EXPECT_EQ(verdict.rule, row.name);
  EXPECT_EQ(verdict.reply_class, row.reply_class);
  EXPECT_EQ(verdict.scope, row.scope);
  ASSERT_NE(verdict.reaction, nullptr);
  EXPECT_EQ(verdict.reaction, &row.reaction);
  // At the end of a message a 5xx ends it, unless it only says "slow down" or is marked.
  static const std::set<ReplyClass> kLater{ReplyClass::kThrottle,   ReplyClass::kConnLimit, ReplyClass::kMsgPerConn,
                                           ReplyClass::kGreylist,   ReplyClass::kRcptRate,  ReplyClass::kRcptQuota};
  const bool ends = row.example[0] == '5' && !row.defer && !kLater.contains(row.reply_class);
  EXPECT_EQ(verdict.disposition, ends ? Disposition::kBounced : Disposition::kDeferred);
  EXPECT_EQ(verdict.is_transcoded, row.example[0] == '5' && !ends);
}

TEST_P(ShippedReplyTest, BlamesNoMessageBeforeMail) {
  const ShippedReply& row = ShippedReplies()[GetParam()];
  const std::string_view first = row.providers.substr(0, row.providers.find(' '));
  for (const Stage stage : {Stage::kBanner, Stage::kEhlo}) {
    EXPECT_EQ(Judge(row.example, stage, HostOf(first)).disposition, Disposition::kDeferred);
  }
}

TEST_P(ShippedReplyTest, SpeaksOnlyForItsProvider) {
  const ShippedReply& row = ShippedReplies()[GetParam()];
  if (row.providers.empty()) return;
  EXPECT_NE(Judge(row.example, StageOf(row)).rule, row.name);
}

INSTANTIATE_TEST_SUITE_P(Corpus, ShippedReplyTest, ::testing::Range(size_t{0}, ShippedReplies().size()),
                         [](const auto& row) { return std::string(ShippedReplies()[row.param].name); });

TEST(ReplyRulesTest, AreAllThere) {
  EXPECT_GE(ShippedReplies().size(), 100u);
  EXPECT_EQ(ReplyRules().size(), ShippedReplies().size());
}

struct Case {
  const char* reply;
  Stage stage;
  const char* host;
  Disposition disposition;
  ReplyClass reply_class;
  ReplyScope scope;
};

constexpr auto kBounced = Disposition::kBounced;
constexpr auto kDeferred = Disposition::kDeferred;

TEST(ReplyRulesTest, TellsApartWhatSoundsAlike) {
  const char* google = "aspmx.l.google.com";
  const char* m365 = "contoso.mail.protection.outlook.com";
  const char* mx = "mx.corp.example";
  const std::array cases{
      // Refused for our address: never a bad recipient, and only at MAIL or before nothing against the message.
      Case{"554 5.7.1 Client host [192.0.2.11] blocked using zen.spamhaus.org", Stage::kBanner, mx, kDeferred, ReplyClass::kDnsbl, ReplyScope::kSourceProvider},
      Case{"554 5.7.1 Client host [192.0.2.11] blocked using zen.spamhaus.org", Stage::kMail, mx, kDeferred, ReplyClass::kDnsbl, ReplyScope::kSourceProvider},
      Case{"554 5.7.1 Client host [192.0.2.11] blocked using zen.spamhaus.org", Stage::kRcpt, mx, kBounced, ReplyClass::kDnsbl, ReplyScope::kSourceProvider},
      Case{"550 5.1.1 <u@corp.example>: Recipient address rejected: blocked using bl.example.net", Stage::kRcpt, mx, kBounced, ReplyClass::kDnsbl, ReplyScope::kSourceProvider},
      Case{"550 5.1.1 Your IP 192.0.2.11 is blacklisted here, user unknown to it", Stage::kRcpt, mx, kBounced, ReplyClass::kBlockIp, ReplyScope::kSourceProvider},
      Case{"550 5.7.1 Your host 192.0.2.11 was rejected: poor reputation", Stage::kMail, mx, kDeferred, ReplyClass::kBlockIp, ReplyScope::kSourceProvider},
      Case{"550 5.1.1 u@corp.example listed at Spamhaus: invalid recipient", Stage::kRcpt, mx, kBounced, ReplyClass::kDnsbl, ReplyScope::kSourceProvider},
      // One tenant's own list is not the world's.
      Case{"550 5.7.1 Service unavailable, Client host [192.0.2.11] blocked using Customer Block List. AS16012609", Stage::kRcpt, m365, kBounced, ReplyClass::kPolicy, ReplyScope::kRecipientOrg},
      // Words inside words.
      Case{"550 5.1.1 jsmith not listed in Domino Directory", Stage::kRcpt, mx, kBounced, ReplyClass::kRcptBad, ReplyScope::kRecipient},
      Case{"550 5.7.1 marble and garbled text refused", Stage::kBody, mx, kBounced, ReplyClass::kPolicy, ReplyScope::kMessage},
      // The code says whether it is final.
      Case{"450 4.1.1 <u@corp.example>: user unknown", Stage::kRcpt, mx, kDeferred, ReplyClass::kUnknown, ReplyScope::kMessage},
      Case{"550 5.1.1 user unknown", Stage::kRcpt, mx, kBounced, ReplyClass::kRcptBad, ReplyScope::kRecipient},
      Case{"550 user unknown", Stage::kRcpt, mx, kBounced, ReplyClass::kRcptBad, ReplyScope::kRecipient},
      Case{"550 5.1.8 sender: user unknown", Stage::kMail, mx, kBounced, ReplyClass::kOurBug, ReplyScope::kMessage},
      Case{"552 1 Requested mail action aborted, mailbox not found", Stage::kRcpt, "mta5.am0.yahoodns.net", kBounced, ReplyClass::kRcptBad, ReplyScope::kRecipient},
      Case{"550 5.2.2 mailbox is full", Stage::kRcpt, mx, kDeferred, ReplyClass::kRcptQuota, ReplyScope::kRecipient},
      Case{"550 Ip frequency limited", Stage::kBody, "mx3.qq.com", kDeferred, ReplyClass::kThrottle, ReplyScope::kSourceProvider},
      Case{"550 Domain frequency limited", Stage::kBody, "mx3.qq.com", kDeferred, ReplyClass::kThrottle, ReplyScope::kSenderProvider},
      // The address at one provider, the domain, a link: one code of Gmail's.
      Case{"550-5.7.28 Gmail has detected an unusual rate of unsolicited mail originating\n550 5.7.28 from your IP address.", Stage::kMail, google, kDeferred, ReplyClass::kBlockIp, ReplyScope::kSourceProvider},
      Case{"550-5.7.1 likely unsolicited mail due to the very low reputation of the\n550 5.7.1 sending domain", Stage::kBody, google, kBounced, ReplyClass::kBlockDomain, ReplyScope::kSenderProvider},
      Case{"550 5.7.25 no PTR record", Stage::kMail, google, kDeferred, ReplyClass::kAuth, ReplyScope::kSource},
      Case{"550 5.7.25 no PTR record", Stage::kBody, google, kBounced, ReplyClass::kAuth, ReplyScope::kSource},
      Case{"550 5.7.26 the sender is unauthenticated", Stage::kMail, google, kBounced, ReplyClass::kAuth, ReplyScope::kSenderProvider},
      // Microsoft blocks a range: the mail survives.
      Case{"550 5.7.1 Unfortunately, messages from [192.0.2.11] weren't sent. part of their network is on our block list (S3150).", Stage::kBody, m365, kDeferred, ReplyClass::kBlockIp, ReplyScope::kSourceProvider},
      // Nothing known.
      Case{"421 4.3.2 shutting down", Stage::kBody, mx, kDeferred, ReplyClass::kRemoteSys, ReplyScope::kSourceProvider},
      Case{"554 5.6.0 refused", Stage::kBody, mx, kBounced, ReplyClass::kContent, ReplyScope::kMessage},
  };
  for (const Case& c : cases) {
    const Verdict verdict = Judge(c.reply, c.stage, c.host);
    EXPECT_EQ(verdict.disposition, c.disposition) << c.reply << " at " << ToString(c.stage) << " by " << verdict.rule;
    EXPECT_EQ(verdict.reply_class, c.reply_class) << c.reply << " by " << verdict.rule;
    EXPECT_EQ(verdict.scope, c.scope) << c.reply << " by " << verdict.rule;
  }
}

TEST(ReplyRulesTest, ReadNothingIntoSuccessOrIntoWhatWeSayOurselves) {
  EXPECT_EQ(Judge("250 2.0.0 not listed at spamhaus", Stage::kBody).disposition, Disposition::kDelivered);
  const Verdict local = Classify(LocalReply({4, 4, 2}, "greylist try again in 5 minutes"), Stage::kBody);
  EXPECT_EQ(local.reply_class, ReplyClass::kRemoteSys);
  EXPECT_FALSE(local.retry_after.has_value());
}

TEST(ReplyRulesTest, MatchTheWholeOfALongReplyWithoutItsRepeatedCodes) {
  const Verdict verdict = Judge("421-4.7.28 Gmail has detected an unusual rate of\n421-4.7.28 mail originating from\n421 4.7.28 your IP address",
                                Stage::kBody, "aspmx.l.google.com");
  EXPECT_EQ(verdict.rule, "google_rate_source");
  // The same, joined by somebody who kept them.
  SmtpReply joined = Heard("421 4.7.28 unusual rate of");
  joined.text += " 421-4.7.28 mail originating from your 421 4.7.28 IP address";
  EXPECT_EQ(Classify(joined, Stage::kBody, {.provider = {}, .mx_host = "aspmx.l.google.com"}).rule, "google_rate_source");
}

TEST(ReplyRulesTest, ReadWhenThePeerWantsToBeAskedAgain) {
  using std::chrono::seconds;
  const auto asked = [](const char* reply) { return Judge(reply, Stage::kRcpt).retry_after; };
  EXPECT_EQ(asked("450 4.2.0 Greylisted, please try again in 300 seconds"), seconds(310));
  EXPECT_EQ(asked("451 4.7.1 Try again in 5 minutes"), seconds(310));
  EXPECT_EQ(asked("450 greylisted for 2 hours"), seconds(7210));
  EXPECT_EQ(asked("451 Greylisting in action, please come back in 00:04:59"), seconds(309));
  EXPECT_EQ(asked("421 please retry after 60s"), seconds(70));
  EXPECT_EQ(asked("451 try again in 9999999 hours"), kMostRetryAfter);
  EXPECT_EQ(asked("450 try again in 0 seconds"), seconds(11));
  EXPECT_EQ(asked("450 4.2.1 you have sent too many messages in 24 hours"), std::nullopt);
  EXPECT_EQ(asked("450 4.2.0 try again later"), std::nullopt);
  EXPECT_EQ(asked("550 5.7.1 no; try again in 5 minutes"), std::nullopt) << "a bounce is not tried again";
  EXPECT_EQ(asked("452 4.2.2 mailbox full"), std::chrono::hours(24)) << "by the rule";
}

TEST(ReplyRulesTest, NameWhomGmailBlames) {
  const auto blamed = [](const char* text) {
    const Verdict verdict = Judge(Cat("421 4.7.28 unusual rate of unsolicited mail originating from your ", text), Stage::kBody, "aspmx.l.google.com");
    return std::pair(verdict.culprit, verdict.culprit_name);
  };
  EXPECT_EQ(blamed("IP address"), std::pair(Culprit::kAddress, std::string()));
  EXPECT_EQ(blamed("IP Netblock [192.0.2.0/24      38]. To protect your IP address"), std::pair(Culprit::kNetblock, std::string("192.0.2.0/24")));
  EXPECT_EQ(blamed("DKIM domain [Shop.Example      35]."), std::pair(Culprit::kDkimDomain, std::string("shop.example")));
  EXPECT_EQ(blamed("SPF domain [shop.example 35]."), std::pair(Culprit::kSpfDomain, std::string("shop.example")));
  EXPECT_EQ(blamed("URL domains."), std::pair(Culprit::kUrlDomains, std::string()));
}

TEST(ReplyRulesTest, PutTheOperatorsFirst) {
  ReplyRule mine;
  mine.name = "mine";
  mine.providers = {"partner"};
  mine.pattern = "Over Capacity (today|now)|user unknown";
  mine.stages = {Stage::kRcpt};
  mine.reply_class = ReplyClass::kThrottle;
  const ReplyRules rules({mine});
  const SmtpReply reply = Heard("550 5.1.1 over capacity NOW");
  const Verdict verdict = rules.Classify(reply, Stage::kRcpt, {.provider = "partner", .mx_host = {}});
  EXPECT_EQ(verdict.rule, "mine");
  EXPECT_EQ(verdict.scope, ReplyScope::kSourceProvider);
  EXPECT_EQ(verdict.disposition, kDeferred);
  EXPECT_EQ(rules.Classify(Heard("550 user unknown"), Stage::kRcpt, {.provider = "partner", .mx_host = {}}).rule, "mine");
  EXPECT_EQ(rules.Classify(reply, Stage::kBody, {.provider = "partner", .mx_host = {}}).rule, "no_such_mailbox");
  EXPECT_EQ(rules.Classify(reply, Stage::kRcpt, {.provider = "other", .mx_host = {}}).rule, "no_such_mailbox");
}

TEST(ReplyRulesTest, LetTheOperatorSayWhatBecomesOfTheMessage) {
  ReplyRule mine;
  mine.name = "mine";
  mine.pattern = "never again";
  mine.code_from = 450;
  mine.code_to = 450;
  mine.reply_class = ReplyClass::kRcptBad;
  mine.scope = ReplyScope::kRecipientOrg;
  mine.disposition = kBounced;
  const ReplyRules rules({mine});
  const Verdict verdict = rules.Classify(Heard("450 4.0.0 never again"), Stage::kRcpt);
  EXPECT_EQ(verdict.disposition, kBounced);
  EXPECT_EQ(verdict.scope, ReplyScope::kRecipientOrg);
  EXPECT_EQ(rules.Classify(Heard("451 4.0.0 never again"), Stage::kRcpt).disposition, kDeferred);
}

TEST(ReplyRulesTest, LeaveOutAPatternThatIsNone) {
  ReplyRule broken;
  broken.name = "broken";
  broken.pattern = "(";
  EXPECT_EQ(ReplyRules({broken}).size(), ShippedReplies().size());
}

}  // namespace
}  // namespace sluice
