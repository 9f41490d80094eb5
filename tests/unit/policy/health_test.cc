#include "policy/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/classification.h"

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

const HealthSubject kAtGoogle{.source = "ip-11", .provider = "google"};
const HealthSubject kEverywhere{.source = "ip-11"};

// One subject over time.
struct Patient {
  void Say(std::string_view kind, int64_t n, ReplyClass reply_class = ReplyClass::kNone,
           ReplyScope scope = ReplyScope::kSourceProvider, std::string_view reply = "") {
    history.Add(now, CountsOf(kind, reply_class, scope, n), reply);
  }
  void Delivered(int64_t n) { Say("delivered", n); }
  void Blocked(int64_t n, ReplyScope scope = ReplyScope::kSourceProvider) {
    Say("deferred", n, ReplyClass::kBlockIp, scope, "550 5.7.1 blocked");
  }
  HealthState Judge(const HealthSubject& subject = kAtGoogle) {
    const HealthStatus before = status;
    status = JudgeHealth(rules, subject, status, {history, opinions, suspended_providers}, now);
    if (status.counted_from != before.counted_from || status.probing_since != before.probing_since) history.Cut();
    return status.state;
  }
  HealthState Pass(Duration by, const HealthSubject& subject = kAtGoogle) {
    now += by;
    return Judge(subject);
  }
  std::optional<ConstraintValue> Value() const { return HealthValue(status, FindHealthRule(rules, status.rule)); }

