#include "wire/policy_yaml.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "base/text.h"
#include "sluice/v1/policy.pb.h"
#include "wire/policy_convert.h"

namespace sluice::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The example of the architecture, as it stands there.
constexpr char kExample[] = R"(tenants:
  - {name: shop, streams: [transactional, marketing], sender_domains: [shop.example], rate: 500/s, pending: 2M}
streams:
  - {name: transactional, isolation: a, priority: high}
  - {name: marketing, isolation: b}
sources:
  - {name: ip-11, address: 192.0.2.11, ehlo: mta11.example.com}
  - {name: ip-12, address: 192.0.2.12, ehlo: mta12.example.com}
  - {name: ip-21, address: 192.0.2.21, ehlo: mta21.example.com, warmup: {plan: default, start: 2026-12-01}}
pools:
  - {name: warm, members: [{source: ip-11, weight: 2}, {source: ip-12}]}
  - {name: new,  members: [{source: ip-21}], overflow: warm}
routes:                                  # first match wins; explain shows which and why
  - {match: {stream: transactional}, pool: warm}
  - {match: {stream: marketing, provider: google}, pool: warm}
  - {match: {stream: marketing, provider: yahoo}, pool: new}
shaping:                                 # most specific wins, per field; each effective value knows its rule
  - {match: {provider: google}, connections: 20, messages_per_connection: 50, rate: 200/s}
  - {match: {provider: google, source: ip-21}, connections: 5}
automation:
  - {match: {provider: yahoo, reply: '\[TSS04\]'}, when: 2/h, suspend: 2h}
)";

std::vector<std::string> Complaints(std::string_view yaml) {
  v1::Policy policy;
  const YamlPolicy read = ReadPolicyYaml(yaml, &policy);
  std::vector<std::string> out;
  for (const PolicyFinding& finding : read.findings)
    out.push_back(Describe("p.yaml", read.lines, finding));
  return out;
}

TEST(PolicyYamlTest, LoadsTheExampleOfTheArchitecture) {
  v1::Policy proto;
  ASSERT_THAT(ReadPolicyYaml(kExample, &proto).findings, IsEmpty());
  PolicyDocument policy;
  const auto findings = ValidatePolicy(proto, &policy);
  EXPECT_FALSE(HasErrors(findings)) << findings[0].path << ": " << findings[0].description;

  EXPECT_EQ(policy.tenants[0].rate, (Rate{500, std::chrono::seconds(1)}));
  EXPECT_EQ(policy.tenants[0].pending, 2'000'000);
  EXPECT_EQ(policy.streams[0].priority, Priority::kHigh);
  EXPECT_EQ(policy.sources[2].bind, "192.0.2.21");
  EXPECT_EQ(*policy.sources[2].warmup->start,
            std::chrono::sys_days(std::chrono::year(2026) / 12 / 1));
  EXPECT_EQ(policy.sources[2].warmup->stage, 1);
  EXPECT_EQ(policy.pools[0].members[0].weight, 2);
  EXPECT_EQ(policy.pools[0].members[1].weight, 1);
  EXPECT_EQ(policy.pools[1].overflow, "warm");
  EXPECT_EQ(policy.routes[2].match.provider, "yahoo");
  EXPECT_EQ(policy.shaping[1].match.source, "ip-21");
  EXPECT_EQ(policy.automation[0].match.reply, "\\[TSS04\\]");
  EXPECT_EQ(policy.automation[0].suspend, Duration(std::chrono::hours(2)));
}

TEST(PolicyYamlTest, TakesLowerCamelToo) {
  v1::Policy policy;
  ASSERT_THAT(ReadPolicyYaml(
                  "tagHeaders: [X-A]\ntenants: [{name: a, senderDomains: [b.example]}]\n", &policy)
                  .findings,
              IsEmpty());
  EXPECT_EQ(policy.tag_headers(0), "X-A");
  EXPECT_EQ(policy.tenants(0).sender_domains(0), "b.example");
}

TEST(PolicyYamlTest, UnknownKeysAreRefusedWithTheirLine) {
  EXPECT_THAT(Complaints("streams:\n  - {name: a}\npools:\n  - name: p\n    members:\n      - "
                         "source: s\n        wieght: 2\n"),
              ElementsAre("p.yaml:7: pools[0].members[0].wieght: unknown key; known here: source, "
                          "weight, reserve"));
  EXPECT_THAT(Complaints("# a\n\npoolz: []\n"),
              ElementsAre(HasSubstr("p.yaml:3: poolz: unknown key; known here: tenants,")));
}

