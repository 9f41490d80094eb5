#include "smtp/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/text.h"
#include "smtp/verp.h"

namespace sluice {
namespace {

using testing::HasSubstr;

constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
constexpr std::string_view kOther = "fedcba9876543210fedcba9876543210";

TokenKeys Keys(std::string_view file) { return TokenKeys::Parse(file).value(); }

TokenContent Some() {
  const int64_t message = MakeId(ShardId(3), WriterId(77), 4'000'000'000);
  return {.message = MessageId(message), .entry = QueueEntryId(message + 999)};
}

TEST(TokenTest, NamesMessageAndEntryAgain) {
  const TokenKeys keys = Keys(kSecret);
  const std::string token = keys.Encode(Some());
  EXPECT_EQ(token.size(), kTokenTextSize);
  EXPECT_EQ(token, keys.Encode(Some()));
  EXPECT_EQ(keys.Decode(token).value(), Some());
}

// Mail bounces weeks after it was sent: a new build must read old tokens. Computed elsewhere.
TEST(TokenTest, LayoutDoesNotChange) {
  EXPECT_EQ(Keys(kSecret).Encode(Some()), "es030c8xkkrmbe57k10517hyp30t25zs");
}

TEST(TokenTest, IsReadInAnyCase) {
  const TokenKeys keys = Keys(kSecret);
  std::string token = keys.Encode(Some());
  for (char& c : token) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  EXPECT_EQ(keys.Decode(token).value(), Some());
}

TEST(TokenTest, ChangedInAnyCharacterItIsRefused) {
  const TokenKeys keys = Keys(kSecret);
  const std::string token = keys.Encode(Some());
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_FALSE(keys.Decode(changed).ok()) << i;
  }
  EXPECT_FALSE(keys.Decode(token.substr(1)).ok());
  EXPECT_FALSE(keys.Decode("").ok());
  EXPECT_FALSE(keys.Decode(std::string(kTokenTextSize, 'u')).ok());
}

TEST(TokenTest, TellsNothingOfItsNeighbours) {
  const TokenKeys keys = Keys(kSecret);
  std::set<char> first, last;
  for (int64_t i = 0; i < 64; ++i) {
    const std::string token = keys.Encode({MessageId(1 + i), QueueEntryId(1 + i)});
    first.insert(token.front());
    last.insert(token.back());
  }
  EXPECT_GT(first.size(), 16u);
  EXPECT_GT(last.size(), 16u);
}

TEST(TokenTest, AnOldSecretIsStillRead) {
  const std::string token = Keys(kSecret).Encode(Some());
  EXPECT_EQ(Keys(Cat("# new\n", kOther, "\n\n", kSecret, "\r\n")).Decode(token).value(), Some());
  EXPECT_FALSE(Keys(kOther).Decode(token).ok());
  EXPECT_NE(Keys(Cat(kOther, "\n", kSecret)).Encode(Some()), token);
}

TEST(TokenTest, ABadFileIsRefusedWithLineAndCureAndWithoutTheSecret) {
  const auto error = [](std::string_view file) {
    return std::string(View(TokenKeys::Parse(file).status().message()));
  };
  EXPECT_THAT(error(""), HasSubstr("openssl rand"));
  EXPECT_THAT(error("# only a comment\n"), HasSubstr("there is no secret"));
  EXPECT_THAT(error(Cat(kSecret, "\ntoo-short\n")), HasSubstr("line 2: the secret has 9"));
  EXPECT_THAT(error(Cat(kSecret, " x")), HasSubstr("line 1"));
  EXPECT_THAT(error("hunter2"), testing::Not(HasSubstr("hunter2")));
  std::string many;
  for (int i = 0; i < 9; ++i) Append(many, kSecret, "\n");
  EXPECT_THAT(error(many), HasSubstr("line 9: more than 8"));
}

TEST(TokenTest, TakesThePlaceOfEveryPlaceholder) {
  const std::string text = Cat("a", kTokenPlaceholder, "b", kTokenPlaceholder);
  EXPECT_EQ(WithToken(text, "TOK"), "aTOKbTOK");
  EXPECT_EQ(WithToken("none", "TOK"), "none");
  EXPECT_EQ(WithToken("", "TOK"), "");
}

TEST(VerpTest, TheAddressGivesTheTokenBack) {
  const TokenKeys keys = Keys(kSecret);
  const std::string address = MakeVerpAddress(keys.Encode(Some()), "bounces.shop.example");
  EXPECT_LE(address.find('@'), 64u);
  const auto token = TokenOfVerpAddress(address);
  ASSERT_TRUE(token.has_value());
  EXPECT_EQ(keys.Decode(*token).value(), Some());
}

TEST(VerpTest, OtherAddressesHaveNoToken) {
  for (const std::string_view address :
       {"", "@", "b-@x.example", "b-0123456789abcdef0123456789abcdef", "a@b-c.example",
        "c-0123456789abcdef0123456789abcdef@x.example",
        "b-0123456789abcdef0123456789abcdef0@x.example"}) {
    EXPECT_FALSE(TokenOfVerpAddress(address).has_value()) << address;
  }
  EXPECT_TRUE(TokenOfVerpAddress("B-0123456789ABCDEF0123456789ABCDEF@X.EXAMPLE").has_value());
}

}  // namespace
}  // namespace sluice
