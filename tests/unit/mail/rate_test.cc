#include "mail/rate.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(RateTest, ReadsWhatPeopleWrite) {
  EXPECT_EQ(*ParseRate("500/s"), (Rate{500, seconds(1)}));
  EXPECT_EQ(*ParseRate("100/min"), (Rate{100, minutes(1)}));
  EXPECT_EQ(*ParseRate("100/m"), (Rate{100, minutes(1)}));
  EXPECT_EQ(*ParseRate("2/h"), (Rate{2, hours(1)}));
  EXPECT_EQ(*ParseRate("10k/d"), (Rate{10'000, hours(24)}));
  EXPECT_EQ(*ParseRate("3/10m"), (Rate{3, minutes(10)}));
}

TEST(RateTest, RefusesTheRestWithACure) {
  for (const char* text : {"", "500", "/s", "500/", "500/week", "-1/s", "1.5/s", "0/s", "5/0s",
                           "500/s ", "99999999999999999999/s"}) {
    EXPECT_FALSE(ParseRate(text).ok()) << text;
  }
}

TEST(RateTest, WritesWhatItReads) {
  for (const char* text : {"500/s", "100/min", "2/h", "10k/d", "3/10m", "2M/d"}) {
    EXPECT_EQ(ToString(*ParseRate(text)), text);
  }
}

TEST(CountTest, ReadsAndWritesMagnitudes) {
  EXPECT_EQ(*ParseCount("2M"), 2'000'000);
  EXPECT_EQ(*ParseCount("20k"), 20'000);
  EXPECT_EQ(*ParseCount("1G"), 1'000'000'000);
  EXPECT_EQ(*ParseCount("0"), 0);
  EXPECT_EQ(CountText(2'000'000), "2M");
  EXPECT_EQ(CountText(1'500), "1500");
  EXPECT_EQ(CountText(0), "0");
  for (const char* text : {"", "M", "-1", "1.5k", "2m", "1 000", "9999999999999999", "10000000G"}) {
    EXPECT_FALSE(ParseCount(text).ok()) << text;
  }
}

}  // namespace
}  // namespace sluice