  std::vector<HealthRule> rules = ShippedHealthRules();
  Instant now = FromMicros(1'800'000'000'000'000);
  HealthStatus status;
  HealthHistory history;
  std::vector<Opinion> opinions;
  int suspended_providers = 0;
};

TEST(HealthTest, WhoDeliversIsHealthy) {
  Patient ip;
  ip.Delivered(10'000);
  ip.Say("bounced", 20, ReplyClass::kRcptBad, ReplyScope::kRecipient);
  EXPECT_EQ(ip.Judge(), HealthState::kHealthy);
  EXPECT_EQ(ip.Value(), std::nullopt);
}

TEST(HealthTest, FewBlocksSayNothingAndManySuspendWithTheReplyAsEvidence) {
  Patient ip;
  ip.Delivered(100);
  ip.Blocked(4);
  EXPECT_EQ(ip.Judge(), HealthState::kHealthy);
  EXPECT_LT(ip.status.score, 100) << "it presses already";
  ip.Pass(seconds(2));
  ip.Blocked(30);
  EXPECT_EQ(ip.Judge(), HealthState::kSuspended);
  EXPECT_EQ(ip.status.rule, "blocked");
  EXPECT_THAT(ip.status.evidence, HasSubstr("34 of 134 attempts"));
  EXPECT_THAT(ip.status.evidence, HasSubstr("550 5.7.1 blocked"));
  EXPECT_EQ(ToString(*ip.Value()), "suspend");
}

TEST(HealthTest, AHandfulAmongThousandsIsNoBlock) {
  Patient ip;
  ip.Delivered(5'000);
  ip.Blocked(40);
  EXPECT_EQ(ip.Judge(), HealthState::kHealthy);
}

TEST(HealthTest, ProbesBeginAtHalfAndLeadBackAStateATime) {
  Patient ip;
  ip.Delivered(600);
  ip.Blocked(200);
  ASSERT_EQ(ip.Judge(), HealthState::kSuspended);
  ip.Blocked(50);  // Was under way.
  ip.Pass(minutes(14));
  EXPECT_FALSE(ip.status.is_probing());
  ip.Pass(minutes(1));
  ASSERT_TRUE(ip.status.is_probing());
  EXPECT_EQ(ToString(*ip.Value()), "suspend trickle=1/5m");
  ip.Pass(minutes(5));
  ip.Delivered(2);
  EXPECT_EQ(ip.Judge(), HealthState::kSuspended) << "two are not three";
  ip.Pass(minutes(5));
  ip.Delivered(1);
  ASSERT_EQ(ip.Judge(), HealthState::kThrottled);
  EXPECT_EQ(ToString(*ip.Value()), "suspend trickle=40/min") << "half of the 80 a minute it sent";
  EXPECT_EQ(ip.Pass(minutes(31)), HealthState::kWatch);
  EXPECT_EQ(ip.Value(), std::nullopt);
  EXPECT_EQ(ip.Pass(minutes(31)), HealthState::kHealthy);
}

TEST(HealthTest, ARefusedProbeRestsTwiceAsLongUpToTheLongest) {
  Patient ip;
  ip.Blocked(20);
  ip.Judge();
  Duration rest = ip.status.until - ip.now;
  for (int i = 0; i < 12; ++i) {
    ip.Pass(rest / 2);
    ASSERT_TRUE(ip.status.is_probing());
    ip.Pass(seconds(1));
    ip.Blocked(1);
    ASSERT_EQ(ip.Judge(), HealthState::kSuspended);
    EXPECT_FALSE(ip.status.is_probing());
    const Duration next = ip.status.until - ip.now;
    EXPECT_EQ(next, std::min<Duration>(rest * 2, hours(72)));
    rest = next;
  }
}

TEST(HealthTest, ASecondBlockWithinAWeekRestsLongerAndAfterItAsTheFirst) {
  Patient ip;
  ip.Blocked(20);
  ip.Judge();
  const Duration first = ip.status.until - ip.now;
  const auto recover = [&] {
    while (!ip.status.is_probing()) ip.Pass(minutes(5));
    ip.Pass(seconds(1));
    ip.Delivered(3);
    while (ip.Judge() != HealthState::kHealthy) ip.now += minutes(10);
  };
  recover();
  ip.Blocked(20);
  ASSERT_EQ(ip.Judge(), HealthState::kSuspended);
  EXPECT_EQ(ip.status.until - ip.now, first * 2);
  recover();
  ip.now += hours(24 * 8);
  ip.history.Trim(ip.now);
  ip.Blocked(20);
  ASSERT_EQ(ip.Judge(), HealthState::kSuspended);
  EXPECT_EQ(ip.status.until - ip.now, first);
}

TEST(HealthTest, WhatIsSaidOfTheSenderIsNotCountedAgainstTheAddress) {
  Patient ip;
  ip.Say("bounced", 500, ReplyClass::kAuth, ReplyScope::kSenderProvider);
  EXPECT_EQ(ip.Judge(), HealthState::kHealthy);
  const HealthSubject shop{.tenant = "shop", .provider = "google"};
  ip.status = {};
  EXPECT_EQ(ip.Judge(shop), HealthState::kSuspended);
  EXPECT_EQ(ToString(HealthScope(shop)), "provider=google tenant=shop");
}

TEST(HealthTest, AGlobalReasonQuarantinesTheSourceEverywhere) {
  Patient ip;
  ip.Delivered(100);
  ip.Blocked(40, ReplyScope::kSource);
  EXPECT_EQ(ip.Judge(kEverywhere), HealthState::kQuarantined);
  EXPECT_EQ(ip.status.rule, "blocked_everywhere");
  Patient local;
  local.Delivered(100);
  local.Blocked(40);
  EXPECT_EQ(local.Judge(kEverywhere), HealthState::kHealthy) << "one provider's block is that provider's";
  local.suspended_providers = 3;
  EXPECT_EQ(local.Judge(kEverywhere), HealthState::kQuarantined);
}

TEST(HealthTest, AnOpinionStandsAsLongAsItIsSaidThenProbesLeadBack) {
  Patient ip;
  ip.opinions = {{"listed_critical", "zen.spamhaus.org 127.0.0.2"}};
  ASSERT_EQ(ip.Judge(kEverywhere), HealthState::kQuarantined);
  EXPECT_THAT(ip.status.evidence, HasSubstr("zen.spamhaus.org"));
  EXPECT_EQ(ip.Pass(hours(30), kEverywhere), HealthState::kQuarantined);
  EXPECT_FALSE(ip.status.is_probing());
  ip.opinions.clear();
  ip.Pass(seconds(1), kEverywhere);
  ASSERT_TRUE(ip.status.is_probing());
  ip.Pass(seconds(1), kEverywhere);
  ip.Delivered(3);
  EXPECT_EQ(ip.Judge(kEverywhere), HealthState::kThrottled);
}

TEST(HealthTest, AWorseOpinionOvertakesAndALesserOneDoesNot) {
  Patient ip;
  ip.opinions = {{"listed_medium", "a"}};
  EXPECT_EQ(ip.Judge(kEverywhere), HealthState::kWatch);
  ip.opinions.push_back({"listed_critical", "b"});
  EXPECT_EQ(ip.Judge(kEverywhere), HealthState::kQuarantined);
  ip.opinions = {{"listed_medium", "a"}};
  ip.Pass(minutes(1), kEverywhere);
  EXPECT_EQ(ip.Judge(kEverywhere), HealthState::kQuarantined) << "probes first";
}

TEST(HealthTest, ComplaintsAndBadRecipientsNeedNumbersAndShare) {
  Patient ip;
  ip.Delivered(1'000);
  ip.Say("complained", 2);
  EXPECT_EQ(ip.Judge(), HealthState::kHealthy);
  ip.Say("complained", 10);
  EXPECT_EQ(ip.Judge(), HealthState::kThrottled);
  Patient list;
  list.Delivered(500);
  list.Say("bounced", 40, ReplyClass::kRcptBad, ReplyScope::kRecipient);
  EXPECT_EQ(list.Judge(), HealthState::kWatch);
  list.Say("bounced_later", 60, ReplyClass::kRcptBad, ReplyScope::kRecipient);
  EXPECT_EQ(list.Judge(), HealthState::kThrottled);
}

TEST(HealthTest, APolicyChangesFieldsAndTurnsRulesOff) {
  const auto rules = HealthRulesOf({{.rule = "blocked", .rest = seconds(4), .least = 2}, {.rule = "throttled", .disabled = true}});
  EXPECT_EQ(FindHealthRule(rules, "throttled"), nullptr);
  const HealthRule* blocked = FindHealthRule(rules, "blocked");
  EXPECT_EQ(blocked->rest, seconds(4));
  EXPECT_EQ(blocked->least, 2);
  EXPECT_EQ(blocked->over, minutes(15));
  Patient ip;
  ip.Blocked(100);
  ASSERT_EQ(ip.Judge(), HealthState::kSuspended);
  ip.rules = HealthRulesOf({{.rule = "blocked", .disabled = true}});
  EXPECT_EQ(ip.Judge(), HealthState::kHealthy) << "nobody else would end it";
}

TEST(HealthHistoryTest, ADayFitsIntoBoundedMemoryAndAddsUp) {
  HealthHistory history;
  const Instant start = FromMicros(1'800'000'000'000'000);
  for (int i = 0; i < 24 * 3'600; ++i) history.Add(start + seconds(i), CountsOf("delivered", ReplyClass::kNone, {}, 1), "");
  EXPECT_LE(history.slices(), 600U);
  EXPECT_EQ(At(history.Sum(start), HealthSignal::kDelivered), 24 * 3'600);
  const Instant end = start + hours(24);
  EXPECT_NEAR(static_cast<double>(At(history.Sum(end - minutes(10)), HealthSignal::kDelivered)), 600, 6);
  EXPECT_TRUE(history.Trim(end + hours(25)));
}

TEST(HealthHistoryTest, ACutTellsTheSameMomentApart) {
  HealthHistory history;
  const Instant at = FromMicros(1'800'000'000'000'000);
  history.Add(at, CountsOf("delivered", ReplyClass::kNone, {}, 1), "");
  history.Cut();
  history.Add(at + seconds(1), CountsOf("delivered", ReplyClass::kNone, {}, 5), "");
  EXPECT_EQ(At(history.Sum(at + seconds(1)), HealthSignal::kDelivered), 5);
}

TEST(HealthRulesTest, EveryShippedRuleHasARemedyAndASmallestSample) {
  for (const HealthRule& rule : ShippedHealthRules()) {
    EXPECT_FALSE(rule.remedy.empty()) << rule.name;
    EXPECT_GT(rule.rest, Duration::zero()) << rule.name;
    if (rule.opinion.empty() && rule.providers == 0) {
      EXPECT_GE(rule.least, 3) << rule.name;
    }
  }
}

TEST(HealthTest, AnOpinionWithANumberFiresFromTheShareOfItsRuleOn) {
  Patient domain;
  const HealthSubject at_google{.sender_domain = "shop.example", .provider = "google"};
  domain.opinions = {{"google_spam_rate", "postmaster spam_rate: 0.05 %", 0.0005}};
  EXPECT_EQ(domain.Judge(at_google), HealthState::kHealthy);
  EXPECT_LT(domain.status.score, 100) << "half of the way there";
  EXPECT_THAT(domain.status.worst, HasSubstr("0.05 %"));
  EXPECT_EQ(VerdictOf(domain.rules, domain.opinions[0]), "good");
  domain.opinions[0].amount = 0.001;
  EXPECT_EQ(domain.Judge(at_google), HealthState::kWatch);
  EXPECT_EQ(VerdictOf(domain.rules, domain.opinions[0]), "warning");
  HealthRulePolicy change;
  change.rule = "google_spam_rate";
  change.share = 0.002;
  EXPECT_EQ(VerdictOf(HealthRulesOf({change}), domain.opinions[0]), "good") << "a policy moves it";
  EXPECT_EQ(VerdictOf(domain.rules, {.word = "snds_red"}), "bad");
  EXPECT_EQ(VerdictOf(domain.rules, {.word = "nobody's"}), "good");
}

}  // namespace
}  // namespace sluice
