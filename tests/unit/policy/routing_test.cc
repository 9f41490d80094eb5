#include "policy/routing.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "unit/policy/example_policy.h"

namespace sluice {
namespace {

using testing::ExamplePolicy;

RouteChoice Slowly(const PolicyDocument& policy, const RoutingFacts& facts) {
  for (size_t i = 0; i < policy.routes.size(); ++i) {
    if (Matches(policy.routes[i].match, facts)) {
      return {static_cast<int>(i), PoolIndex(policy, policy.routes[i].pool)};
    }
  }
  return {};
}

TEST(RoutingTest, TheFirstMatchWins) {
  const RoutingTable table(ExamplePolicy());
  EXPECT_EQ(table.Route({.stream = "transactional", .provider = "yahoo"}), (RouteChoice{0, 0}));
  EXPECT_EQ(table.Route({.stream = "marketing", .provider = "yahoo"}), (RouteChoice{1, 1}));
  EXPECT_EQ(table.Route({.stream = "marketing", .provider = "google"}), (RouteChoice{2, 0}));
}

TEST(RoutingTest, MailThatNoRouteTakesHasNoPool) {
  const RoutingTable table(ExamplePolicy());
  EXPECT_EQ(table.Route({.stream = "other"}), (RouteChoice{-1, -1}));
  EXPECT_EQ(RoutingTable({}).Route({.stream = "marketing"}), RouteChoice());
}

TEST(RoutingTest, AnEarlierCatchAllBeatsALaterExactRule) {
  PolicyDocument policy = ExamplePolicy();
  policy.routes = {{.match = {}, .pool = "new"},
                   {.match = {.stream = "marketing"}, .pool = "warm"}};
  EXPECT_EQ(RoutingTable(policy).Route({.stream = "marketing"}), (RouteChoice{0, 1}));
}

TEST(RoutingTest, EveryFieldDecides) {
  PolicyDocument policy = ExamplePolicy();
  const Match matches[] = {{.tenant = "x"},       {.stream = "x"}, {.campaign = "x"},
                           {.provider = "x"},     {.site = "x"},   {.domain = "x"},
                           {.sender_domain = "x"}};
  policy.routes.clear();
  for (const Match& match : matches) policy.routes.push_back({match, "new"});
  const RoutingTable table(policy);
  EXPECT_EQ(table.Route({.tenant = "x"}).route_index, 0);
  EXPECT_EQ(table.Route({.stream = "x"}).route_index, 1);
  EXPECT_EQ(table.Route({.campaign = "x"}).route_index, 2);
  EXPECT_EQ(table.Route({.provider = "x"}).route_index, 3);
  EXPECT_EQ(table.Route({.site = "x"}).route_index, 4);
  EXPECT_EQ(table.Route({.domain = "x"}).route_index, 5);
  EXPECT_EQ(table.Route({.sender_domain = "x"}).route_index, 6);
  EXPECT_EQ(table.Route({.tenant = "y", .domain = "y"}).route_index, -1);
}

TEST(RoutingTest, TagsMatchByNameAndValue) {
  PolicyDocument policy = ExamplePolicy();
  policy.routes = {{.match = {.tags = {{"X-Kind", "a=b"}}}, .pool = "new"},
                   {.match = {}, .pool = "warm"}};
  const RoutingTable table(policy);
  EXPECT_EQ(table.Route({.tags = "x-other=1\nx-kind=a=b\n"}).route_index, 0);
  EXPECT_EQ(table.Route({.tags = "X-Kind=a=b"}).route_index, 0);
  EXPECT_EQ(table.Route({.tags = "X-Kind=a=bc"}).route_index, 1);
  EXPECT_EQ(table.Route({.tags = "XX-Kind=a=b"}).route_index, 1);
  EXPECT_EQ(table.Route({.tags = "X-Kind"}).route_index, 1);
  EXPECT_EQ(table.Route({}).route_index, 1);
}

TEST(RoutingTest, AnswersAsWalkingTheRulesWould) {
  std::mt19937 random(7);
  const auto word = [&](int kinds) {
    const auto n = static_cast<int>(random() % static_cast<unsigned>(kinds));
    return n == 0 ? std::string() : "v" + std::to_string(n);
  };
  for (int round = 0; round < 50; ++round) {
    PolicyDocument policy = ExamplePolicy();
    policy.routes.clear();
    for (int i = 0; i < 200; ++i) {
      Match match{.tenant = word(4),
                  .stream = word(4),
                  .campaign = word(3),
                  .provider = word(4),
                  .site = word(2),
                  .domain = word(5),
                  .sender_domain = word(2)};
      if (random() % 4 == 0) match.tags = {{"T", word(3)}};
      policy.routes.push_back({match, random() % 10 == 0  ? "gone"
                                      : random() % 2 == 0 ? "warm"
                                                          : "new"});
    }
    const RoutingTable table(policy);
    // Rules without a pool are not in the table.
    PolicyDocument sound = policy;
    for (RouteRule& route : sound.routes) {
      if (route.pool == "gone") route.match.tenant = "nobody";
    }
    for (int i = 0; i < 500; ++i) {
      const std::string values[] = {word(5), word(5), word(4), word(5),
                                    word(3), word(6), word(3), "T=" + word(4)};
      const RoutingFacts facts{values[0], values[1], values[2], values[3],
                               values[4], values[5], values[6], values[7]};
      ASSERT_EQ(table.Route(facts), Slowly(sound, facts));
    }
  }
}

TEST(RoutingTest, FiveThousandRulesCostAsMuchAsFive) {
  PolicyDocument policy = ExamplePolicy();
  policy.routes.clear();
  for (int i = 0; i < 5'000; ++i) {
    policy.routes.push_back(
        {.match = {.tenant = "tenant" + std::to_string(i), .stream = "marketing"}, .pool = "warm"});
  }
  policy.routes.push_back({.match = {.stream = "marketing"}, .pool = "new"});
  const RoutingTable table(policy);
  constexpr int kRounds = 20'000;
  const auto begin = std::chrono::steady_clock::now();
  int found = 0;
  for (int i = 0; i < kRounds; ++i) {
    found +=
        table.Route({.tenant = "stranger", .stream = "marketing", .provider = "google"}).pool_index;
  }
  const auto each = (std::chrono::steady_clock::now() - begin) / kRounds;
  EXPECT_EQ(found, kRounds);
  // Walking them takes over 50 µs even in an optimised build; 10 leaves room for sanitizers and
  // busy machines.
  EXPECT_LT(each, std::chrono::microseconds(10));
  RecordProperty("nanoseconds_per_lookup",
                 static_cast<int>(std::chrono::nanoseconds(each).count()));
}

}  // namespace
}  // namespace sluice
