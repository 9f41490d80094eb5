#include "policy/blocklist.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "policy/health.h"
#include "policy/spf.h"

namespace sluice {
namespace {

using Kind = BlocklistReading::Kind;
using std::chrono::minutes;
using ::testing::HasSubstr;

const Blocklist& Zen() { return *FindBlocklist("zen.spamhaus.org"); }

TEST(BlocklistTest, AddressesAreReversedInBothFamilies) {
  EXPECT_EQ(ReversedAddress("192.0.2.11"), "11.2.0.192");
  EXPECT_EQ(ReversedAddress("2001:db8::1"), "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2");
  EXPECT_EQ(ReversedAddress("::FFFF:7F00:2"), "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0");
  EXPECT_EQ(ReversedAddress("mail.example"), "");
}

TEST(BlocklistTest, OnlyAddressesOfTheWorldArePublic) {
  for (const char* address : {"8.8.8.8", "100.0.0.1", "172.15.0.1", "2a00:1450::5"}) EXPECT_TRUE(IsPublicAddress(address)) << address;
  for (const char* address : {"127.0.0.11", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.1", "::1", "fe80::1", "fd00::1",
                              "2001:db8::1", "x"}) {
    EXPECT_FALSE(IsPublicAddress(address)) << address;
  }
}

TEST(BlocklistTest, KnownCodesAreListingsAndTheWorstDecides) {
  EXPECT_EQ(ReadBlocklist(Zen(), {}).kind, Kind::kClean);
  const auto both = ReadBlocklist(Zen(), {"127.0.0.10", "127.0.0.2"});
  ASSERT_EQ(both.kind, Kind::kListed);
  EXPECT_EQ(both.code->word, "listed_critical");
  EXPECT_THAT(both.text, HasSubstr("127.0.0.10 PBL"));
  EXPECT_EQ(ReadBlocklist(Zen(), {"127.0.0.6"}).code->confirm, 1) << "XBL is acted on at once";
  EXPECT_EQ(ReadBlocklist(Zen(), {"127.0.0.3"}).code->confirm, 2);
}

TEST(BlocklistTest, ErrorsUnknownCodesAndForeignAnswersAreNoListings) {
  for (const char* answer : {"127.255.255.252", "127.255.255.254", "127.255.255.255", "127.0.0.77", "192.0.2.1", "::1"}) {
    const auto reading = ReadBlocklist(Zen(), {answer});
    EXPECT_EQ(reading.kind, Kind::kError) << answer;
    EXPECT_THAT(reading.text, HasSubstr(answer));
  }
  EXPECT_EQ(ReadBlocklist(Zen(), {"127.255.255.254", "127.0.0.2"}).kind, Kind::kError) << "an error beside anything is an error";
  EXPECT_EQ(ReadBlocklist(*FindBlocklist("dbl.spamhaus.org"), {"127.0.1.255"}).kind, Kind::kError);
}

TEST(BlocklistTest, AListingIsConfirmedAndEndsAfterThreeCleanAnswers) {
  const ConfirmationRules rules;
  Instant now = FromMicros(1'800'000'000'000'000);
  Confirmation state = Confirm({}, true, 2, rules, now);
  EXPECT_FALSE(state.stands);
  state = Confirm(state, true, 2, rules, now += minutes(1));
  EXPECT_FALSE(state.stands) << "too soon after the first";
  state = Confirm(state, true, 2, rules, now += minutes(4));
  EXPECT_TRUE(state.stands);
  for (int i = 0; i < 2; ++i) state = Confirm(state, false, 2, rules, now += minutes(15));
  EXPECT_TRUE(state.stands);
  state = Confirm(state, true, 2, rules, now += minutes(15));
  for (int i = 0; i < 2; ++i) state = Confirm(state, false, 2, rules, now += minutes(15));
  EXPECT_TRUE(state.stands) << "it was listed in between";
  EXPECT_FALSE(Confirm(state, false, 2, rules, now).stands);
}

TEST(BlocklistTest, OnePositiveAndACleanOneAreNothing) {
  const ConfirmationRules rules;
  const Instant now = FromMicros(1'800'000'000'000'000);
  Confirmation state = Confirm({}, true, 2, rules, now);
  state = Confirm(state, false, 2, rules, now + minutes(5));
  EXPECT_FALSE(Confirm(state, true, 2, rules, now + minutes(10)).stands);
  EXPECT_TRUE(Confirm({}, true, 1, rules, now).stands);
}

TEST(BlocklistTest, EveryWordOfAListIsOneThatARuleOfHealthKnowsOrSaysNothing) {
  for (const Blocklist& list : ShippedBlocklists()) {
    EXPECT_FALSE(list.delist.empty()) << list.zone;
    for (const auto& code : list.codes) {
      const auto& rules = ShippedHealthRules();
      const bool known = std::any_of(rules.begin(), rules.end(), [&](const HealthRule& r) { return r.opinion == code.word; });
      EXPECT_TRUE(known || code.word == "listed_low") << list.zone << " " << code.word;
    }
  }
}

struct Dns {
  std::map<std::string, std::vector<std::string>> texts, addresses, mx;
  std::string failing;
  SpfResult Check(const std::string& address, const std::string& domain = "shop.example") {
    const auto from = [this](const auto& table, const std::string& name) -> std::optional<std::vector<std::string>> {
      if (name == failing) return std::nullopt;
      const auto found = table.find(name);
      return found == table.end() ? std::vector<std::string>() : found->second;
    };
    answer = CheckSpf(address, domain,
                      {.texts = [&](const std::string& name) { return from(texts, name); },
                       .addresses = [&](const std::string& name) { return from(addresses, name); },
                       .mx_hosts = [&](const std::string& name) { return from(mx, name); }});
    return answer.result;
  }
  SpfAnswer answer;
};

TEST(SpfTest, MechanismsCoverWhatTheySay) {
  Dns dns;
  dns.texts["shop.example"] = {"google-site-verification=x", "v=spf1 ip4:192.0.2.0/28 ip6:2001:db8::/64 a mx/30 include:esp.example -all"};
  dns.texts["esp.example"] = {"v=spf1 ip4:198.51.100.7 ~all"};
  dns.addresses = {{"shop.example", {"203.0.113.1"}}, {"mail.shop.example", {"203.0.113.8"}}};
  dns.mx["shop.example"] = {"mail.shop.example"};
  for (const char* address : {"192.0.2.15", "2001:db8::9", "203.0.113.1", "203.0.113.11", "198.51.100.7"}) {
    EXPECT_EQ(dns.Check(address), SpfResult::kPass) << address;
  }
  for (const char* address : {"192.0.2.16", "2001:db8:1::1", "203.0.113.2", "203.0.113.12", "198.51.100.8"}) {
    EXPECT_EQ(dns.Check(address), SpfResult::kNotPass) << address;
  }
}

TEST(SpfTest, RedirectQualifiersAndMacros) {
  Dns dns;
  dns.texts["shop.example"] = {"V=SPF1 redirect=_spf.shop.example"};
  dns.texts["_spf.shop.example"] = {"v=spf1 -ip4:192.0.2.9 exists:%{ir}.allowed.example ?all"};
  dns.addresses["1.2.0.192.allowed.example"] = {"127.0.0.2"};
  EXPECT_EQ(dns.Check("192.0.2.1"), SpfResult::kPass);
  EXPECT_EQ(dns.Check("192.0.2.9"), SpfResult::kNotPass);
  EXPECT_EQ(dns.Check("192.0.2.2"), SpfResult::kNotPass);
  dns.texts["_spf.shop.example"] = {"v=spf1 exists:%{l}.x.example -all"};
  EXPECT_EQ(dns.Check("192.0.2.1"), SpfResult::kCannotTell) << "only a message has a local part";
}

TEST(SpfTest, WhatIsBrokenIsBrokenForEverybodyAndAFailureSaysNothing) {
  Dns dns;
  EXPECT_EQ(dns.Check("192.0.2.1"), SpfResult::kNone);
  dns.texts["shop.example"] = {"v=spf1 -all", "v=spf1 +all"};
  EXPECT_EQ(dns.Check("192.0.2.1"), SpfResult::kBroken);
  dns.texts["shop.example"] = {"v=spf1 ipv4:192.0.2.1 -all"};
  EXPECT_EQ(dns.Check("192.0.2.1"), SpfResult::kBroken);
  dns.texts["shop.example"] = {"v=spf1 include:shop.example -all"};
  EXPECT_EQ(dns.Check("192.0.2.1"), SpfResult::kBroken) << "a loop ends at ten lookups";
  dns.texts["shop.example"] = {"v=spf1 include:esp.example -all"};
  EXPECT_EQ(dns.Check("192.0.2.1"), SpfResult::kBroken) << "included, and not there";
  dns.failing = "esp.example";
  EXPECT_EQ(dns.Check("192.0.2.1"), SpfResult::kCannotTell);
}

}  // namespace
}  // namespace sluice
