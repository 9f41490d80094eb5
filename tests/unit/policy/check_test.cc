#include "policy/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/policy/example_policy.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::ExamplePolicy;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

auto Error(const std::string& path, const std::string& text) {
  return AllOf(Field(&PolicyFinding::path, path),
               Field(&PolicyFinding::description, HasSubstr(text)),
               Field(&PolicyFinding::is_error, true));
}
auto Warning(const std::string& path, const std::string& text) {
  return AllOf(Field(&PolicyFinding::path, path),
               Field(&PolicyFinding::description, HasSubstr(text)),
               Field(&PolicyFinding::is_error, false));
}

// The one thing done to the example policy, and the one thing to be said about it.
struct Bend {
  std::string name;
  void (*bend)(PolicyDocument&);
  std::string path, text;
  bool is_error = true;
};

class CheckPolicyTest : public ::testing::TestWithParam<Bend> {};

TEST(CheckPolicyTest, HasNothingToSayAboutASoundPolicy) {
  EXPECT_THAT(CheckPolicy(ExamplePolicy()), IsEmpty());
}

TEST(CheckPolicyTest, AnEmptyPolicyIsSound) { EXPECT_THAT(CheckPolicy({}), IsEmpty()); }

TEST_P(CheckPolicyTest, NamesThePathAndTheCure) {
  PolicyDocument policy = ExamplePolicy();
  GetParam().bend(policy);
  const auto findings = CheckPolicy(policy);
  if (GetParam().is_error) {
    EXPECT_THAT(findings, Contains(Error(GetParam().path, GetParam().text)));
  } else {
    EXPECT_THAT(findings, ElementsAre(Warning(GetParam().path, GetParam().text)));
  }
}

