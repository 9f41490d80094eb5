#include "policy/rate_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const SteadyInstant kStart{Duration(5'000'000'000)};

struct Gone {
  SteadyInstant at;
  int64_t count;
};

// The most that went in any interval [t, t + per).
int64_t MostInAnyInterval(const std::vector<Gone>& gone, Duration per) {
  int64_t most = 0, sum = 0;
  size_t begin = 0;
  for (const Gone& g : gone) {
    sum += g.count;
    while (gone[begin].at + per <= g.at) sum -= gone[begin++].count;
    most = std::max(most, sum);
  }
  return most;
}

int64_t Sum(const std::vector<Gone>& gone, SteadyInstant from) {
  int64_t sum = 0;
  for (const Gone& g : gone) sum += g.at >= from ? g.count : 0;
  return sum;
}

// Somebody always wants to send, and looks again when he was told to, up to `late` later.
std::vector<Gone> Saturate(RateWindow& window, SteadyInstant& now, SteadyInstant end, Duration late, std::mt19937& random) {
  std::vector<Gone> gone;
  while (now < end) {
    const int64_t count = window.Available(1'000'000, now);
    if (count > 0) {
      window.Take(count, now);
      gone.push_back({now, count});
    }
    now = window.ReadyAt(1, now);
    if (late > Duration::zero()) now += microseconds(std::uniform_int_distribution<int64_t>(0, late.count())(random));
  }
  return gone;
}

class SaturatedTest : public testing::TestWithParam<Rate> {};

TEST_P(SaturatedTest, NeverMoreInAnyIntervalAndAllOfItUsed) {
  const Rate rate = GetParam();
  std::mt19937 random(7);
  // Later than a hundredth of the interval cannot be made up for without going over the limit.
  for (const Duration late : {Duration(0), std::min<Duration>(milliseconds(200), rate.per / 200)}) {
    RateWindow window;
    SteadyInstant now = kStart;
    window.SetRate(rate, now);
    const std::vector<Gone> gone = Saturate(window, now, kStart + 6 * rate.per, late, random);
    EXPECT_LE(MostInAnyInterval(gone, rate.per), rate.count);
    // The first interval begins with nothing saved up.
    const double used = static_cast<double>(Sum(gone, kStart + rate.per)) / static_cast<double>(5 * rate.count);
    EXPECT_GE(used, 0.99) << "late by up to " << late.count() << " us";
  }
}

