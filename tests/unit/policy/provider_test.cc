#include "policy/provider.h"

#include <gtest/gtest.h>

#include <set>

#include "policy/shipped_data.h"
#include "policy/site.h"

namespace sluice {
namespace {

std::string ProviderOf(std::vector<MxHost> hosts) { return ProviderCatalogue().ProviderOf(hosts); }
std::string ProviderOf(const char* host) { return ProviderOf({{host, 10}}); }

// A host that the row is for.
std::string HostOf(std::string_view suffix) {
  std::string host(suffix);
  if (const size_t star = host.find('*'); star != std::string::npos) host.replace(star, 1, "xy");
  return host.front() == '.' ? "mx1" + host : host;
}

TEST(ProviderTest, FindsEveryShippedRow) {
  const ProviderCatalogue catalogue;
  ASSERT_GE(ShippedSuffixes().size(), 140u);
  for (const ShippedSuffix& row : ShippedSuffixes()) {
    const std::vector<MxHost> hosts{{HostOf(row.suffix), 10}};
    const ProviderMatch match = catalogue.Match(hosts);
    EXPECT_EQ(match.provider, ShippedProviders()[row.provider].name) << row.suffix;
    EXPECT_EQ(match.suffix, row.suffix);
    EXPECT_FALSE(row.source.empty());
  }
}

TEST(ProviderTest, TakesTheLongestSuffix) {
  EXPECT_EQ(ProviderOf("eur.olc.protection.outlook.com"), "ms-consumer");
  EXPECT_EQ(ProviderOf("contoso-com.mail.protection.outlook.com"), "m365");
  EXPECT_EQ(ProviderOf("contoso-com.a-v1.mx.microsoft"), "m365");
  EXPECT_EQ(ProviderOf("x.mail.yahoo.co.jp"), "yahoo-jp");
}

TEST(ProviderTest, TakesASuffixForHostsBelowItAndANameForItself) {
  EXPECT_EQ(ProviderOf("google.com"), "other");
  EXPECT_EQ(ProviderOf("notgoogle.com"), "other");
  EXPECT_EQ(ProviderOf("mx.yandex.ru"), "yandex");
  EXPECT_EQ(ProviderOf("a.mx.yandex.ru"), "other");
}

TEST(ProviderTest, LetsAStarStandForOneLabel) {
  EXPECT_EQ(ProviderOf("inbound-smtp.eu-west-1.amazonaws.com"), "ses-inbound");
  EXPECT_EQ(ProviderOf("inbound-smtp.a.b.amazonaws.com"), "other");
  EXPECT_EQ(ProviderOf("x.inbound-smtp.eu-west-1.amazonaws.com"), "other");
  EXPECT_EQ(ProviderOf("mx00.ionos.de"), "ionos");
  EXPECT_EQ(ProviderOf("mx00.ionos.co.uk"), "ionos");
  EXPECT_EQ(ProviderOf("ionos.de"), "other");
}

TEST(ProviderTest, MindsNeitherCaseNorATrailingDot) {
  EXPECT_EQ(ProviderOf("ASPMX.L.GOOGLE.COM."), "google");
  ProviderCatalogue catalogue;
  catalogue.Add(".Barracudanetworks.EXAMPLE.", "barracuda");
  EXPECT_EQ(catalogue.ProviderOf({{"d1.ess.barracudanetworks.example", 1}}), "barracuda");
}

TEST(ProviderTest, LetsTheLowestPreferenceDecideAndFallsBackToTheNext) {
  EXPECT_EQ(ProviderOf({{"eu-smtp-inbound-1.mimecast.com", 10}, {"a.mail.protection.outlook.com", 20}}), "mimecast");
  EXPECT_EQ(ProviderOf({{"a.mail.protection.outlook.com", 10}, {"eu-smtp-inbound-1.mimecast.com", 20}}), "m365");
  EXPECT_EQ(ProviderOf({{"decoy.shop.example", 0}, {"a.mail.protection.outlook.com", 10}}), "m365");
  EXPECT_EQ(ProviderOf(std::vector<MxHost>{}), "other");
}

TEST(ProviderTest, LetsMostHostsOfAPreferenceDecide) {
  EXPECT_EQ(ProviderOf({{"a.mimecast.com", 5}, {"aspmx.l.google.com", 5}, {"aspmx2.googlemail.com", 5}}), "google");
  EXPECT_EQ(ProviderOf({{"mx.own.example", 5}, {"mx2.own.example", 5}, {"aspmx.l.google.com", 5}}), "google");
  EXPECT_EQ(ProviderOf({{"a.mimecast.com", 5}, {"aspmx.l.google.com", 5}}), "mimecast");
}

TEST(ProviderTest, PutsAnOperatorsRowAboveEveryShippedOne) {
  const ProviderCatalogue catalogue({{.mx_suffix = ".outlook.com", .provider = "microsoft"},
                                     {.mx_suffix = "mx.partner.example", .provider = "partner"}});
  EXPECT_EQ(catalogue.ProviderOf({{"a.mail.protection.outlook.com", 1}}), "microsoft");
  EXPECT_EQ(catalogue.ProviderOf({{"mx.partner.example", 1}}), "partner");
  EXPECT_EQ(catalogue.ProviderOf({{"aspmx.l.google.com", 1}}), "google");
  const std::vector<MxHost> hosts{{"mx.partner.example", 1}};
  const ProviderMatch match = catalogue.Match(hosts);
  EXPECT_TRUE(match.is_operators);
  EXPECT_EQ(match.suffix, "mx.partner.example");
  EXPECT_TRUE(catalogue.Knows("partner"));
  EXPECT_TRUE(catalogue.Knows("google"));
  EXPECT_TRUE(catalogue.Knows("other"));
  EXPECT_FALSE(catalogue.Knows("gogle"));
}

TEST(ProviderTest, HoldsOutAgainstOddNames) {
  EXPECT_EQ(ProviderOf(""), "other");
  EXPECT_EQ(ProviderOf("."), "other");
  EXPECT_EQ(ProviderOf("..google.com"), "google");
  std::string deep = "google.com";
  for (int i = 0; i < 100; ++i) deep = "a." + deep;
  EXPECT_EQ(ProviderOf(deep.c_str()), "other");
}

TEST(ProviderTest, ShipsLimits) {
  const ShippedProvider* google = FindShippedProvider("google");
  ASSERT_NE(google, nullptr);
  EXPECT_EQ(google->limits.connections, 5);
  EXPECT_EQ(google->limits.messages_per_connection, 50);
  EXPECT_EQ(google->limits.tls, TlsMode::kRequired);
  EXPECT_FALSE(google->limits.rate.has_value());
  EXPECT_TRUE(FindShippedProvider("mimecast")->limits_per_site);
  EXPECT_EQ(FindShippedProvider("yahoo-jp")->limits.rate, (Rate{10, std::chrono::seconds(1)}));
  EXPECT_EQ(FindShippedProvider("spectrum")->limits.ipv6, Ipv6Mode::kNever);
  EXPECT_TRUE(FindShippedProvider("m365")->limits.connections_per_address.has_value());
  EXPECT_EQ(FindShippedProvider("other"), nullptr);
  EXPECT_EQ(ShippedDefaults().connections, 10);
  EXPECT_EQ(ShippedDefaults().connection_rate, (Rate{100, std::chrono::minutes(1)}));
}

TEST(SiteTest, IsTheMxSetWhereTheProviderIsKnown) {
  EXPECT_EQ(SiteName("shop.example", {{"a.mimecast.com", 1}, {"b.mimecast.com", 2}}, "mimecast"),
            "a.mimecast.com|b.mimecast.com");
}

TEST(SiteTest, IsTheRegistrableDomainOfTheBestHostWhereItIsNot) {
  EXPECT_EQ(SiteName("a.example", {{"cust1.mx.hosting.co.uk", 1}, {"mx.elsewhere.net", 2}}, "other"), "hosting.co.uk");
  EXPECT_EQ(SiteName("b.example", {{"cust2.mx.hosting.co.uk", 1}}, "other"), "hosting.co.uk");
  EXPECT_EQ(SiteName("mail.shop.example.com", {{"mail.shop.example.com", 0}}, "other"), "example.com");
  EXPECT_EQ(SiteName("mail.shop.example.com", {}, "other"), "example.com");
}

TEST(SiteTest, LeavesAddressesSuffixesAndSingleLabelsAsTheyAre) {
  for (const char* name : {"[192.0.2.1]", "192.0.2.1", "2001:db8::1", "co.uk", "localhost", ""}) {
    EXPECT_EQ(RegistrableDomain(name), name);
  }
  EXPECT_EQ(RegistrableDomain("mail.xn--bcher-kva.example"), "xn--bcher-kva.example");
}

TEST(SiteTest, CutsALongMxSetButKeepsSetsApart) {
  std::vector<MxHost> hosts;
  for (uint16_t i = 0; i < 30; ++i) hosts.push_back({"mx" + std::to_string(i) + ".long.example.com", i});
  const std::string one = MxSetName("a.example", hosts);
  hosts.back().name = "other.example.com";
  const std::string two = MxSetName("a.example", hosts);
  EXPECT_LE(one.size(), 200u);
  EXPECT_NE(one, two);
}

}  // namespace
}  // namespace sluice