TEST(PolicyYamlTest, SaysEverythingAtOnce) {
  EXPECT_THAT(Complaints("a: 1\nb: 2\n"), ::testing::SizeIs(2));
}

TEST(PolicyYamlTest, RefusesTheWrongKindOfValue) {
  EXPECT_THAT(Complaints("pools:\n  - {name: p, members: [{source: s, weight: heavy}]}\n"),
              ElementsAre("p.yaml:2: pools[0].members[0].weight: 'heavy' must be a whole number"));
  EXPECT_THAT(Complaints("pools:\n  - {name: p, members: [{source: s, weight: 1.5}]}\n"),
              ElementsAre(HasSubstr("'1.5' must be a whole number")));
  EXPECT_THAT(Complaints("pools: [{name: p, members: [{source: s, reserve: yes}]}]"),
              ElementsAre(HasSubstr("must be true or false")));
  EXPECT_THAT(Complaints("pools: {name: p}"), ElementsAre("p.yaml:1: pools: takes a list"));
  EXPECT_THAT(Complaints("pools: [p]"), ElementsAre("p.yaml:1: pools[0]: takes a map of keys"));
  EXPECT_THAT(Complaints("streams: [{name: [a]}]"),
              ElementsAre(HasSubstr("streams[0].name: takes one value")));
  EXPECT_THAT(Complaints("streams: [{name: }]"),
              ElementsAre(HasSubstr("streams[0].name: has no value")));
  EXPECT_THAT(Complaints("- a"), ElementsAre("p.yaml:1: takes a map of keys"));
  EXPECT_THAT(Complaints("tag_headers: [{a: b}, X]"),
              ElementsAre(HasSubstr("tag_headers[0]: takes one value")));
}

TEST(PolicyYamlTest, RefusesWhatStandsTwice) {
  EXPECT_THAT(Complaints("streams: []\ntenants: []\nstreams: []\n"),
              ElementsAre("p.yaml:1: streams: stands twice, again on line 3"));
  EXPECT_THAT(Complaints("tag_headers: []\ntagHeaders: []\n"),
              ElementsAre(HasSubstr("stands twice")));
  EXPECT_THAT(Complaints("routes:\n  - match: {tags: {a: b, a: c}}\n"),
              ElementsAre("p.yaml:2: routes[0].match.tags[\"a\"]: stands twice"));
}

TEST(PolicyYamlTest, NamesTheLineOfBrokenYaml) {
  EXPECT_THAT(Complaints("streams:\n  - {name: a\npools: []\n"),
              ElementsAre(HasSubstr("p.yaml:3: not valid YAML")));
  EXPECT_THAT(Complaints("streams: []\n---\nstreams: []\n"),
              ElementsAre(HasSubstr("more than one document")));
  EXPECT_THAT(Complaints(""), IsEmpty());
  EXPECT_THAT(Complaints(std::string(17 * 1024 * 1024, '#')),
              ElementsAre(HasSubstr("larger than 16 MB")));
}

