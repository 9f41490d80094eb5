#include "policy/shared_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/shaping.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using std::chrono::seconds;

PolicyDocument Policy() {
  PolicyDocument policy;
  policy.shaping = {{.match = {.provider = "google"}, .rate = Rate{5, seconds(1)}},
                    {.match = {.tenant = "shop"}, .rate = Rate{10, seconds(1)}},
                    {.match = {.pool = "warm"}, .rate = Rate{20, seconds(1)}},
                    {.match = {.source = "ip-1", .pool = "warm"}, .rate = Rate{2, seconds(1)}},
                    {.match = {.tenant = "shop", .provider = "google"}, .rate = Rate{4, seconds(1)}},
                    {.match = {.domain = "bank.example"}, .rate = Rate{1, seconds(60)}},
                    {.match = {.campaign = "autumn"}, .rate = Rate{3, seconds(1)}},
                    {.match = {.tenant = "shop"}, .rate = Rate{11, seconds(1)}}};
  return policy;
}

TEST(SharedLimitTest, AreThoseThatNameMailOrAPool) {
  const auto all = SharedLimitsOf(Policy().shaping);
  std::vector<std::string> rules;
  for (const SharedLimit& shared : all) rules.push_back(shared.rule);
  EXPECT_THAT(rules, ElementsAre("shaping[7]", "shaping[2]", "shaping[4]", "shaping[5]", "shaping[6]")) << "of the same match the last";
  EXPECT_EQ(all[0].rate.count, 11);
  EXPECT_EQ(KeyOf(all[0]), "tenant=shop per 1000000us");
}

TEST(SharedLimitTest, AllThatCoverAPieceOfMailAreFound) {
  const SharedLimitTable table(SharedLimitsOf(Policy().shaping));
  const SendingFacts facts{.provider = "google", .pool = "warm", .tenant = "shop", .campaign = "autumn", .domain = "bank.example"};
  SharedLimitTable::Numbers flow, entry;
  table.FindFlow(facts, flow);
  table.FindEntry(facts, entry);
  EXPECT_THAT(flow, UnorderedElementsAre(0, 1, 2));
  EXPECT_THAT(entry, UnorderedElementsAre(3, 4));
  SharedLimitTable::Numbers none;
  table.FindFlow({.provider = "yahoo", .pool = "new", .tenant = "other"}, none);
  table.FindEntry({.provider = "yahoo", .pool = "new", .tenant = "other", .domain = "d.test"}, none);
  EXPECT_THAT(none, IsEmpty());
}

TEST(SharedLimitTest, EachNumberOfARuleIsALimitAndOnlyThoseOfPoolsAreOfConnections) {
  const ShapingRule all{.connections = 5, .rate = Rate{1, seconds(1)}, .connection_rate = Rate{2, seconds(1)}, .bytes_rate = Rate{3, seconds(1)}};
  const auto keys = [&](Match match) {
    std::vector<ShapingRule> rules = {all};
    rules[0].match = std::move(match);
    std::vector<std::string> out;
    for (const SharedLimit& limit : SharedLimitsOf(rules)) out.push_back(KeyOf(limit));
    return out;
  };
  EXPECT_THAT(keys({.pool = "warm"}), ElementsAre("pool=warm per 1000000us", "pool=warm bytes_rate per 1000000us",
                                                  "pool=warm connection_rate per 1000000us", "pool=warm connections"));
  EXPECT_EQ(keys({.provider = "google", .pool = "warm"}).size(), 4U);
  EXPECT_EQ(keys({.tenant = "shop", .pool = "warm"}).size(), 2U) << "no connection knows whose mail it will carry";
  EXPECT_EQ(keys({.domain = "bank.example"}).size(), 2U);
  EXPECT_THAT(keys({.source = "ip-1", .pool = "warm"}), IsEmpty());
  EXPECT_THAT(keys({.provider = "google"}), IsEmpty());
}

TEST(SharedLimitTest, ABookFindsThoseOfConnectionsByThePoolsOfASource) {
  std::vector<ShapingRule> rules = {{.match = {.pool = "warm"}, .connections = 3, .rate = Rate{20, seconds(1)}},
                                    {.match = {.provider = "google", .pool = "warm"}, .connection_rate = Rate{1, seconds(1)}},
                                    {.match = {.site = "mx.test", .pool = "new"}, .connections = 1}};
  PolicyDocument policy;
  policy.shaping = rules;
  const LimitBook book(PlacedRules(policy), {});
  EXPECT_EQ(book.shared().size(), 3U);
  const std::vector<std::string> warm = {"warm"}, both = {"warm", "new"};
  const auto count = [&](const std::vector<std::string>& pools, const char* provider, const char* site) {
    return book.FindShared({.source = "ip-1", .provider = provider, .site = site, .pools = pools}).size();
  };
  EXPECT_EQ(count(warm, "google", "x.test"), 2U);
  EXPECT_EQ(count(warm, "other", "mx.test"), 1U);
  EXPECT_EQ(count(both, "other", "mx.test"), 2U);
  EXPECT_EQ(count({}, "google", "mx.test"), 0U);
}

TEST(SharedLimitTest, LimitNoSourceAlone) {
  const std::vector<std::string> pools = {"warm"};
  PolicyDocument policy = Policy();
  policy.shaping[2].connections = 3;
  const EffectiveLimits limits = ShapingTable(PlacedRules(policy)).Resolve({.source = "ip-2", .provider = "google", .pools = pools});
  EXPECT_EQ(limits.rate.rule, "shaping[0]");
  EXPECT_EQ(limits.connections.rule, "catalogue google") << "what a pool rule says holds for its sources together";
  EXPECT_EQ(ShapingTable(PlacedRules(Policy())).Resolve({.source = "ip-1", .provider = "google", .pools = pools}).rate.rule, "shaping[3]");
}

}  // namespace
}  // namespace sluice
