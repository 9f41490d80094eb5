#include "smtp/tlsa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TlsaRecord Record(int usage, int selector, int matching, size_t bytes, char fill = 'x') {
  return {static_cast<uint8_t>(usage), static_cast<uint8_t>(selector),
          static_cast<uint8_t>(matching), std::string(bytes, fill)};
}

TEST(TlsaTest, ReadsRecordData) {
  using namespace std::string_view_literals;
  const auto record = ParseTlsa("\x03\x01\x01\xab\xcd"sv);

  ASSERT_TRUE(record);
  EXPECT_EQ(ToString(*record), "3 1 1 abcd");
  EXPECT_FALSE(ParseTlsa("\x03\x01\x01"sv));
  EXPECT_FALSE(ParseTlsa(""));
}

TEST(TlsaTest, OnlyUsages2And3WithKnownDigestsAreUsable) {
  EXPECT_TRUE(IsUsable(Record(3, 1, 1, 32)));
  EXPECT_TRUE(IsUsable(Record(2, 0, 2, 64)));
  EXPECT_TRUE(IsUsable(Record(3, 0, 0, 500)));
  EXPECT_FALSE(IsUsable(Record(0, 1, 1, 32)));
  EXPECT_FALSE(IsUsable(Record(1, 1, 1, 32)));
  EXPECT_FALSE(IsUsable(Record(3, 2, 1, 32)));
  EXPECT_FALSE(IsUsable(Record(3, 1, 3, 32)));
  EXPECT_FALSE(IsUsable(Record(3, 1, 1, 31)));
  EXPECT_FALSE(IsUsable(Record(3, 1, 2, 32)));
  EXPECT_FALSE(IsUsable(Record(255, 1, 1, 32)));
}

TEST(TlsaTest, TheStrongestDigestOfUsageAndSelectorCounts) {
  const TlsaRecord weak = Record(3, 1, 1, 32), strong = Record(3, 1, 2, 64),
                   full = Record(3, 1, 0, 90), other = Record(2, 1, 1, 32);

  EXPECT_THAT(UsableRecords({weak, strong, full, other, other}), ElementsAre(other, full, strong));
  EXPECT_THAT(UsableRecords({weak, other}), ElementsAre(other, weak));
  EXPECT_THAT(UsableRecords({Record(1, 1, 1, 32)}), IsEmpty());
}

}  // namespace
}  // namespace sluice