TEST(PolicyYamlTest, MapsOfNumbersTakeMagnitudes) {
  v1::Policy policy;
  ASSERT_THAT(
      ReadPolicyYaml("warmup_plans: [{name: a, stages: [{caps: {google: 5k, '*': 20}}]}]", &policy)
          .findings,
      IsEmpty());
  EXPECT_EQ(policy.warmup_plans(0).stages(0).caps().at("google"), 5'000);
  EXPECT_EQ(policy.warmup_plans(0).stages(0).caps().at("*"), 20);
}

TEST(PolicyYamlTest, LaterFindingsHaveLinesToo) {
  const std::string yaml =
      Cat(kExample, "retry_schedules:\n  - name: fast\n    waits: [1m, soon]\n");
  v1::Policy proto;
  const YamlPolicy read = ReadPolicyYaml(yaml, &proto);
  PolicyDocument policy;
  const auto findings = ValidatePolicy(proto, &policy);
  ASSERT_FALSE(findings.empty());
  EXPECT_THAT(Describe("p.yaml", read.lines, findings[0]),
              HasSubstr("p.yaml:24: retry_schedules[0].waits[1]: 'soon' is no duration"));
}

TEST(PathLinesTest, FallsBackToWhatHoldsThePath) {
  PathLines lines;
  lines.Set("pools[1]", 7);
  lines.Set("pools", 3);
  EXPECT_EQ(lines.LineOf("pools[1].members[0].source"), 7);
  EXPECT_EQ(lines.LineOf("pools[2].name"), 3);
  EXPECT_EQ(lines.LineOf("routes[0]"), 1);
}

// Every kind of field in the schema must be readable, also those added later.
void ExpectReadable(const google::protobuf::Descriptor& type, std::set<std::string>& seen) {
  using google::protobuf::FieldDescriptor;
  if (!seen.insert(type.full_name()).second) return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      ExpectReadable(*field.message_type(), seen);
      continue;
    }
    const std::set<FieldDescriptor::CppType> known = {
        FieldDescriptor::CPPTYPE_STRING, FieldDescriptor::CPPTYPE_BOOL,
        FieldDescriptor::CPPTYPE_INT32, FieldDescriptor::CPPTYPE_INT64,
        FieldDescriptor::CPPTYPE_DOUBLE};
    EXPECT_TRUE(known.contains(field.cpp_type())) << field.full_name();
    EXPECT_TRUE(!field.is_repeated() || field.cpp_type() == FieldDescriptor::CPPTYPE_STRING)
        << field.full_name();
  }
}

TEST(PolicyYamlTest, KnowsEveryKindOfFieldOfTheSchema) {
  std::set<std::string> seen;
  ExpectReadable(*v1::Policy::descriptor(), seen);
  EXPECT_GT(seen.size(), 10U);
}

TEST(PolicyYamlWriteTest, WhatIsWrittenReadsBackTheSame) {
  const std::string odd = "tag_headers: ['a b', \"c\\\"d\", '-e', 'null', 'x: y', '#f', \"tab\\there\", 'ü']\n";
  v1::Policy policy, again;
  ASSERT_THAT(ReadPolicyYaml(Cat(kExample, odd), &policy).findings, IsEmpty());
  policy.mutable_automation(0)->set_slow_to(0.25);
  (*policy.mutable_routes(0)->mutable_match()->mutable_tags())["X-Kind"] = "a, b";
  const std::string yaml = WritePolicyYaml(policy);
  ASSERT_THAT(ReadPolicyYaml(yaml, &again).findings, IsEmpty()) << yaml;
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(policy, again)) << yaml;
}

TEST(PolicyYamlWriteTest, OneLineForEveryElement) {
  v1::Policy policy;
  ASSERT_THAT(ReadPolicyYaml("pools: [{name: warm, members: [{source: ip-11, weight: 2}, {source: ip-12}]}]\n"
                             "retention: {events: 7d}\n",
                             &policy)
                  .findings,
              IsEmpty());
  EXPECT_EQ(WritePolicyYaml(policy),
            "pools:\n  - {name: warm, members: [{source: ip-11, weight: 2}, {source: ip-12}]}\nretention: {events: 7d}\n");
}

TEST(PolicyConvertTest, JsonKeepsThePolicy) {
  v1::Policy proto, again;
  ASSERT_THAT(ReadPolicyYaml(kExample, &proto).findings, IsEmpty());
  const auto json = PolicyToJson(proto);
  ASSERT_TRUE(json.ok());
  EXPECT_THAT(*json, HasSubstr("sender_domains"));
  ASSERT_TRUE(PolicyFromJson(*json, &again).ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(proto, again));
}

