#include "egress/tls_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::egress {
namespace {

using testing::HasSubstr;

DomainTls DomainWith(StsMode mode, std::vector<std::string> mx) {
  auto policy = std::make_shared<StsPolicy>();
  policy->mode = mode;
  policy->mx = std::move(mx);
  auto answer = std::make_shared<StsAnswer>();
  answer->policy = policy;
  DomainTls domain;
  domain.domain = "example.com";
  domain.sts = answer;
  return domain;
}

DaneAnswer Dane(DaneState state) {
  DaneAnswer dane;
  dane.state = state;
  dane.base_domain = "base.example";
  dane.detail = "SERVFAIL";
  if (state == DaneState::kUsable) dane.records = {{3, 1, 1, std::string(32, 'x')}};
  return dane;
}

const DaneAnswer kNoDane;

TEST(TlsPlanTest, WithoutWishesTheShapingRuleDecides) {
  for (const TlsMode mode : {TlsMode::kOff, TlsMode::kOpportunistic, TlsMode::kRequired,
                             TlsMode::kVerified}) {
    const TlsPlan plan = PlanTls(mode, nullptr, "mx.example", kNoDane);
    EXPECT_EQ(plan.requirement.mode, mode);
    EXPECT_EQ(plan.policy, TlsPolicyType::kNone);
    EXPECT_FALSE(plan.refusal);
  }
}

TEST(TlsPlanTest, EnforcedMtaStsWantsAProvenHostThatItNames) {
  const DomainTls domain = DomainWith(StsMode::kEnforce, {"mx.example"});

  const TlsPlan plan = PlanTls(TlsMode::kOpportunistic, &domain, "mx.example", kNoDane);
  EXPECT_EQ(plan.requirement.mode, TlsMode::kVerified);
  EXPECT_EQ(plan.requirement.server_name, "mx.example");
  EXPECT_EQ(plan.policy, TlsPolicyType::kSts);

  const TlsPlan other = PlanTls(TlsMode::kOpportunistic, &domain, "other.example", kNoDane);
  ASSERT_TRUE(other.refusal);
  EXPECT_THAT(other.refusal->text, HasSubstr("other.example is not named by the MTA-STS policy"));
}

TEST(TlsPlanTest, TestingAndNoneChangeNothingButWhatIsReported) {
  const DomainTls testing = DomainWith(StsMode::kTesting, {"nobody.example"});
  const TlsPlan plan = PlanTls(TlsMode::kOpportunistic, &testing, "mx.example", kNoDane);
  EXPECT_EQ(plan.requirement.mode, TlsMode::kOpportunistic);
  EXPECT_FALSE(plan.refusal);
  EXPECT_EQ(plan.policy, TlsPolicyType::kSts);

  const DomainTls none = DomainWith(StsMode::kNone, {});
  EXPECT_EQ(PlanTls(TlsMode::kRequired, &none, "mx.example", kNoDane).policy, TlsPolicyType::kNone);
}

TEST(TlsPlanTest, DaneGoesBeforeMtaSts) {
  const DomainTls domain = DomainWith(StsMode::kEnforce, {"other.example"});
  const TlsPlan plan =
      PlanTls(TlsMode::kOpportunistic, &domain, "mx.example", Dane(DaneState::kUsable));
  EXPECT_FALSE(plan.refusal);
  EXPECT_EQ(plan.requirement.tlsa.size(), 1U);
  EXPECT_EQ(plan.requirement.server_name, "base.example");
  EXPECT_EQ(plan.policy, TlsPolicyType::kTlsa);
}

TEST(TlsPlanTest, UnusableRecordsWantEncryptionAndFailedLookupsRefuse) {
  const TlsPlan unusable =
      PlanTls(TlsMode::kOpportunistic, nullptr, "mx.example", Dane(DaneState::kUnusable));
  EXPECT_EQ(unusable.requirement.mode, TlsMode::kRequired);
  EXPECT_TRUE(unusable.requirement.tlsa.empty());
  EXPECT_EQ(PlanTls(TlsMode::kVerified, nullptr, "mx", Dane(DaneState::kUnusable)).requirement.mode,
            TlsMode::kVerified);

  const TlsPlan failed =
      PlanTls(TlsMode::kOpportunistic, nullptr, "mx.example", Dane(DaneState::kFailed));
  ASSERT_TRUE(failed.refusal);
  EXPECT_EQ(failed.failure, TlsFailure::kTlsaInvalid);
  EXPECT_THAT(failed.refusal->text, HasSubstr("SERVFAIL"));
}

TEST(TlsPlanTest, OffTurnsAllOfItOff) {
  const DomainTls domain = DomainWith(StsMode::kEnforce, {"other.example"});
  const TlsPlan plan = PlanTls(TlsMode::kOff, &domain, "mx.example", Dane(DaneState::kUsable));
  EXPECT_EQ(plan.requirement.mode, TlsMode::kOff);
  EXPECT_FALSE(plan.refusal);
}

TEST(TlsPlanTest, SessionsAreJudgedForTheReport) {
  const DomainTls testing = DomainWith(StsMode::kTesting, {"mx.example"});
  const TlsPlan plan = PlanTls(TlsMode::kOpportunistic, &testing, "mx.example", kNoDane);
  TlsFacts facts;
  facts.peer_verified = true;
  EXPECT_EQ(JudgeSession(plan, testing, "mx.example", &facts).failure, TlsFailure::kNone);
  EXPECT_EQ(JudgeSession(plan, testing, "other.example", &facts).failure,
            TlsFailure::kCertificateHostMismatch);
  EXPECT_EQ(JudgeSession(plan, testing, "mx.example", nullptr).failure,
            TlsFailure::kStarttlsNotSupported);
  facts.why_not = TlsFailure::kCertificateExpired;
  EXPECT_EQ(JudgeSession(plan, testing, "mx.example", &facts).failure,
            TlsFailure::kCertificateExpired);

  DomainTls broken;
  auto answer = std::make_shared<StsAnswer>();
  answer->failure = TlsFailure::kStsPolicyFetchError;
  broken.sts = answer;
  const TlsSession session = JudgeSession(TlsPlan(), broken, "mx.example", &facts);
  EXPECT_EQ(session.policy, TlsPolicyType::kSts);
  EXPECT_EQ(session.failure, TlsFailure::kStsPolicyFetchError);
}

TEST(TlsResultsTest, CountsByOutcomeForThoseWhoAskOnly) {
  TlsResults results;
  DomainTls domain = DomainWith(StsMode::kEnforce, {"mx.example"});
  TlsSession good, bad;
  good.policy = bad.policy = TlsPolicyType::kSts;
  bad.failure = TlsFailure::kCertificateExpired;
  bad.mx_host = "mx.example";
  const Instant now{std::chrono::hours(24)};
  results.Add(domain, good, now);
  EXPECT_TRUE(results.Take(10).empty());

  domain.report_to = {"mailto:r@example.com"};
  results.Add(domain, good, now);
  results.Add(domain, good, now);
  results.Add(domain, bad, now);

  auto taken = results.Take(10);
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].result.day, "1970-01-02");
  EXPECT_THAT(taken[0].result.policy_text, HasSubstr("mode: enforce\nmx: mx.example"));
  EXPECT_EQ(taken[0].count + taken[1].count, 3);
  results.GiveBack(taken);
  EXPECT_EQ(results.Take(1).size(), 1U);
  EXPECT_EQ(results.Take(10).size(), 1U);
  EXPECT_TRUE(results.Take(10).empty());
}

}  // namespace
}  // namespace sluice::egress
