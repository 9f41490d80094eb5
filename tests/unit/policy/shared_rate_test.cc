#include "policy/shared_rate.h"

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
                    {.match = {.pool = "warm"}, .connections = 3, .rate = Rate{20, seconds(1)}},
                    {.match = {.source = "ip-1", .pool = "warm"}, .rate = Rate{2, seconds(1)}},
                    {.match = {.tenant = "shop", .provider = "google"}, .rate = Rate{4, seconds(1)}},
                    {.match = {.domain = "bank.example"}, .rate = Rate{1, seconds(60)}},
                    {.match = {.campaign = "autumn"}, .rate = Rate{3, seconds(1)}},
                    {.match = {.tenant = "shop"}, .rate = Rate{11, seconds(1)}}};
  return policy;
}

TEST(SharedRateTest, AreThoseThatNameMailOrAPool) {
  const auto all = SharedRatesOf(Policy());
  std::vector<std::string> rules;
  for (const SharedRate& shared : all) rules.push_back(shared.rule);
  EXPECT_THAT(rules, ElementsAre("shaping[7]", "shaping[2]", "shaping[4]", "shaping[5]", "shaping[6]")) << "of the same match the last";
  EXPECT_EQ(all[0].rate.count, 11);
  EXPECT_EQ(KeyOf(all[0]), "tenant=shop per 1000000us");
}

TEST(SharedRateTest, AllThatCoverAPieceOfMailAreFound) {
  const SharedRateTable table(SharedRatesOf(Policy()));
  const SendingFacts facts{.provider = "google", .pool = "warm", .tenant = "shop", .campaign = "autumn", .domain = "bank.example"};
  SharedRateTable::Numbers flow, entry;
  table.FindFlow(facts, flow);
  table.FindEntry(facts, entry);
  EXPECT_THAT(flow, UnorderedElementsAre(0, 1, 2));
  EXPECT_THAT(entry, UnorderedElementsAre(3, 4));
  SharedRateTable::Numbers none;
  table.FindFlow({.provider = "yahoo", .pool = "new", .tenant = "other"}, none);
  table.FindEntry({.provider = "yahoo", .pool = "new", .tenant = "other", .domain = "d.test"}, none);
  EXPECT_THAT(none, IsEmpty());
}

TEST(SharedRateTest, LimitNoSourceAlone) {
  const std::vector<std::string> pools = {"warm"};
  const EffectiveLimits limits = ShapingTable(PlacedRules(Policy())).Resolve({.source = "ip-2", .provider = "google", .pools = pools});
  EXPECT_EQ(limits.rate.rule, "shaping[0]");
  EXPECT_EQ(limits.connections.value, 3) << "connections of a pool hold for each of its sources";
  EXPECT_EQ(ShapingTable(PlacedRules(Policy())).Resolve({.source = "ip-1", .provider = "google", .pools = pools}).rate.rule, "shaping[3]");
}

}  // namespace
}  // namespace sluice
