#include "base/clock.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(DurationTest, ReadsEveryUnitAndTheirSums) {
  EXPECT_EQ(*ParseDuration("250ms"), Duration(250'000));
  EXPECT_EQ(*ParseDuration("1.5s"), Duration(1'500'000));
  EXPECT_EQ(*ParseDuration("4d12h"), Duration(std::chrono::hours(108)));
}

TEST(DurationTest, RefusesWhatHasNoUnitNoNumberOrNoEnd) {
  for (const char* text : {"", "10", "s", "-1s", "5x", "1s2", "99999999w"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(DurationTest, PrintsWhatItReads) {
  for (const char* text : {"250ms", "1s", "10m", "4d12h", "17us"}) {
    EXPECT_EQ(ToString(*ParseDuration(text)), text);
  }
}

TEST(InstantTest, PrintsAsUtcWithMicroseconds) {
  EXPECT_EQ(ToString(FromMicros(1'700'000'000'000'001)), "2023-11-14T22:13:20.000001Z");
}

TEST(FakeClockTest, MovesOnlyWhenTold) {
  FakeClock clock;
  const Instant before = clock.Now();
  EXPECT_EQ(clock.Now(), before);
  clock.Advance(std::chrono::hours(48));
  EXPECT_EQ(clock.Now() - before, std::chrono::hours(48));
}

}  // namespace
}  // namespace sluice
