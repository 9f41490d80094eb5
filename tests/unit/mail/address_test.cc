#include "mail/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

TEST(EmailAddressTest, ParsesToCanonicalForm) {
  struct Case {
    std::string text;
    std::string canonical;
    bool needs_smtputf8 = false;
  };
  const std::string local64(64, 'l');
  const std::vector<Case> cases = {
      {"user@example.com", "user@example.com"},
      {"User.Name+tag@EXAMPLE.com.", "User.Name+tag@example.com"},
      {"!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"},
      {"\"user\"@example.com", "user@example.com"},
      {"\"us\\er\"@example.com", "user@example.com"},
      {"\"two words\"@example.com", "\"two words\"@example.com"},
      {"\"a@b\"@example.com", "\"a@b\"@example.com"},
      {"\"a\\\"b\\\\c\"@example.com", "\"a\\\"b\\\\c\"@example.com"},
      {"\"a..b\"@example.com", "\"a..b\"@example.com"},
      {"\".a\"@example.com", "\".a\"@example.com"},
      {"\"\"@example.com", "\"\"@example.com"},
      {"\"<x>\"@example.com", "\"<x>\"@example.com"},
      {"user@bücher.example", "user@xn--bcher-kva.example"},
      {"jürgen@example.com", "jürgen@example.com", true},
      {"用户@例子.测试", "用户@xn--fsqu00a.xn--0zwm56d", true},
      {"\"jür gen\"@example.com", "\"jür gen\"@example.com", true},
      {local64 + "@example.com", local64 + "@example.com"},
  };
  for (const Case& c : cases) {
    const absl::StatusOr<EmailAddress> address = EmailAddress::Parse(c.text);
    ASSERT_TRUE(address.ok()) << c.text << ": " << address.status();
    EXPECT_EQ(address->ToString(), c.canonical);
    EXPECT_EQ(address->needs_smtputf8(), c.needs_smtputf8) << c.text;
    EXPECT_EQ(Cat(address->local(), "@", address->domain()), address->ToString());
    EXPECT_EQ(EmailAddress::Parse(address->ToString()).value(), *address)
        << "canonical form must be stable";
  }
}

TEST(EmailAddressTest, TellsLocalPartAndDomainApartAtTheRightAt) {
  const EmailAddress address = EmailAddress::Parse("\"a@evil.example\"@shop.example").value();
  EXPECT_EQ(address.local(), "\"a@evil.example\"");
  EXPECT_EQ(address.domain(), "shop.example");
}

TEST(EmailAddressTest, RefusesWithACure) {
  struct Case {
    std::string text;
    std::string why;
  };
  const std::string label(60, 'd');
  const std::string long_domain = Cat(label, ".", label, ".", label, ".", "example");
  const std::vector<Case> cases = {
      {"", "is empty: give one"},
      {"user", "has no @: add the domain"},
      {"@example.com", "nothing before the @"},
      {"user@", "domain is empty: add it"},
      {"user@@example.com", "more than one @"},
      {"a@b@example.com", "more than one @"},
      {".user@example.com", "dot at the edge"},
      {"user.@example.com", "dot at the edge"},
      {"us..er@example.com", "two in a row"},
      {"us er@example.com", "blank in it: remove it"},
      {"Name <user@example.com>", "blank in it"},
      {"<user@example.com>", "angle brackets: give the bare address"},
      {"a@example.com,b@example.com", "more than one @"},
      {"a,b@example.com", "looks like several"},
      {"us(er)@example.com", "'(' before the @"},
      {"us\\er@example.com", "'\\' before the @"},
      {"\"user@example.com", "never closed"},
      {"\"user\\\"@example.com", "never closed"},
      {"\"user\\", "never closed"},
      {"\"", "never closed"},
      {"\"user\"", "no @ after its quoted"},
      {"\"us\"er@example.com", "no @ after its quoted"},
      {"user@example.com\r\nBcc: x@example.com", "control character"},
      {"us\ner@example.com", "control character"},
      {"\"us\ner\"@example.com", "control character"},
      {"us\ter@example.com", "control character"},
      {std::string("us\0er@example.com", 17), "control character"},
      {"us\x7f"
       "er@example.com",
       "control character"},
      {"us\xc2\x85"
       "er@example.com",
       "control character"},
      {"us\xff"
       "er@example.com",
       "not UTF-8"},
      {"us\xc0\x8a"
       "er@example.com",
       "not UTF-8"},
      {"user@exam ple.com", "' ' in it"},
      {"user@192.0.2.1", "write a name, or an address as [192.0.2.1]"},
      {"user@[192.0.2.1]", "not allowed here: use a domain name"},
      {"user@exa_mple.com", "labels consist of"},
      {std::string(65, 'l') + "@example.com", "more than 64 bytes before the @"},
      {Cat(std::string(64, 'l'), "@", long_domain), "over 254 bytes"},
      {std::string(2000, 'x') + "@example.com", "far too long"},
  };
  for (const Case& c : cases) {
    const absl::Status status = EmailAddress::Parse(c.text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.why)) << c.text;
    EXPECT_EQ(status.message().find('\n'), std::string::npos)
        << "hostile input must be quoted in the error";
  }
}

TEST(EmailAddressTest, TakesAddressLiteralsOnlyWhenAskedTo) {
  const auto v4 = EmailAddress::Parse("user@[192.0.2.1]", AddressLiterals::kAllow).value();
  EXPECT_EQ(v4.domain(), "[192.0.2.1]");
  EXPECT_TRUE(v4.is_address_literal());
  const auto v6 = EmailAddress::Parse("user@[IPV6:2001:DB8::1]", AddressLiterals::kAllow).value();
  EXPECT_EQ(v6.domain(), "[IPv6:2001:db8::1]");
  EXPECT_FALSE(EmailAddress::Parse("user@[nonsense]", AddressLiterals::kAllow).ok());
  EXPECT_FALSE(EmailAddress::Parse("user@example.com").value().is_address_literal());
}

TEST(ReturnPathTest, MayBeNull) {
  EXPECT_TRUE(ReturnPath().is_null());
  EXPECT_TRUE(ReturnPath::Parse("").value().is_null());
  EXPECT_TRUE(ReturnPath::Parse("<>").value().is_null());
  EXPECT_EQ(ReturnPath::Parse("<>").value().ToString(), "");
  EXPECT_EQ(ReturnPath::Parse("<>").value().domain(), "");
}

TEST(ReturnPathTest, TakesAnAddressWithOrWithoutBrackets) {
  const ReturnPath path = ReturnPath::Parse("<\"b@x\"@Bücher.example>").value();
  EXPECT_FALSE(path.is_null());
  EXPECT_EQ(path.ToString(), "\"b@x\"@xn--bcher-kva.example");
  EXPECT_EQ(path.domain(), "xn--bcher-kva.example");
  EXPECT_EQ(ReturnPath::Parse("bounce@shop.example").value().domain(), "shop.example");
  EXPECT_TRUE(ReturnPath::Parse("jürgen@shop.example").value().needs_smtputf8());
}

TEST(ReturnPathTest, RefusesWhatIsNoAddress) {
  for (const std::string bad :
       {"<", ">", "<a@b", "a", "<<>>", "a@b.example\r\nRCPT TO:<c@d>", "@relay:a@b"}) {
    EXPECT_FALSE(ReturnPath::Parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace sluice
