#include "net/dns_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/text.h"
#include "net/dns_cache.h"

namespace sluice {
namespace {

using namespace std::string_view_literals;
using testing::ElementsAre;

DnsRecords Mx(std::initializer_list<std::string_view> data) {
  DnsRecords records;
  records.status = DnsStatus::kOk;
  records.data.assign(data.begin(), data.end());
  return records;
}

TEST(HostNameTest, IsLowerCaseWithoutTrailingDot) {
  EXPECT_EQ(NormaliseHostName("MX1.Example.COM."), "mx1.example.com");
  EXPECT_EQ(NormaliseHostName("_x.a-b.example"), "_x.a-b.example");
}

TEST(HostNameTest, RefusesWhatIsNoName) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string("a..b"), std::string(".a"),
        std::string("a b.example"), std::string("192.0.2.1"), std::string("[192.0.2.1]"),
        std::string("2001:db8::1"), std::string("a\0b", 3), std::string(64, 'a') + ".example",
        std::string(300, 'a'), std::string("m\xc3\xbc.example")}) {
    EXPECT_EQ(NormaliseHostName(name), "") << name;
  }
}

TEST(MxAnswerTest, ReadsWireFormat) {
  const MxAnswer answer = MakeMxAnswer("d", Mx({"\x00\x14\x02mx\x01"
                                                "b\x00"sv,
                                                "\x00\x0a\x02MX\x01"
                                                "a\x00"sv}));
  EXPECT_EQ(answer.kind, MxKind::kMx);
  EXPECT_THAT(answer.hosts, ElementsAre(MxHost{"mx.a", 10}, MxHost{"mx.b", 20}));
}

TEST(MxAnswerTest, KeepsAHostOnceAtItsBestPreference) {
  const MxAnswer answer = MakeMxAnswer("d", Mx({"\x00\x14\x01x\x00"sv, "\x00\x0a\x01x\x00"sv}));
  EXPECT_THAT(answer.hosts, ElementsAre(MxHost{"x", 10}));
}

TEST(MxAnswerTest, DropsRecordsThatAreCutOffCompressedOrHideADot) {
  const MxAnswer answer = MakeMxAnswer("d", Mx({""sv, "\x00"sv, "\x00\x0a"sv,
                                                "\x00\x0a\x05"
                                                "ab"sv,
                                                "\x00\x0a\xc0\x0c"sv, "\x00\x0a\x01x"sv,
                                                "\x00\x0a\x03"
                                                "a.b\x00"sv}));
  EXPECT_EQ(answer.kind, MxKind::kUnusable);
  EXPECT_TRUE(answer.hosts.empty());
}

TEST(MxAnswerTest, TakesANullMxBesideRealOnesForNothing) {
  EXPECT_EQ(MakeMxAnswer("d", Mx({"\x00\x00\x00"sv})).kind, MxKind::kNull);
  EXPECT_THAT(MakeMxAnswer("d", Mx({"\x00\x00\x00"sv, "\x00\x0a\x01x\x00"sv})).hosts,
              ElementsAre(MxHost{"x", 10}));
}

TEST(AddressAnswerTest, IsFineWithOneFamilyWhateverTheOther) {
  DnsRecords a;
  a.status = DnsStatus::kOk;
  a.data = {std::string("\xc0\x00\x02\x01", 4), std::string("\xc0\x00\x02\x01", 4),
            std::string("bad")};
  DnsRecords failed;
  EXPECT_EQ(MakeAddressAnswer(AddressFamily::kIpv6First, &a, &failed).status, DnsStatus::kOk);
  EXPECT_THAT(MakeAddressAnswer(AddressFamily::kIpv6First, &a, &failed).addresses,
              ElementsAre("192.0.2.1"));
}

TEST(AddressAnswerTest, NeverCallsAHostMissingWhenOneAnswerIsMissing) {
  DnsRecords none, failed, missing;
  none.status = DnsStatus::kNoData;
  missing.status = DnsStatus::kNxDomain;
  const auto status = [](const DnsRecords& a, const DnsRecords& aaaa) {
    return MakeAddressAnswer(AddressFamily::kIpv4First, &a, &aaaa).status;
  };
  EXPECT_EQ(status(none, failed), DnsStatus::kTempFail);
  EXPECT_EQ(status(failed, none), DnsStatus::kTempFail);
  EXPECT_EQ(status(missing, failed), DnsStatus::kTempFail);
  EXPECT_EQ(status(missing, missing), DnsStatus::kNxDomain);
  EXPECT_EQ(status(none, none), DnsStatus::kNoData);
}

TEST(OrderMxHostsTest, KeepsPreferenceAndShufflesEquals) {
  const std::vector<MxHost> hosts{{"c", 20}, {"a1", 10}, {"a2", 10}, {"a3", 10}};
  std::map<std::string, int> firsts;
  std::set<std::string> orders;
  uint32_t seed = 1;
  const auto random = [&seed](size_t n) {
    seed = seed * 1664525 + 1013904223;
    return static_cast<size_t>(seed >> 16) % n;
  };
  for (int i = 0; i < 3000; ++i) {
    const auto ordered = OrderMxHosts(hosts, random);
    ASSERT_EQ(ordered.size(), 4U);
    ASSERT_EQ(ordered.back().name, "c");
    ++firsts[ordered.front().name];
    orders.insert(ordered[0].name + ordered[1].name + ordered[2].name);
  }
  EXPECT_EQ(orders.size(), 6U);
  for (const auto& [name, count] : firsts) {
    EXPECT_NEAR(count, 1000, 120) << name;
  }
}

TEST(DnsCacheTest, ForgetsTheOldestWhenFullAndWhatIsOver) {
  DnsCache cache(3);
  const auto records = std::make_shared<DnsRecords>();
  const SteadyInstant now{};
  for (int i = 0; i < 5; ++i) {
    cache.Put(Cat(i), records, now + std::chrono::seconds(10));
    cache.Put(Cat(i), records, now + std::chrono::seconds(20));
  }
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_EQ(cache.Find("1", now), nullptr);
  EXPECT_NE(cache.Find("2", now + std::chrono::seconds(19)), nullptr);
  EXPECT_EQ(cache.Find("2", now + std::chrono::seconds(20)), nullptr);
}

}  // namespace
}  // namespace sluice
