#include "mail/domain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

struct Good {
  std::string domain;
  std::string normal;
};
struct Bad {
  std::string domain;
  std::string why;
};

TEST(DomainTest, NormalisesCaseDotAndUnicode) {
  const std::vector<Good> cases = {
      {"example.com", "example.com"},
      {"EXAMPLE.Com.", "example.com"},
      {"a-b.c1.example", "a-b.c1.example"},
      {"3com.com", "3com.com"},
      {"localhost", "localhost"},
      {"bücher.example", "xn--bcher-kva.example"},
      {"BÜCHER.Example.", "xn--bcher-kva.example"},
      {"bu\xcc\x88"
       "cher.example",
       "xn--bcher-kva.example"},                   // u + combining diaeresis: NFC first.
      {"faß.example", "xn--fa-hia.example"},       // Not transitional: ß stays itself.
      {"例え。テスト", "xn--r8jz45g.xn--zckzah"},  // Ideographic full stop.
      {"xn--bcher-kva.example", "xn--bcher-kva.example"},
      {"XN--BCHER-KVA.EXAMPLE", "xn--bcher-kva.example"},
      {"пример.рф", "xn--e1afmkfd.xn--p1ai"},
      {std::string(63, 'a') + ".example", std::string(63, 'a') + ".example"},
  };
  for (const Good& c : cases) {
    const absl::StatusOr<std::string> domain = NormaliseDomain(c.domain);
    ASSERT_TRUE(domain.ok()) << c.domain << ": " << domain.status();
    EXPECT_EQ(*domain, c.normal);
    EXPECT_EQ(NormaliseDomain(*domain).value(), *domain) << "normal form must be stable";
  }
}

TEST(DomainTest, RefusesWithACure) {
  const std::string long_domain = Cat(std::string(63, 'a'), ".", std::string(63, 'b'), ".",
                                      std::string(63, 'c'), ".", std::string(63, 'd'), ".example");
  const std::vector<Bad> cases = {
      {"", "is empty: add it"},
      {".", "is empty: add it"},
      {"example..com", "empty label: remove the extra dot"},
      {".example.com", "empty label"},
      {"example.com..", "empty label"},
      {"-a.example", "hyphen: remove it"},
      {"a-.example", "hyphen"},
      {"a_b.example", "'_' in it: labels consist of"},
      {"a b.example", "' ' in it"},
      {"a\r\nb.example", "'\\x0d' in it"},
      {std::string("a\0b.example", 11), "'\\x00' in it"},
      {std::string("b\xc3\xbc\0.example", 12), "NUL"},
      {std::string(64, 'a') + ".example", "label over 63 bytes"},
      {long_domain, "over 255 bytes"},
      {std::string(5000, 'a'), "over 255 bytes"},
      {"192.0.2.1", "write a name, or an address as [192.0.2.1]"},
      {"example.123", "ends with a number"},
      {"b\xfc"
       "cher.example",
       "not UTF-8"},
      {"xn--\xff.example", "not UTF-8"},
      {"xn--zzzzzzzz99999.example", "internationalised"},
      {"℀.example", "a/c"},  // UTS 46 maps U+2100 to a/c.
  };
  for (const Bad& c : cases) {
    const absl::Status status = NormaliseDomain(c.domain).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.domain;
    if (c.why != "a/c") {
      EXPECT_THAT(std::string(status.message()), HasSubstr(c.why)) << c.domain;
    }
  }
}

TEST(DomainTest, AddressLiteralsAreCanonical) {
  EXPECT_EQ(NormaliseAddressLiteral("[192.0.2.1]").value(), "[192.0.2.1]");
  EXPECT_EQ(NormaliseAddressLiteral("[ipv6:2001:DB8:0:0::1]").value(), "[IPv6:2001:db8::1]");
  for (const std::string bad :
       {"", "[]", "[", "[192.0.2]", "[192.0.2.256]", "[2001:db8::1]", "[IPv6:192.0.2.1]",
        "[x400:abc]", "192.0.2.1", "[192.0.2.1", "[IPv6:]"}) {
    EXPECT_THAT(std::string(NormaliseAddressLiteral(bad).status().message()),
                HasSubstr("write [192.0.2.1]"))
        << bad;
  }
}

}  // namespace
}  // namespace sluice
