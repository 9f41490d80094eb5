#include "policy/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"

namespace sluice {
namespace {

constexpr Instant kNow{std::chrono::hours(1000)};

PolicyDocument Policy() {
  PolicyDocument policy;
  policy.pools = {{.name = "new", .members = {{.source = "ip-21"}, {.source = "ip-22", .weight = 0}}, .overflow = "warm"},
                  {.name = "warm", .members = {{.source = "ip-11", .weight = 2}, {.source = "ip-12", .reserve = true}}}};
  policy.routes = {{.match = {.stream = "bills"}, .pool = "warm"},
                   {.match = {.stream = "news", .provider = "yahoo"}, .pool = "warm"},
                   {.match = {.stream = "news"}, .pool = "new"}};
  policy.shaping = {{.match = {.source = "ip-21"}, .connections = 2}};
  return policy;
}

std::vector<SourceNow> Sources() {
  std::vector<SourceNow> out;
  for (const std::string name : {"ip-11", "ip-12", "ip-21", "ip-22"}) {
    out.push_back({.source = name, .egress = "egress-1", .can_send = true, .detail = {}});
  }
  return out;
}

ExplainFacts News() {
  return {.routing = {.tenant = "shop", .stream = "news", .provider = "google", .site = "gmail", .domain = "gmail.com"}, .now = kNow};
}

Constraint Suspend(int64_t id, Scope scope) {
  Constraint out;
  out.id = id;
  out.scope = std::move(scope);
  out.value.suspend = true;
  out.evidence = "blocked";
  return out;
}

TEST(ExplainTest, TellsTheRouteAndThoseBeforeItThatDidNotMatch) {
  const Explanation told = Explain(Policy(), {}, Sources(), News());
  ASSERT_EQ(told.routes.size(), 3U);
  EXPECT_EQ(told.routes[0].reason, "stream is news");
  EXPECT_EQ(told.routes[1].reason, "provider is google");
  EXPECT_EQ(told.routes[1].match, "stream=news provider=yahoo");
  EXPECT_TRUE(told.routes[2].matched);
  EXPECT_EQ(told.route_index, 2);
  EXPECT_EQ(told.pool, "new");
  EXPECT_EQ(told.waits_for, "");
}

TEST(ExplainTest, TellsOfEachMemberWhyItIsOrIsNotEligibleAndItsLimits) {
  const Explanation told = Explain(Policy(), {}, Sources(), News());
  ASSERT_EQ(told.members.size(), 4U);
  EXPECT_TRUE(told.members[0].eligible);
  EXPECT_EQ(told.members[0].limits[0].value, "2");
  EXPECT_EQ(told.members[0].limits[0].rule, "shaping[0]");
  EXPECT_EQ(told.members[1].reason, "drained: weight 0");
  EXPECT_EQ(told.members[2].pool, "warm");
  EXPECT_TRUE(told.members[2].eligible);
  EXPECT_EQ(told.members[2].limits[0].rule, "catalogue google");
  EXPECT_FALSE(told.members[3].eligible) << "a reserve while a regular member can send";
}

TEST(ExplainTest, TellsWhichAddressFamilyDoesNotDo) {
  PolicyDocument policy = Policy();
  policy.sources = {{.name = "ip-21", .address = "2001:db8::21"}, {.name = "ip-11", .address = "192.0.2.11"}};
  ExplainFacts facts = News();
  facts.lacks_ipv6 = true;
  Explanation told = Explain(policy, {}, Sources(), facts);
  EXPECT_FALSE(told.members[0].eligible);
  EXPECT_EQ(told.members[0].reason, "sends by IPv6: no MX host has an IPv6 address");
  EXPECT_TRUE(told.members[2].eligible);

  facts = News();
  facts.lacks_ipv4 = true;
  told = Explain(policy, {}, Sources(), facts);
  EXPECT_TRUE(told.members[0].eligible);
  EXPECT_EQ(told.members[2].reason, "sends by IPv4: no MX host has an IPv4 address");

  ShapingRule never;
  never.match.provider = "google";
  never.ipv6 = Ipv6Mode::kNever;
  policy.shaping = {never};
  EXPECT_EQ(Explain(policy, {}, Sources(), News()).members[0].reason, "sends by IPv6: `ipv6: never` (shaping[0])");
}

TEST(ExplainTest, TellsTheConstraintItWaitsFor) {
  const std::vector<Constraint> held = {Suspend(7, {.stream = "news"}), Suspend(8, {.tenant = "bank"})};
  const Explanation told = Explain(Policy(), held, Sources(), News());
  EXPECT_EQ(told.waits_for, "suspended: constraint 7 (operator) on stream=news, blocked");
  ASSERT_EQ(told.constraints.size(), 1U);
  EXPECT_EQ(told.constraints[0].id, 7);
}

TEST(ExplainTest, ASuspendedSourceLeavesTheOthers) {
  const std::vector<Constraint> held = {Suspend(9, {.source = "ip-21", .provider = "google"}), Suspend(10, {.source = "ip-11"})};
  const Explanation told = Explain(Policy(), held, Sources(), News());
  EXPECT_EQ(told.members[0].reason, "suspended: constraint 9 (operator) on source=ip-21 provider=google, blocked");
  EXPECT_TRUE(told.members[3].eligible) << "the reserve steps in";
  EXPECT_EQ(told.waits_for, "");
  EXPECT_EQ(told.constraints.size(), 2U);
}

TEST(ExplainTest, NoRouteAndNobodyToSend) {
  ExplainFacts facts = News();
  facts.routing.stream = "other";
  EXPECT_EQ(Explain(Policy(), {}, Sources(), facts).waits_for, "no route matches");
  const Explanation told = Explain(Policy(), {}, {}, News());
  EXPECT_EQ(told.waits_for, "no member of the pool can send");
  EXPECT_EQ(told.members[0].reason, "no egress holds it");
}

TEST(ExplainTest, TellsWhoNamesTheRetrySchedule) {
  PolicyDocument policy = Policy();
  policy.retry_schedules = {{.name = "slow", .waits = {std::chrono::hours(1)}}, {.name = "quick", .waits = {std::chrono::minutes(1)}}};
  policy.streams = {{.name = "news", .retry_schedule = "slow"}};
  const auto of_first = [&] {
    const Explanation told = Explain(policy, {}, Sources(), News());
    const std::vector<LimitText>& limits = told.members[0].limits;
    const auto at = std::find_if(limits.begin(), limits.end(), [](const LimitText& l) { return l.name == "retry_schedule"; });
    return at == limits.end() ? std::string() : at->value + ", " + at->rule;
  };
  EXPECT_EQ(of_first(), "slow, stream news");
  policy.shaping.push_back({.match = {.provider = "google"}, .retry_schedule = "quick"});
  EXPECT_EQ(of_first(), Cat("quick, shaping[", policy.shaping.size() - 1, "]"));
}

}  // namespace
}  // namespace sluice
