#include "policy/rotation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <string>

namespace sluice {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

const auto kAll = [](int) { return true; };

std::string Letters(Rotation& rotation, int picks) {
  std::string out;
  for (int i = 0; i < picks; ++i) out += static_cast<char>('a' + rotation.Pick(kAll));
  return out;
}

TEST(RotationTest, SpreadsTheTurnsSmoothly) {
  Rotation three_to_one(std::vector<int>{3, 1});
  EXPECT_EQ(Letters(three_to_one, 8), "aabaaaba");
  Rotation classic(std::vector<int>{5, 1, 1});
  EXPECT_EQ(Letters(classic, 14), "aabaacaaabaaca");
  Rotation equal(std::vector<int>{1, 1, 1, 1});
  EXPECT_EQ(Letters(equal, 8), "abcdabcd");
}

TEST(RotationTest, WeightZeroIsNeverPicked) {
  Rotation rotation(std::vector<int>{0, 1, 0});
  EXPECT_EQ(Letters(rotation, 5), "bbbbb");
  Rotation none(std::vector<int>{0, 0});
  EXPECT_EQ(none.Pick(kAll), -1);
  EXPECT_EQ(Rotation().Pick(kAll), -1);
}

TEST(RotationTest, OnlyTheEligibleArePicked) {
  Rotation rotation(std::vector<int>{1, 1, 1});
  const std::vector<uint8_t> only_last = {0, 0, 1}, nobody = {0, 0, 0};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rotation.Pick(only_last), 2);
  EXPECT_EQ(rotation.Pick(nobody), -1);
}

