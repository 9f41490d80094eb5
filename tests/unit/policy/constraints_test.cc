#include "policy/constraints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace sluice {
namespace {

constexpr Instant kNow{std::chrono::hours(1000)};

Constraint Make(int64_t id, Scope scope, std::string_view value, std::optional<Instant> until = {}) {
  return {.id = id,
          .scope = std::move(scope),
          .cause = ConstraintCause::kAimd,
          .rule = {},
          .value = *ParseConstraintValue(value),
          .evidence = {},
          .since = kNow,
          .until = until,
          .author = {}};
}

TEST(ConstraintValueTest, ReadsWhatItWrites) {
  for (const std::string text : {"suspend", "connections=3", "suspend connections=0 messages_per_connection=5",
                                 "rate=10/s connection_rate=100/min bytes_rate=1M/s share=0.25", "suspend trickle=1/5m"}) {
    const auto value = ParseConstraintValue(text);
    ASSERT_TRUE(value.ok()) << text;
    EXPECT_EQ(ToString(*value), text);
  }
  for (const std::string text : {"", "slow", "connections", "connections=x", "connections=-1", "share=2", "rate=fast"}) {
    EXPECT_FALSE(ParseConstraintValue(text).ok()) << text;
  }
}

TEST(ScopeTest, EveryFieldGivenMustMatch) {
  const Scope scope{.source = "ip-1", .provider = "google"};
  EXPECT_TRUE(Covers(scope, {.source = "ip-1", .provider = "google", .tenant = "shop"}));
  EXPECT_FALSE(Covers(scope, {.source = "ip-1", .provider = "yahoo"}));
  EXPECT_FALSE(Covers(scope, {.provider = "google"}));
  EXPECT_TRUE(Covers({}, {.source = "ip-1"}));
  EXPECT_EQ(ToString(scope), "source=ip-1 provider=google");
}

TEST(TightenTest, TheMinimumCountsAndItsOriginIsKept) {
  EffectiveLimits limits;
  limits.connections = {20, "shaping[0]"};
  limits.rate = {Rate{100, std::chrono::seconds(1)}, "shaping[0]"};
  Tighten(limits, Make(7, {.source = "a"}, "connections=5 rate=7000/min"));
  EXPECT_EQ(limits.connections, (Limit<int>{5, "constraint 7 (aimd)"}));
  EXPECT_EQ(limits.rate.rule, "shaping[0]") << "7000 a minute is more than 100 a second";
  Tighten(limits, Make(8, {.source = "a"}, "connections=9 share=0.5"));
  EXPECT_EQ(limits.connections.rule, "constraint 7 (aimd)");
  EXPECT_EQ(limits.share, (Limit<double>{0.5, "constraint 8 (aimd)"}));
}

TEST(TightenTest, ZeroMessagesAConnectionIsNoLimit) {
  EffectiveLimits limits;
  limits.messages_per_connection = {0, "default"};
  Tighten(limits, Make(1, {.source = "a"}, "messages_per_connection=50"));
  EXPECT_EQ(limits.messages_per_connection.value, 50);
  Tighten(limits, Make(2, {.source = "a"}, "connections=1 messages_per_connection=0"));
  EXPECT_EQ(limits.messages_per_connection.value, 50);
}

TEST(SuspensionsTest, OnlyWhatSuspendsAndIsInForceHolds) {
  const Suspensions held({Make(1, {.stream = "marketing"}, "suspend", kNow + std::chrono::hours(1)),
                          Make(2, {.tenant = "shop"}, "connections=1"),
                          Make(3, {.tenant = "shop", .campaign = "may"}, "suspend"),
                          Make(4, {.source = "ip-1", .provider = "google"}, "suspend")});
  EXPECT_EQ(held.HoldingFlow({.tenant = "shop", .stream = "marketing"}, kNow)->id, 1);
  EXPECT_EQ(held.HoldingFlow({.tenant = "shop", .stream = "marketing"}, kNow + std::chrono::hours(1)), nullptr);
  EXPECT_EQ(held.HoldingFlow({.tenant = "shop"}, kNow), nullptr);
  EXPECT_EQ(held.HoldingEntry({.tenant = "shop", .campaign = "may"}, kNow)->id, 3);
  EXPECT_EQ(held.HoldingEntry({.tenant = "shop", .campaign = "june"}, kNow), nullptr);
  EXPECT_EQ(held.HoldingSource({.source = "ip-1", .provider = "google"}, kNow)->id, 4);
  EXPECT_EQ(held.HoldingSource({.source = "ip-1", .provider = "yahoo"}, kNow), nullptr);
  EXPECT_EQ(held.NextEnd(kNow), kNow + std::chrono::hours(1));
  EXPECT_EQ(held.NextEnd(kNow + std::chrono::hours(1)), std::nullopt);
}

// Whatever the rows: found exactly when some row that suspends covers the facts.
TEST(SuspensionsPropertyTest, AgreesWithLookingAtEveryRow) {
  std::mt19937 random(5);
  const auto word = [&](unsigned none) { return random() % none == 0 ? std::string(1, static_cast<char>('a' + random() % 3)) : std::string(); };
  for (int round = 0; round < 300; ++round) {
    std::vector<Constraint> rows;
    for (int i = 0; i < 12; ++i) {
      Constraint row = Make(i + 1, {word(4), word(4), word(4), word(4), word(4), word(4), word(4), word(4)}, "suspend");
      if (row.scope.empty()) continue;
      if (random() % 4 == 0) row.value = {.connections = 1};
      if (random() % 4 == 0) row.until = kNow + std::chrono::seconds(static_cast<int>(random() % 3)) - std::chrono::seconds(1);
      rows.push_back(row);
    }
    const Suspensions held(rows);
    for (int i = 0; i < 50; ++i) {
      const Scope words{word(1), word(1), word(1), word(1), word(1), word(2), word(1), word(1)};
      const SendingFacts facts{words.source, words.provider, words.pool,   words.tenant,
                               words.stream, words.campaign, words.domain, words.site};
      const bool expected = std::any_of(rows.begin(), rows.end(), [&](const Constraint& row) {
        return row.value.suspend && IsInForce(row, kNow) && Covers(row.scope, facts);
      });
      const Constraint* found = held.Holding(facts, kNow);
      ASSERT_EQ(found != nullptr, expected);
      if (found != nullptr) {
        ASSERT_TRUE(Covers(found->scope, facts));
      }
    }
  }
}

}  // namespace
}  // namespace sluice