const Bend kBends[] = {
    // Names.
    {"TenantTwice", [](auto& p) { p.tenants.push_back(p.tenants[0]); }, "tenants[1].name",
     "stands twice, first as tenants[0]"},
    {"StreamTwice", [](auto& p) { p.streams.push_back(p.streams[0]); }, "streams[2].name",
     "stands twice"},
    {"SourceTwice", [](auto& p) { p.sources.push_back(p.sources[0]); }, "sources[3].name",
     "stands twice"},
    {"PoolTwice", [](auto& p) { p.pools.push_back(p.pools[0]); }, "pools[2].name", "stands twice"},
    {"ScheduleTwice",
     [](auto& p) {
       p.retry_schedules = {{.name = "a", .waits = {Duration(5'000'000)}},
                            {.name = "a", .waits = {Duration(5'000'000)}}};
     },
     "retry_schedules[1].name", "stands twice"},
    {"PlanTwice",
     [](auto& p) {
       p.warmup_plans = {{.name = "a", .stages = {{}}}, {.name = "a", .stages = {{}}}};
     },
     "warmup_plans[1].name", "stands twice"},
    {"NameWithBlank", [](auto& p) { p.pools[0].name = "wa rm"; }, "pools[0].name", "is no name"},
    {"NameMissing", [](auto& p) { p.streams[0].name = ""; }, "streams[0].name", "is required"},
    {"NameTooLong", [](auto& p) { p.tenants[0].name = std::string(limits::kNameBytes + 1, 'a'); }, "tenants[0].name",
     "is no name"},
    // References.
    {"TenantOfUnknownStream", [](auto& p) { p.tenants[0].streams = {"bulk"}; },
     "tenants[0].streams[0]", "no stream 'bulk'"},
    {"MemberMissing", [](auto& p) { p.pools[1].members[0].source = "ip-99"; },
     "pools[1].members[0].source", "no source 'ip-99'"},
    {"RouteToUnknownPool", [](auto& p) { p.routes[0].pool = "cold"; }, "routes[0].pool",
     "no pool 'cold'"},
    {"RouteOfUnknownStream", [](auto& p) { p.routes[0].match.stream = "x"; },
     "routes[0].match.stream", "no stream 'x'"},
    {"RouteOfUnknownTenant", [](auto& p) { p.routes[0].match.tenant = "x"; },
     "routes[0].match.tenant", "no tenant 'x'"},
    {"UnknownOverflow", [](auto& p) { p.pools[1].overflow = "x"; }, "pools[1].overflow",
     "no pool 'x'"},
    {"UnknownSchedule", [](auto& p) { p.streams[0].retry_schedule = "x"; },
     "streams[0].retry_schedule", "no retry schedule 'x'"},
    {"UnknownPlan", [](auto& p) { p.sources[0].warmup = SourceWarmup{.plan = "x"}; },
     "sources[0].warmup.plan", "no warmup plan 'x'"},
    // Values.
    {"NegativeWeight", [](auto& p) { p.pools[0].members[1].weight = -1; },
     "pools[0].members[1].weight", "write 0 to 1000"},
    {"WeightTooLarge", [](auto& p) { p.pools[0].members[1].weight = 1001; },
     "pools[0].members[1].weight", "write 0 to 1000"},
    {"NoAddress", [](auto& p) { p.sources[0].address = p.sources[0].bind = ""; },
     "sources[0].address", "not an IPv4 or IPv6"},
    {"NameAsAddress", [](auto& p) { p.sources[0].address = "mta.example.com"; },
     "sources[0].address", "not an IPv4 or IPv6"},
    {"MulticastAddress", [](auto& p) { p.sources[0].bind = "ff02::1"; }, "sources[0].bind",
     "no address that one host"},
    {"NoEhlo", [](auto& p) { p.sources[0].ehlo = ""; }, "sources[0].ehlo", "is required"},
    {"ShortEhlo", [](auto& p) { p.sources[0].ehlo = "mta"; }, "sources[0].ehlo",
     "not a full host name"},
    {"EhloInjection", [](auto& p) { p.sources[0].ehlo = "a.example\r\nMAIL"; }, "sources[0].ehlo",
     "not a full host name"},
    {"BadSenderDomain", [](auto& p) { p.tenants[0].sender_domains = {"a..b"}; },
     "tenants[0].sender_domains[0]", ""},
    {"ExpiryTooLong", [](auto& p) { p.streams[0].expiry = std::chrono::hours(24 * 60); },
     "streams[0].expiry", "out of bounds"},
    {"NoStreams", [](auto& p) { p.tenants[0].streams.clear(); }, "tenants[0].streams", "is empty"},
    // Pools.
    {"MemberTwice", [](auto& p) { p.pools[0].members[1].source = "ip-11"; },
     "pools[0].members[1].source", "twice"},
    {"NoMembers", [](auto& p) { p.pools[0].members.clear(); }, "pools[0].members", "is empty"},
    {"SameBind", [](auto& p) { p.sources[1].address = p.sources[1].bind = "192.0.2.11"; },
     "sources[1].address", "source 'ip-11' binds"},
    {"OverflowToItself", [](auto& p) { p.pools[1].overflow = "new"; }, "pools[1].overflow",
     "in a circle: new → new"},
    {"OverflowCircle", [](auto& p) { p.pools[0].overflow = "new"; }, "pools[0].overflow",
     "in a circle: warm → new → warm"},
    {"OverflowAcrossIsolation", [](auto& p) { p.routes[2].pool = "new"; }, "pools[1].overflow",
     "isolation group 'b'"},
    // Routes.
    {"RouteBySource", [](auto& p) { p.routes[0].match.source = "ip-11"; }, "routes[0].match.source",
     "not known when mail is routed"},
    {"RouteByReply", [](auto& p) { p.routes[0].match.reply = "x"; }, "routes[0].match.reply",
     "not known"},
    {"RouteByUnkeptTag",
     [](auto& p) {
       p.routes[1].match.tags = {{"X-Kind", "a"}};
     },
     "routes[1].match.tags[\"X-Kind\"]", "tag_headers"},
    {"RouteWithoutPool", [](auto& p) { p.routes[0].pool = ""; }, "routes[0].pool", "is required"},
    // Rules.
    {"NoConnections", [](auto& p) { p.shaping = {{.connections = 0}}; }, "shaping[0].connections",
     "write 1 to"},
    {"ShapingByReply", [](auto& p) { p.shaping = {{.match = {.reply = "x"}, .connections = 1}}; },
     "shaping[0].match.reply", "automation only"},
    {"BadPattern",
     [](auto& p) { p.automation = {{.match = {.reply = "[TSS"}, .suspend = Duration(1)}}; },
     "automation[0].match.reply", "is not a pattern"},
    {"AutomationOfNothing", [](auto& p) { p.automation = {{.suspend = Duration(1)}}; },
     "automation[0].match", "names no reply"},
    {"AutomationDoesNothing", [](auto& p) { p.automation = {{.match = {.reply = "x"}}}; },
     "automation[0]", "does nothing"},
    {"SlowToMore", [](auto& p) { p.automation = {{.match = {.reply = "x"}, .slow_to = 1.5}}; },
     "automation[0].slow_to", "write 0 to 1"},
    {"NoWaits", [](auto& p) { p.retry_schedules = {{.name = "a"}}; }, "retry_schedules[0].waits",
     "takes 1 to"},
    {"WaitOfNothing", [](auto& p) { p.retry_schedules = {{.name = "a", .waits = {Duration(0)}}}; },
     "retry_schedules[0].waits[0]", "out of bounds"},
    {"KeyWithPath",
     [](auto& p) {
       p.dkim_keys = {{"a.example", "s", "../x", "rsa-sha256"}};
     },
     "dkim_keys[0].key", "without a path"},
    {"UnknownAlgorithm",
     [](auto& p) {
       p.dkim_keys = {{"a.example", "s", "x", "rsa-sha1"}};
     },
     "dkim_keys[0].algorithm", "not known"},
    {"TooManyTags",
     [](auto& p) {
       for (char c = 'a'; c <= 'q'; ++c) p.tag_headers.push_back(std::string(1, c));
     },
     "tag_headers", "at most 16"},
    {"TagTwice",
     [](auto& p) {
       p.tag_headers = {"X-A", "x-a"};
     },
     "tag_headers[1]", "stands twice"},
    {"TagWithColon", [](auto& p) { p.tag_headers = {"X-A:"}; }, "tag_headers[0]", "no header name"},
    {"RetentionOfNothing", [](auto& p) { p.event_retention = Duration(0); }, "retention.events",
     "out of bounds"},
    // Warnings.
    {"StreamWithoutRoute", [](auto& p) { p.routes.erase(p.routes.begin()); }, "streams[0].name",
     "no route takes it", false},
    {"StreamPartlyRouted",
     [](auto& p) {
       p.routes.pop_back();
       p.pools[1].overflow = "";
     },
     "streams[1].name", "fits none of its routes", false},
    {"UnreachableRoute", [](auto& p) { std::swap(p.routes[1], p.routes[2]); }, "routes[2]",
     "never reached: routes[1]", false},
    {"UnusedSource", [](auto& p) { p.pools[0].members.pop_back(); }, "sources[1].name",
     "in no pool", false},
    {"DrainedPool", [](auto& p) { p.pools[1].members[0].weight = 0; }, "pools[1].members",
     "sends nothing by itself", false},
    {"NoSenderDomains", [](auto& p) { p.tenants[0].sender_domains.clear(); },
     "tenants[0].sender_domains", "submit nothing", false},
    {"UnknownProviderOfRoute", [](auto& p) { p.routes[1].match.provider = "yaho"; }, "routes[1].match.provider",
     "write 'yahoo'", false},
    {"UnknownProviderOfShaping", [](auto& p) { p.shaping.push_back({.match = {.provider = "nobody-knows"}, .connections = 1}); },
     "shaping[0].match.provider", "add its MX hosts to providers", false},
    {"UnknownProviderOfPlan", [](auto& p) { p.warmup_plans = {{.name = "slow", .stages = {{{"yaho", 5}}}}}; },
     "warmup_plans[0].stages[0].caps[\"yaho\"]", "write 'yahoo'", false},
    {"ReplyRuleWithoutName", [](auto& p) { p.reply_rules = {{.pattern = "x", .reply_class = ReplyClass::kPolicy}}; },
     "reply_rules[0].name", "is required"},
    {"ReplyRuleThatIsNoPattern", [](auto& p) { p.reply_rules = {{.name = "a", .pattern = "(", .reply_class = ReplyClass::kPolicy}}; },
     "reply_rules[0].pattern", "is not a pattern"},
    {"ReplyRuleWithoutClass", [](auto& p) { p.reply_rules = {{.name = "a", .pattern = "x"}}; }, "reply_rules[0].reply_class",
     "says nothing"},
    {"ReplyRuleThatDelivers",
     [](auto& p) {
       p.reply_rules = {{.name = "a", .pattern = "x", .reply_class = ReplyClass::kPolicy, .disposition = Disposition::kDelivered}};
     },
     "reply_rules[0].disposition", "write deferred or bounced"},
    {"SharedAddress", [](auto& p) { p.sources[1].address = "192.0.2.11"; }, "sources[1].address",
     "one reputation", false},
};

INSTANTIATE_TEST_SUITE_P(Each, CheckPolicyTest, ::testing::ValuesIn(kBends),
                         [](const auto& param) { return param.param.name; });

TEST(CheckPolicyTest, AGroupMaySharePoolsThatARouteGivesIt) {
  // The overflow of `new` meets transactional mail in `warm`, where a route sends marketing anyway.
  EXPECT_THAT(CheckPolicy(ExamplePolicy()), IsEmpty());
}

TEST(CheckPolicyTest, AHugeCircleEnds) {
  PolicyDocument policy = ExamplePolicy();
  policy.pools.clear();
  for (int i = 0; i < 1'000; ++i) {
    policy.pools.push_back({.name = std::to_string(i),
                            .members = {{.source = "ip-11"}},
                            .overflow = std::to_string((i + 1) % 1'000)});
  }
  EXPECT_LE(CheckPolicy(policy).size(), 1'000U);
}

}  // namespace
}  // namespace sluice