TEST(RotationTest, ComingBackEarnsNoCatchUp) {
  Rotation rotation(std::vector<int>{1, 1});
  const std::vector<uint8_t> only_first = {1, 0};
  for (int i = 0; i < 1'000; ++i) rotation.Pick(only_first);
  const std::string after = Letters(rotation, 20);
  EXPECT_EQ(std::count(after.begin(), after.end(), 'b'), 10);
}

TEST(RotationTest, ReserveStepsInOnlyWhenNoRegularMemberIsEligible) {
  const std::vector<RotationMember> members = {{2, false}, {1, false}, {1, true}, {3, true}};
  Rotation rotation{std::span<const RotationMember>(members)};
  EXPECT_EQ(Letters(rotation, 6), "abaaba");
  const std::vector<uint8_t> one_regular = {0, 1, 1, 1}, reserves = {0, 0, 1, 1},
                             one_reserve = {0, 0, 1, 0};
  EXPECT_EQ(rotation.Pick(one_regular), 1);
  std::vector<int> picks(4);
  for (int i = 0; i < 40; ++i) ++picks[static_cast<size_t>(rotation.Pick(reserves))];
  EXPECT_THAT(picks, ElementsAre(0, 0, 10, 30));
  EXPECT_EQ(rotation.Pick(one_reserve), 2);
}

TEST(RotationTest, AReserveOfWeightZeroIsDrainedToo) {
  const std::vector<RotationMember> members = {{0, false}, {0, true}};
  Rotation rotation{std::span<const RotationMember>(members)};
  EXPECT_EQ(rotation.Pick(kAll), -1);
}

// The promise: in any 100 consecutive picks each member is less than 1 from its exact share, and over any time at most 2.
void ExpectFair(const std::vector<int>& weights) {
  constexpr int kWindow = 100, kPicks = 1'000;
  Rotation rotation(weights);
  const double total = std::accumulate(weights.begin(), weights.end(), 0);
  std::vector<int> sequence;
  std::vector<int> counts(weights.size()), all(weights.size());
  for (int n = 0; n < kPicks; ++n) {
    sequence.push_back(rotation.Pick(kAll));
    ++counts[static_cast<size_t>(sequence.back())];
    ++all[static_cast<size_t>(sequence.back())];
    if (n >= kWindow) --counts[static_cast<size_t>(sequence[static_cast<size_t>(n - kWindow)])];
    for (size_t i = 0; i < weights.size(); ++i) {
      ASSERT_LE(std::abs(all[i] - (n + 1) * weights[i] / total), 2.0) << "member " << i << " after " << n;
      if (n < kWindow - 1) continue;
      ASSERT_LT(std::abs(counts[i] - kWindow * weights[i] / total), 1.0) << "member " << i << " after " << n;
    }
  }
}

TEST(RotationPropertyTest, AnyHundredPicksAreWithinOneOfTheShareWhateverTheSmallWeights) {
  for (int a = 1; a <= 12; ++a) {
    for (int b = 1; b <= a; ++b) {
      ASSERT_NO_FATAL_FAILURE(ExpectFair({a, b})) << a << " " << b;
      for (int c = 1; c <= b; ++c) {
        ASSERT_NO_FATAL_FAILURE(ExpectFair({a, b, c})) << a << " " << b << " " << c;
        if (a > 6) continue;
        for (int d = 1; d <= c; ++d) ASSERT_NO_FATAL_FAILURE(ExpectFair({a, b, c, d})) << a << b << c << d;
      }
    }
  }
}

TEST(RotationPropertyTest, AnyHundredPicksAreWithinOneOfTheShareForUpToFourMembers) {
  std::mt19937 random(1);
  for (int round = 0; round < 400; ++round) {
    std::vector<int> weights(2 + random() % 3);
    const unsigned most = round % 2 == 0 ? 10 : 1'000;
    for (int& weight : weights) weight = static_cast<int>(1 + random() % most);
    ASSERT_NO_FATAL_FAILURE(ExpectFair(weights)) << ::testing::PrintToString(weights);
  }
}

TEST(RotationPropertyTest, AndForMore) {
  std::mt19937 random(2);
  for (int round = 0; round < 100; ++round) {
    std::vector<int> weights(5 + random() % 36);
    const unsigned most = round % 2 == 0 ? 10 : 1'000;
    for (int& weight : weights) weight = static_cast<int>(1 + random() % most);
    ASSERT_NO_FATAL_FAILURE(ExpectFair(weights)) << ::testing::PrintToString(weights);
  }
}

TEST(RotationPropertyTest, RandomEligibilityNeverDrifts) {
  std::mt19937 random(3);
  Rotation rotation(std::vector<int>{1, 1, 1, 1});
  std::vector<int> counts(4);
  for (int i = 0; i < 100'000; ++i) {
    const auto mask = random();
    const int picked = rotation.Pick([&](int m) { return (mask >> m & 1U) != 0; });
    if (picked >= 0) ++counts[static_cast<size_t>(picked)];
  }
  EXPECT_THAT(counts, Each(::testing::AllOf(::testing::Gt(23'000), ::testing::Lt(24'000))));
}

TEST(RotationUpdateTest, AnEditKeepsTheRound) {
  Rotation rotation(std::vector<int>{1, 1, 1});
  EXPECT_EQ(Letters(rotation, 1), "a");
  const std::vector<RotationMember> same = {{1, false}, {1, false}, {1, false}};
  rotation.Update(same, std::vector<int>{0, 1, 2});
  EXPECT_EQ(Letters(rotation, 2), "bc");
}

TEST(RotationUpdateTest, NewWeightsHoldFromTheNextRoundOn) {
  Rotation rotation(std::vector<int>{1, 1});
  Letters(rotation, 101);
  const std::vector<RotationMember> members = {{3, false}, {1, false}, {4, false}};
  rotation.Update(members, std::vector<int>{1, 0, -1});
  std::vector<int> counts(3);
  for (int i = 0; i < 800; ++i) ++counts[static_cast<size_t>(rotation.Pick(kAll))];
  EXPECT_NEAR(counts[0], 300, 2);
  EXPECT_NEAR(counts[1], 100, 2);
  EXPECT_NEAR(counts[2], 400, 2);
}

TEST(RotationUpdateTest, ShrinkingToOneOrNoneIsFine) {
  Rotation rotation(std::vector<int>{7, 5, 3});
  Letters(rotation, 10);
  const std::vector<RotationMember> one = {{1, false}};
  rotation.Update(one, std::vector<int>{2});
  EXPECT_EQ(Letters(rotation, 3), "aaa");
  rotation.Update({}, {});
  EXPECT_EQ(rotation.Pick(kAll), -1);
}

}  // namespace
}  // namespace sluice
