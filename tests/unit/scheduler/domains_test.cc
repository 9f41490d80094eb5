#include "scheduler/domains.h"

#include <gtest/gtest.h>

namespace sluice::scheduler {
namespace {

using std::chrono::seconds;

class DomainsTest : public ::testing::Test {
 protected:
  const Site& Resolved(const std::string& domain, std::vector<MxHost> hosts) {
    const uint32_t number = domains.Number(domain);
    MxAnswer answer;
    answer.status = DnsStatus::kOk;
    answer.hosts = hosts;
    answer.ttl = seconds(60);
    domains.Answer(number, answer, hosts, now);
    return domains.site(domains[number].site);
  }
  Instant now = FromMicros(1'800'000'000'000'000);
  ProviderCatalogue catalogue;
  Domains domains{catalogue};
};

TEST_F(DomainsTest, NamesOneSiteForAHostingCompanyButNeverMixesHosts) {
  const Site one = Resolved("one.example", {{"one.mx.hosting.example", 10}});
  const Site two = Resolved("two.example", {{"two.mx.hosting.example", 10}});
  EXPECT_EQ(one.name, "hosting.example");
  EXPECT_EQ(two.name, "hosting.example");
  EXPECT_EQ(one.hosts, std::vector<std::string>{"one.mx.hosting.example"});
  EXPECT_EQ(two.hosts, std::vector<std::string>{"two.mx.hosting.example"});
  EXPECT_NE(domains[domains.Number("one.example")].site, domains[domains.Number("two.example")].site);
}

TEST_F(DomainsTest, SharesASiteBetweenDomainsWithTheSameHosts) {
  Resolved("one.example", {{"a.mimecast.com", 10}, {"b.mimecast.com", 20}});
  Resolved("two.example", {{"a.mimecast.com", 10}, {"b.mimecast.com", 20}});
  EXPECT_EQ(domains[domains.Number("one.example")].site, domains[domains.Number("two.example")].site);
}

TEST_F(DomainsTest, KeepsTheLastKnownProviderWhenDnsFails) {
  Resolved("one.example", {{"aspmx.l.google.com", 10}});
  const uint32_t number = domains.Number("one.example");
  MxAnswer failed;
  failed.status = DnsStatus::kTempFail;
  domains.Answer(number, failed, {}, now + seconds(90));
  EXPECT_EQ(domains[number].state, DomainState::kSite);
  EXPECT_EQ(domains.site(domains[number].site).provider, "google");
}

TEST_F(DomainsTest, ASiteThatItsLastDomainHasLeftEndsWhenNothingUsesIt) {
  const auto never = [](uint32_t) { return false; };
  for (int i = 0; i < 1000; ++i) {
    // Its MX hosts are others each time.
    Resolved("one.example", {{"mx" + std::to_string(i) + ".test", 10}});
    Resolved("two.example", {{"mx.two.test", 10}});
  }
  const uint32_t used = domains[domains.Number("one.example")].site;
  EXPECT_EQ(domains.site_count(), 1001U);
  Resolved("one.example", {{"mx.last.test", 10}});
  domains.AddFlight(used);
  EXPECT_EQ(domains.ForgetIdle(never).size(), 999U);
  EXPECT_EQ(domains.site_count(), 3U) << "one has mail in flight";
  domains.EndFlight(used);
  EXPECT_EQ(domains.ForgetIdle([&](uint32_t site) { return site == used; }).size(), 0U) << "a flow waits there";
  EXPECT_EQ(domains.ForgetIdle(never), std::vector<uint32_t>{used});
  EXPECT_EQ(domains.site(domains[domains.Number("one.example")].site).hosts.front(), "mx.last.test");
}

TEST_F(DomainsTest, FindsProvidersAnewWhenTheCatalogueChanges) {
  Resolved("one.example", {{"mx.partner.example", 10}});
  const uint32_t number = domains.Number("one.example");
  EXPECT_EQ(domains.site(domains[number].site).provider, "other");
  catalogue.Add(".partner.example", "partner");
  domains.Reclassify();
  const Site& site = domains.site(domains[number].site);
  EXPECT_EQ(site.provider, "partner");
  EXPECT_EQ(domains.providers().Name(site.provider_number), "partner");
  EXPECT_EQ(site.name, "mx.partner.example");
}

}  // namespace
}  // namespace sluice::scheduler
