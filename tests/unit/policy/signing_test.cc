#include "policy/signing.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

PolicyDocument Policy() {
  PolicyDocument policy;
  policy.tenants = {{.name = "shop", .sender_domains = {"shop.example"}},
                    {.name = "guest", .sender_domains = {"guest.shop.example"}}};
  policy.dkim_keys = {{"shop.example", "r1", "shop.pem", "rsa-sha256"},
                      {"guest.shop.example", "g1", "guest.pem", "ed25519-sha256"},
                      {"other.example", "o1", "other.pem", "ed25519-sha256"}};
  return policy;
}

TEST(SigningTest, AKeySignsForTheTenantsThatOwnItsDomain) {
  const std::vector<SigningKey> keys = SigningKeysOf(Policy());
  ASSERT_EQ(keys.size(), 3u);
  EXPECT_EQ(keys[0], (SigningKey{"shop", "shop.example", "r1", "shop.pem", "rsa-sha256"}));
  EXPECT_EQ(keys[1].domain, "guest.shop.example");
  // Who owns a subdomain only does not get the parent's key.
  EXPECT_EQ(keys[2], (SigningKey{"guest", "guest.shop.example", "g1", "guest.pem",
                                 "ed25519-sha256"}));
}

TEST(SigningTest, ParentsEnd) {
  EXPECT_EQ(ParentDomain("a.b.example"), "b.example");
  EXPECT_EQ(ParentDomain("example"), "");
  EXPECT_EQ(ParentDomain(""), "");
}

}  // namespace
}  // namespace sluice
