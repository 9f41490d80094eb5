#include "mail/header_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> Addresses(std::string_view value) {
  const auto addresses = ParseMailboxList(value);
  EXPECT_TRUE(addresses.ok()) << value << ": " << addresses.status();
  std::vector<std::string> texts;
  if (addresses.ok()) {
    for (const EmailAddress& address : *addresses) texts.push_back(address.ToString());
  }
  return texts;
}

TEST(MailboxListTest, FindsTheAddresses) {
  struct Case {
    std::string value;
    std::vector<std::string> addresses;
  };
  const std::vector<Case> cases = {
      {"a@x.example", {"a@x.example"}},
      {" a@x.example ", {"a@x.example"}},
      {"<a@x.example>", {"a@x.example"}},
      {"Shop <a@X.example>", {"a@x.example"}},
      {"John Q. Public <a@x.example>", {"a@x.example"}},
      {"\"Public, John\" <a@x.example>", {"a@x.example"}},
      {"\"b@evil.example\" <a@x.example>", {"a@x.example"}},
      {"\"q \\\" < q\" <a@x.example>", {"a@x.example"}},
      {"=?UTF-8?B?SsO8cmdlbg==?= <a@x.example>", {"a@x.example"}},
      {"Jürgen <jürgen@bücher.example>", {"jürgen@xn--bcher-kva.example"}},
      {"a@x.example, B <b@y.example>", {"a@x.example", "b@y.example"}},
      {"a@x.example (the (real) A)", {"a@x.example"}},
      {"(c) A (\\)) <a@x.example> (d)", {"a@x.example"}},
      {"A\r\n <a@x.example>", {"a@x.example"}},
      {"A <\r\n a@x.example\r\n >", {"a@x.example"}},
      {"\"a b\"@x.example", {"\"a b\"@x.example"}},
      {"<\"a@evil.example\"@x.example>", {"\"a@evil.example\"@x.example"}},
      {"A <a@[192.0.2.1]>", {"a@[192.0.2.1]"}},
      {"A<a@x.example>", {"a@x.example"}},
  };
  for (const Case& c : cases) EXPECT_EQ(Addresses(c.value), c.addresses) << c.value;
}

TEST(MailboxListTest, RefusesWhatReadersCouldReadDifferently) {
  struct Case {
    std::string value;
    std::string why;
  };
  const std::vector<Case> cases = {
      {"", "lacks an address"},
      {" \r\n ", "lacks an address"},
      {"Shop", "lacks an address"},
      {"a@x.example,", "lacks an address"},
      {",a@x.example", "lacks an address"},
      {"Public, John <a@x.example>", "a name with a comma in quotes"},
      {"a@evil.example <b@x.example>", "unexpected '<'"},
      {"<a@evil.example> <b@x.example>", "unexpected '<'"},
      {"a@x.example b", "unexpected 'b'"},
      {"A b@x.example", "unexpected '@'"},
      {"a @x.example", "before an @: remove it"},
      {"a(c)@x.example", "before an @: remove it"},
      {"<a @x.example>", "in its angle brackets"},
      {"<@relay.example:a@x.example>", "in its angle brackets"},
      {"<>", "in its angle brackets"},
      {"A <a@x.example", "closing angle bracket"},
      {"A <a@x.example b>", "closing angle bracket"},
      {"Team: a@x.example, b@x.example;", "group"},
      {"undisclosed:;", "group"},
      {"\"A <a@x.example>", "never closed"},
      {"(A <a@x.example>", "never closed"},
      {"A) <a@x.example>", "unexpected ')'"},
      {"A <a@b@x.example>", "more than one @"},
      {"a@x.example\r\n b", "unexpected 'b'"},
      {std::string(20, '(') + " a@x.example", "nested too deeply"},
      {"[a] <a@x.example>", "unexpected '['"},
      {"a..b@x.example", "two in a row"},
  };
  for (const Case& c : cases) {
    const absl::Status status = ParseMailboxList(c.value).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.value;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.why)) << c.value;
  }
}

TEST(MailboxListTest, CountsItsAddresses) {
  std::string value = "a0@x.example";
  for (int i = 1; i < 20; ++i) value += ", a" + std::to_string(i) + "@x.example";
  EXPECT_EQ(Addresses(value).size(), 20U);
  EXPECT_THAT(std::string(ParseMailboxList(value + ", b@x.example").status().message()),
              HasSubstr("more than 20"));
}

}  // namespace
}  // namespace sluice