TEST(PolicyConvertTest, TheDocumentComesBackAsItWas) {
  v1::Policy proto;
  std::ostringstream yaml;
  yaml << kExample << R"(retry_schedules: [{name: fast, waits: [1m, 5m], reply_classes: [greylist]}]
warmup_plans: [{name: slow, stages: [{caps: {google: 50}}]}]
dkim_keys: [{domain: shop.example, selector: s1, key: shop.pem, algorithm: rsa-sha256}]
tag_headers: [X-Kind]
retention: {events: 7d}
providers: [{mx_suffix: .mx.example.net, provider: example}]
reply_rules:
  - {name: one, providers: [google], pattern: never, code: 4xx, stages: [rcpt, body], reply_class: rcpt_bad, scope: recipient_org, disposition: bounced}
  - {name: two, pattern: later, code: 550, reply_class: throttle}
  - {name: three, pattern: what, reply_class: policy}
)";
  ASSERT_THAT(ReadPolicyYaml(yaml.str(), &proto).findings, IsEmpty());
  PolicyDocument first, second;
  ASSERT_THAT(FromProto(proto, &first), IsEmpty());
  v1::Policy once, twice;
  ToProto(first, &once);
  ASSERT_THAT(FromProto(once, &second), IsEmpty());
  ToProto(second, &twice);
  std::string difference;
  google::protobuf::util::MessageDifferencer differ;
  differ.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differ.Compare(once, twice)) << difference;
  EXPECT_EQ(second.retry_schedules[0].waits[1], Duration(std::chrono::minutes(5)));
  EXPECT_EQ(second.event_retention, Duration(std::chrono::hours(24 * 7)));
  EXPECT_EQ(second.warmup_plans[0].stages[0][0].second, 50);
  EXPECT_EQ(first.reply_rules, second.reply_rules);
  EXPECT_EQ(second.reply_rules[0].code_to, 499);
  EXPECT_EQ(second.reply_rules[1].code_from, 550);
  EXPECT_EQ(second.reply_rules[2].code_to, 599);
}

TEST(PolicyConvertTest, EveryValueThatDoesNotParseIsNamed) {
  v1::Policy proto;
  ASSERT_THAT(ReadPolicyYaml(R"(
tenants: [{name: a, rate: fast, pending: many}]
streams: [{name: a, priority: urgent, expiry: soon}]
sources: [{name: a, warmup: {plan: default, start: 2026-13-01}}]
shaping: [{rate: 1, connection_rate: 2, bytes_rate: 3, tls: maybe, ipv6: maybe}]
automation: [{when: 1, suspend: x, retry_after: x, scope: x}]
retry_schedules: [{waits: [x], reply_classes: [x]}]
retention: {events: x}
)",
                             &proto)
                  .findings,
              IsEmpty());
  PolicyDocument policy;
  std::vector<std::string> paths;
  for (const PolicyFinding& finding : FromProto(proto, &policy)) paths.push_back(finding.path);
  EXPECT_THAT(paths, ElementsAre("tenants[0].rate", "tenants[0].pending", "streams[0].priority",
                                 "streams[0].expiry", "sources[0].warmup.start", "shaping[0].rate",
                                 "shaping[0].connection_rate", "shaping[0].bytes_rate",
                                 "shaping[0].tls", "shaping[0].ipv6", "automation[0].when",
                                 "automation[0].suspend", "automation[0].retry_after",
                                 "automation[0].scope", "retry_schedules[0].waits[0]",
                                 "retry_schedules[0].reply_classes[0]", "retention.events"));
}

TEST(PolicyConvertTest, DomainsAndAddressesComeOutCanonical) {
  v1::Policy proto;
  ASSERT_THAT(ReadPolicyYaml(R"(
tenants: [{name: a, sender_domains: [Shop.EXAMPLE]}]
sources: [{name: a, address: '2001:DB8:0::1', ehlo: MTA.Example.com}]
)",
                             &proto)
                  .findings,
              IsEmpty());
  PolicyDocument policy;
  ASSERT_THAT(FromProto(proto, &policy), IsEmpty());
  EXPECT_EQ(policy.tenants[0].sender_domains[0], "shop.example");
  EXPECT_EQ(policy.sources[0].address, "2001:db8::1");
  EXPECT_EQ(policy.sources[0].ehlo, "mta.example.com");
}

TEST(PolicyConvertTest, StoredTextOfANewerVersionLoads) {
  const auto policy =
      PolicyDocumentFromJson(R"({"streams":[{"name":"a","sparkle":1}],"wonders":{}})");
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy->streams[0].name, "a");
  EXPECT_FALSE(PolicyDocumentFromJson("{").ok());
  EXPECT_FALSE(PolicyDocumentFromJson(R"({"streams":[{"name":"a","expiry":"soon"}]})").ok());
}

}  // namespace
}  // namespace sluice::wire
