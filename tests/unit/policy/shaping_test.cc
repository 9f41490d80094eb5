#include "policy/shaping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace sluice {
namespace {

constexpr Instant kNow{std::chrono::hours(1000)};

std::vector<PlacedRule> Rules(std::vector<ShapingRule> rules) {
  PolicyDocument policy;
  policy.shaping = std::move(rules);
  return PlacedRules(policy);
}

TEST(ShapingTest, WithoutRulesTheShippedCatalogueCounts) {
  const ShapingTable table;
  const EffectiveLimits google = table.Resolve({.source = "ip-1", .provider = "google"});
  EXPECT_EQ(google.connections, (Limit<int>{5, "catalogue google"}));
  EXPECT_EQ(google.messages_per_connection, (Limit<int>{50, "catalogue google"}));
  const EffectiveLimits other = table.Resolve({.source = "ip-1", .provider = "other", .site = "example.com"});
  EXPECT_EQ(other.connections.rule, "catalogue");
  EXPECT_EQ(other.tls, (Limit<TlsMode>{TlsMode::kOpportunistic, "default"}));
}

TEST(ShapingTest, TheMostSpecificWinsFieldByField) {
  const ShapingTable table(Rules({{.match = {.source = "ip-1"}, .connections = 7},
                                  {.match = {.provider = "google", .pool = "warm"}, .connections = 6, .messages_per_connection = 60},
                                  {.match = {.provider = "google"}, .connections = 20, .rate = Rate{200, std::chrono::seconds(1)}},
                                  {.match = {}, .connections = 9, .recipients_per_transaction = 10}}));
  const std::vector<std::string> pools = {"warm"};
  const EffectiveLimits limits = table.Resolve({.source = "ip-1", .provider = "google", .pools = pools});
  EXPECT_EQ(limits.connections, (Limit<int>{7, "shaping[0]"}));
  EXPECT_EQ(limits.messages_per_connection, (Limit<int>{60, "shaping[1]"}));
  EXPECT_EQ(limits.rate.rule, "shaping[2]");
  EXPECT_EQ(limits.recipients_per_transaction, (Limit<int>{10, "shaping[3]"}));
  EXPECT_EQ(table.Resolve({.source = "ip-2", .provider = "google"}).connections, (Limit<int>{20, "shaping[2]"}));
  EXPECT_EQ(table.Resolve({.source = "ip-2", .provider = "yahoo"}).connections, (Limit<int>{9, "shaping[3]"}));
}

TEST(ShapingTest, OfTwoRulesOfOneKindTheLaterCounts) {
  const ShapingTable table(Rules({{.match = {.provider = "google"}, .connections = 2}, {.match = {.provider = "google"}, .connections = 3}}));
  EXPECT_EQ(table.Resolve({.provider = "google"}).connections, (Limit<int>{3, "shaping[1]"}));
}

TEST(ShapingTest, ADomainsRuleSetsWhatBelongsToItsTransactions) {
  const ShapingTable table(Rules({{.match = {.domain = "bank.example"}, .connections = 1, .tls = TlsMode::kVerified}}));
  const EffectiveLimits limits = table.Resolve({.provider = "google", .domain = "bank.example"});
  EXPECT_EQ(limits.tls, (Limit<TlsMode>{TlsMode::kVerified, "shaping[0]"}));
  EXPECT_EQ(limits.connections.rule, "catalogue google");
}

TEST(ShapingTest, LimitsAreCountedPerSiteWhereNothingIsKnown) {
  EXPECT_TRUE(HasLimitsPerSite("other"));
  EXPECT_FALSE(HasLimitsPerSite("google"));
  EXPECT_FALSE(HasLimitsPerSite("an-operators-own"));
}

// The effective limit is the minimum of the rule and of every constraint that covers the source, and names whichever gave it.
TEST(LimitBookPropertyTest, TheMinimumCounts) {
  std::mt19937 random(11);
  for (int round = 0; round < 500; ++round) {
    const int by_rule = static_cast<int>(1 + random() % 20);
    int least = by_rule;
    std::vector<Constraint> constraints;
    for (int i = 0; i < 6; ++i) {
      Constraint constraint;
      constraint.id = i + 1;
      constraint.cause = ConstraintCause::kAimd;
      constraint.value.connections = static_cast<int>(random() % 20);
      if (random() % 2 == 0) constraint.scope.source = random() % 2 == 0 ? "ip-1" : "ip-2";
      if (random() % 2 == 0) constraint.scope.provider = random() % 2 == 0 ? "google" : "yahoo";
      if (random() % 4 == 0) constraint.scope.pool = random() % 2 == 0 ? "warm" : "new";
      if (constraint.scope.empty()) constraint.scope.provider = "google";
      if (random() % 4 == 0) constraint.until = kNow;
      constraints.push_back(constraint);
      const Scope& s = constraint.scope;
      const bool covers = (s.source.empty() || s.source == "ip-1") && (s.provider.empty() || s.provider == "google") &&
                          (s.pool.empty() || s.pool == "warm") && !constraint.until;
      if (covers) least = std::min(least, *constraint.value.connections);
    }
    const LimitBook book(Rules({{.match = {.provider = "google"}, .connections = by_rule}}), constraints);
    const std::vector<std::string> pools = {"warm"};
    const EffectiveLimits limits = book.Resolve({.source = "ip-1", .provider = "google", .pools = pools}, kNow);
    ASSERT_EQ(limits.connections.value, least);
    ASSERT_EQ(limits.connections.rule == "shaping[0]", least == by_rule);
  }
}

}  // namespace
}  // namespace sluice