INSTANTIATE_TEST_SUITE_P(RateWindowTest, SaturatedTest,
                         testing::Values(Rate{200, seconds(1)}, Rate{5'000, seconds(1)}, Rate{97, seconds(1)},
                                         Rate{600, minutes(1)}, Rate{7, minutes(1)}, Rate{1'000, hours(1)},
                                         Rate{100'000, hours(1)}, Rate{500, hours(24)}));

TEST(RateWindowTest, WhatGoesIsSpreadOut) {
  RateWindow window;
  window.SetRate(Rate{3'600, hours(1)}, kStart);
  SteadyInstant now = kStart;
  std::mt19937 random(1);
  const std::vector<Gone> gone = Saturate(window, now, kStart + minutes(10), Duration(0), random);
  EXPECT_LE(MostInAnyInterval(gone, seconds(10)), 11);
  EXPECT_GE(Sum(gone, kStart), 599);
}

TEST(RateWindowTest, ALongPauseSavesUpAQuarterOfASecond) {
  RateWindow window;
  window.SetRate(Rate{100, seconds(1)}, kStart);
  EXPECT_EQ(window.Available(1'000, kStart), 1) << "nobody knows what went before";
  EXPECT_EQ(window.Available(1'000, kStart + hours(5)), 26);
}

// Whatever a live limit is set to and when: no interval holds more than the largest limit that was in force during it, and a
// limit raised lets go only what it allows from then on.
TEST(RateWindowTest, EditsNeverGrantABurst) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    RateWindow window;
    SteadyInstant now = kStart;
    std::vector<Gone> all;
    int64_t largest = 0;
    double allowed = 1;
    for (int edit = 0; edit < 30; ++edit) {
      const Rate rate{std::uniform_int_distribution<int64_t>(5, 400)(random), seconds(1)};
      largest = std::max(largest, rate.count);
      window.SetRate(rate, now);
      const SteadyInstant from = now;
      const auto lasts = milliseconds(std::uniform_int_distribution<int>(1, 700)(random));
      const std::vector<Gone> gone = Saturate(window, now, from + lasts, Duration(0), random);
      allowed += static_cast<double>(rate.count) * std::chrono::duration<double>(now - from).count();
      all.insert(all.end(), gone.begin(), gone.end());
      EXPECT_LE(static_cast<double>(Sum(all, kStart)), allowed + 1) << "seed " << seed << " edit " << edit;
    }
    EXPECT_LE(MostInAnyInterval(all, seconds(1)), largest) << "seed " << seed;
  }
}

TEST(RateWindowTest, ALoweredLimitCountsWhatWentBefore) {
  RateWindow window;
  window.SetRate(Rate{1'000, hours(1)}, kStart);
  SteadyInstant now = kStart;
  std::mt19937 random(1);
  Saturate(window, now, kStart + minutes(30), Duration(0), random);
  window.SetRate(Rate{100, hours(1)}, now);
  // 500 have gone within the last half hour: the first that may go again when fewer than 100 of them count.
  EXPECT_FALSE(window.Fits(now + minutes(50)));
  EXPECT_TRUE(window.Fits(now + minutes(55)));
}

TEST(RateWindowTest, BytesOfOneMessageLargerThanTheLimitGoAlone) {
  RateWindow window;
  window.SetRate(Rate{1'000, seconds(1)}, kStart);
  SteadyInstant now = kStart + seconds(2);
  ASSERT_TRUE(window.ReadyFor(5'000, now) <= now);
  window.Take(5'000, now);
  EXPECT_FALSE(window.Fits(now + milliseconds(900)));
  EXPECT_EQ(window.ReadyAt(1, now), now + seconds(1));
}

TEST(RateWindowTest, BytesOfManySizesKeepToTheLimit) {
  std::mt19937 random(3);
  RateWindow window;
  SteadyInstant now = kStart;
  window.SetRate(Rate{1'000'000, seconds(1)}, now);
  std::vector<Gone> gone;
  while (now < kStart + seconds(60)) {
    const int64_t size = std::uniform_int_distribution<int64_t>(500, 60'000)(random);
    now = window.ReadyFor(size, now);
    window.Take(size, now);
    gone.push_back({now, size});
  }
  EXPECT_LE(MostInAnyInterval(gone, seconds(1)), 1'000'000);
  EXPECT_GE(static_cast<double>(Sum(gone, kStart)), 0.99 * 1'000'000 * 59);
}

TEST(RateWindowTest, UnevenLetsTheLimitGoAtOnceAndNoMore) {
  std::mt19937 random(1);
  RateWindow window(/*is_even=*/false);
  SteadyInstant now = kStart;
  window.SetRate(Rate{100, minutes(1)}, now);
  EXPECT_EQ(window.Available(1'000, now), 100);
  const std::vector<Gone> gone = Saturate(window, now, kStart + minutes(10), milliseconds(100), random);
  EXPECT_EQ(MostInAnyInterval(gone, minutes(1)), 100);
  EXPECT_GE(Sum(gone, kStart), 990);
}

TEST(RateWindowTest, WhatDidNotGoIsGivenBack) {
  RateWindow window;
  window.SetRate(Rate{2, hours(1)}, kStart);
  window.Take(1, kStart);
  EXPECT_FALSE(window.Fits(kStart));
  window.Untake(1);
  EXPECT_TRUE(window.Fits(kStart));
  EXPECT_TRUE(window.IsBlank(kStart));
}

TEST(RateWindowTest, TwoAnHourCountsAnHour) {
  RateWindow window;
  window.SetRate(Rate{2, hours(1)}, kStart);
  window.Take(1, kStart);
  window.Take(1, kStart + minutes(30));
  EXPECT_EQ(window.ReadyAt(1, kStart + minutes(40)), kStart + hours(1));
  EXPECT_FALSE(window.IsBlank(kStart + minutes(89)));
  EXPECT_TRUE(window.IsBlank(kStart + minutes(91)));
}

}  // namespace
}  // namespace sluice
