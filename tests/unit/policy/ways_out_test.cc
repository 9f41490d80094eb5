// What the check says about smart hosts and proxies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/check.h"
#include "unit/policy/example_policy.h"

namespace sluice {
namespace {

using ::testing::Contains;
using testing::ExamplePolicy;
using ::testing::Field;
using ::testing::IsEmpty;

PolicyDocument WithSmartHost() {
  PolicyDocument policy = ExamplePolicy();
  policy.smart_hosts = {
      {.name = "relay", .hosts = {"relay.example.net"}, .user = "shop", .password_file = "relay"}};
  policy.routes.insert(policy.routes.begin(), {.match = {.domain = "intern.example"},
                                               .pool = "warm",
                                               .smart_host = "relay"});
  return policy;
}

auto SaidOf(const std::string& path) { return Contains(Field(&PolicyFinding::path, path)); }

TEST(WaysOutTest, SoundOnesAreTaken) {
  PolicyDocument policy = WithSmartHost();
  policy.sources[0].proxy = "socks5://192.0.2.200:1080";
  policy.sources[1].proxy = "proxy-v2://[2001:db8::1]:5000";
  EXPECT_THAT(CheckPolicy(policy), IsEmpty());
}

TEST(WaysOutTest, NamesWhatIsWrongWithASmartHost) {
  const auto bent = [](void (*bend)(PolicyDocument&)) {
    PolicyDocument policy = WithSmartHost();
    bend(policy);
    return CheckPolicy(policy);
  };
  EXPECT_THAT(bent([](auto& p) { p.routes[0].smart_host = "nobody"; }),
              SaidOf("routes[0].smart_host"));
  EXPECT_THAT(bent([](auto& p) { p.smart_hosts[0].hosts.clear(); }),
              SaidOf("smart_hosts[0].hosts"));
  EXPECT_THAT(bent([](auto& p) { p.smart_hosts[0].port = 70'000; }), SaidOf("smart_hosts[0].port"));
  EXPECT_THAT(bent([](auto& p) { p.smart_hosts[0].password_file.clear(); }),
              SaidOf("smart_hosts[0].password_file"));
  EXPECT_THAT(bent([](auto& p) { p.smart_hosts[0].password_file = "../key"; }),
              SaidOf("smart_hosts[0].password_file"));
  EXPECT_THAT(bent([](auto& p) { p.smart_hosts[0].tls = TlsMode::kOpportunistic; }),
              SaidOf("smart_hosts[0].tls"));
  EXPECT_THAT(bent([](auto& p) { p.smart_hosts.push_back(p.smart_hosts[0]); }),
              SaidOf("smart_hosts[1].name"));
}

TEST(WaysOutTest, AProxyIsAKindAnAddressAndAPort) {
  PolicyDocument policy = ExamplePolicy();
  policy.sources[2].proxy = "http://192.0.2.200:8080";
  EXPECT_THAT(CheckPolicy(policy), SaidOf("sources[2].proxy"));
}

}  // namespace
}  // namespace sluice
