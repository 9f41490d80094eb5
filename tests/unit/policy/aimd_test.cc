#include "policy/aimd.h"

#include <gtest/gtest.h>

#include "rig/provider_study.h"

namespace sluice {
namespace {

using rig::Control;
using rig::ProviderStudy;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const SteadyInstant kStart{Duration(5'000'000'000)};

TEST(AimdTest, LimitsNothingUntilSomebodyComplains) {
  Aimd aimd;
  SteadyInstant now = kStart;
  for (int i = 0; i < 600; ++i) aimd.OnAccepted(now += milliseconds(100));
  EXPECT_EQ(aimd.rate(), std::nullopt);
  EXPECT_TRUE(aimd.OnThrottled(now, now + milliseconds(50)));
  EXPECT_NEAR(*aimd.rate(), 7, 0.3) << "0.7 of ten a second";
}

TEST(AimdTest, WhatBeganBeforeTheLastChangeSaysNothingAboutIt) {
  Aimd aimd;
  SteadyInstant now = kStart;
  for (int i = 0; i < 600; ++i) aimd.OnAccepted(now += milliseconds(100));
  aimd.OnThrottled(now, now);
  const double rate = *aimd.rate();
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(aimd.OnThrottled(now - seconds(1), now + milliseconds(i)));
  EXPECT_EQ(*aimd.rate(), rate);
}

TEST(AimdTest, RisesOnlyWhileMoreWouldBeSentAndEndsAtTheCeiling) {
  Aimd aimd;
  SteadyInstant now = kStart;
  aimd.Seed(5, now);
  for (int i = 0; i < 600; ++i) EXPECT_FALSE(aimd.OnTick(false, 10, now += seconds(1)));
  for (int i = 0; i < 3'600 && aimd.rate(); ++i) aimd.OnTick(true, 10, now += seconds(1));
  EXPECT_EQ(aimd.rate(), std::nullopt);
}

TEST(AimdTest, NeverBelowTheFloor) {
  Aimd aimd;
  SteadyInstant now = kStart;
  aimd.Seed(1, now);
  for (int i = 0; i < 1'000; ++i) {
    now += seconds(1);
    aimd.OnThrottled(now - milliseconds(1), now);
  }
  EXPECT_TRUE(aimd.is_probing());
  EXPECT_GE(*aimd.rate(), Aimd::kFloor);
  aimd.OnAccepted(now += seconds(1));
  EXPECT_TRUE(aimd.OnAccepted(now += seconds(1))) << "two probes were taken";
  EXPECT_FALSE(aimd.is_probing());
}

TEST(AimdTest, ComplaintsAreForgottenAfterADay) {
  Aimd aimd;
  aimd.Seed(1, kStart);
  EXPECT_TRUE(aimd.OnTick(false, std::nullopt, kStart + hours(24) + seconds(1)));
  EXPECT_EQ(aimd.rate(), std::nullopt);
}

// The whole against providers that it knows nothing of (tests/rig/provider_model.h); tests/bench/aimd_study prints the numbers.
TEST(AimdTest, SettlesWithinATenthBelowAHiddenRate) {
  for (uint64_t seed = 101; seed <= 112; ++seed) {
    ProviderStudy aimd(seed, Control::kAimd), fixed(seed, Control::kFixedAndSuspension);
    const double hidden = aimd.model().rate();
    const rig::StudyResult with = aimd.Run(hours(3)), without = fixed.Run(hours(3));
    EXPECT_GE(with.Settled(60) / hidden, 0.9) << "seed " << seed;
    EXPECT_LE(with.Settled(60) / hidden, 1.0) << "seed " << seed;
    const auto share = [](const rig::StudyResult& r) { return static_cast<double>(r.refused) / static_cast<double>(r.taken + 1); };
    EXPECT_LT(share(with), share(without) / 4) << "seed " << seed;
  }
}

TEST(AimdTest, FollowsARateThatFallsAndRisesAgain) {
  ProviderStudy study(7, Control::kAimd);
  const double hidden = study.model().rate();
  study.Run(hours(1));
  study.model().SetRate(hidden / 4);
  const rig::StudyResult fallen = study.Run(hours(1));
  EXPECT_LE(fallen.minutes.back().taken, hidden / 4 * 1.05);
  EXPECT_GE(fallen.minutes.back().taken, hidden / 4 * 0.6);
  study.model().SetRate(hidden);
  const rig::StudyResult risen = study.Run(hours(3));
  EXPECT_GE(risen.minutes.back().taken, hidden * 0.85);
}

}  // namespace
}  // namespace sluice
