#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/check.h"

namespace sluice {
namespace {

PolicyDocument Policy() {
  PolicyDocument policy;
  policy.tenants = {{.name = "shop", .streams = {"bills", "news"}, .sender_domains = {"shop.example"}}};
  policy.streams = {{.name = "bills", .isolation = "a"}, {.name = "news", .isolation = "b"}};
  policy.sources = {{.name = "old", .address = "192.0.2.1", .bind = "192.0.2.1", .ehlo = "a.example.com"},
                    {.name = "young", .address = "192.0.2.2", .bind = "192.0.2.2", .ehlo = "b.example.com"}};
  policy.sources[1].warmup = SourceWarmup{.plan = "default"};
  policy.pools = {{.name = "warm", .members = {{.source = "old"}}}, {.name = "new", .members = {{.source = "young"}}}};
  policy.routes = {{.match = {.stream = "bills"}, .pool = "warm"}, {.match = {.stream = "news"}, .pool = "new"}};
  return policy;
}

std::vector<std::string> Paths(const PolicyDocument& policy, bool errors) {
  std::vector<std::string> out;
  for (const PolicyFinding& finding : CheckPolicy(policy)) {
    if (finding.is_error == errors) out.push_back(finding.path);
  }
  return out;
}

TEST(IsolationTest, PoolsOfTheirOwnAreFine) {
  EXPECT_THAT(Paths(Policy(), true), ::testing::IsEmpty());
  EXPECT_THAT(Paths(Policy(), false), ::testing::IsEmpty());
}

TEST(IsolationTest, AWarmPoolDoesNotOverflowIntoAColdOne) {
  PolicyDocument policy = Policy();
  policy.streams[1].isolation = "a";
  policy.pools[1].overflow = "warm";
  EXPECT_THAT(Paths(policy, true), ::testing::IsEmpty()) << "a cold pool may overflow into a warm one";
  policy.pools[1].overflow.clear();
  policy.pools[0].overflow = "new";
  EXPECT_THAT(Paths(policy, true), ::testing::ElementsAre("pools[0].overflow"));
}

TEST(IsolationTest, IsolatedStreamsThatShareASourceAreWarnedAbout) {
  PolicyDocument policy = Policy();
  policy.pools[1].members.push_back({.source = "old"});
  EXPECT_THAT(Paths(policy, true), ::testing::IsEmpty());
  EXPECT_THAT(Paths(policy, false), ::testing::ElementsAre("pools[1].members[1].source"));
  policy.streams[1].isolation = "a";
  EXPECT_THAT(Paths(policy, false), ::testing::IsEmpty());
}

}  // namespace
}  // namespace sluice
