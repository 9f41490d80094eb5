#include "policy/warmup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "policy/confidence.h"
#include "policy/warmup_pace.h"
#include "policy/warmup_simulation.h"

namespace sluice {
namespace {

constexpr int64_t kToday = 20'000;
const Instant kNow = FromMicros(kToday * 86'400'000'000 + 300'000'000);
constexpr auto kHour = std::chrono::hours(1);
const WarmupPlan& Default() { return FindShippedPlan("default")->plan; }

WarmupState At(int stage, WarmupPhase phase = WarmupPhase::kWarming) {
  return {.phase = phase, .stage = stage, .judged_day = kToday - 2, .active_day = kToday - 2};
}
// A day of `cap` attempts, all accepted but what `edit` changes.
WarmupDay Day(int64_t cap, int64_t day = kToday - 1) {
  return {.day = day, .cap = cap, .counts = {.attempted = cap, .accepted = cap}};
}
Judgement Judge(const WarmupState& state, std::vector<WarmupDay> days, std::string_view provider = "google",
                const WarmupOpinion& others = {}) {
  return JudgeDay(Default(), provider, state, days, others, kToday, kNow);
}

// ---- plans --------------------------------------------------------------------------------------

TEST(WarmupPlanTest, TheDefaultLadderIsThatOfTheReference) {
  EXPECT_EQ(StageCount(Default()), 14);
  EXPECT_EQ(CapOf(Default(), 1, "google"), 100);
  EXPECT_EQ(CapOf(Default(), 7, "ms-consumer"), 3'000);
  EXPECT_EQ(CapOf(Default(), 14, kWarmupTotal), 250'000);
  EXPECT_EQ(CapOf(Default(), 15, "google"), std::nullopt);
  EXPECT_EQ(ColumnOf(Default(), "comcast"), "other");
  EXPECT_THAT(ColumnsOf(Default()), testing::ElementsAre("apple", "google", "m365", "ms-consumer", "other", "yahoo"));
}

TEST(WarmupPlanTest, AColumnThatIsNotNamedHasTheTotalsCap) {
  const WarmupPlan& plan = FindShippedPlan("sendgrid")->plan;
  EXPECT_EQ(CapOf(plan, 1, "other"), 480);
  EXPECT_EQ(ColumnOf(plan, "google"), "other");
}

TEST(WarmupPlanTest, ATotalThatIsNotNamedIsTheSum) {
  const WarmupPlan plan{.name = "own", .stages = {{{"google", 10}, {"other", 5}}}};
  EXPECT_EQ(CapOf(plan, 1, kWarmupTotal), 15);
}

TEST(WarmupPlanTest, StagesComeBackFromTheirText) {
  for (const PinnedPlan& shipped : ShippedWarmupPlans()) {
    const auto back = PlanFromText(shipped.plan.name, StagesText(shipped.plan));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->stages, shipped.plan.stages);
  }
  EXPECT_FALSE(PlanFromText("x", "google").has_value());
  EXPECT_FALSE(PlanFromText("x", "").has_value());
}

// ---- confidence ---------------------------------------------------------------------------------

TEST(ConfidenceTest, BoundsEncloseTheRateAndTightenWithTheSample) {
  EXPECT_NEAR(WilsonLower(1, 50, 1.96), 0.00354, 1e-4);
  EXPECT_NEAR(WilsonUpper(0, 100, 1.645), 0.0263, 1e-3);
  for (const int64_t n : {10, 100, 1'000, 100'000}) {
    const int64_t k = n / 10;
    EXPECT_LT(WilsonLower(k, n, 1.96), 0.1);
    EXPECT_GT(WilsonUpper(k, n, 1.96), 0.1);
  }
  EXPECT_LT(WilsonUpper(100, 1'000, 1.96), WilsonUpper(10, 100, 1.96));
  EXPECT_EQ(WilsonLower(0, 0, 1.96), 0);
  EXPECT_EQ(WilsonUpper(0, 0, 1.96), 1);
}

// ---- the day ------------------------------------------------------------------------------------

TEST(WarmupTest, StartsOnItsDateAtItsStage) {
  WarmupState cold{.phase = WarmupPhase::kCold, .stage = 3, .start_day = kToday + 1};
  EXPECT_EQ(Judge(cold, {}).decision, WarmupDecision::kNone);
  EXPECT_EQ(CapFor(Default(), "google", cold, {}, kToday, kNow), 0);
  cold.start_day = kToday;
  const Judgement started = Judge(cold, {});
  EXPECT_EQ(started.decision, WarmupDecision::kStart);
  EXPECT_EQ(CapFor(Default(), "google", started.state, {}, kToday, kNow), 400);
}

TEST(WarmupTest, AFullCleanDayAdvancesOneStage) {
  const Judgement out = Judge(At(3), {Day(400)});
  EXPECT_EQ(out.decision, WarmupDecision::kAdvance);
  EXPECT_EQ(out.state.stage, 4);
  EXPECT_EQ(out.why, "clean");
}

TEST(WarmupTest, AnUnusedCapHoldsAndIsNotPunished) {
  WarmupDay day = Day(400);
  day.counts = {.attempted = 200, .accepted = 200};
  const Judgement out = Judge(At(3), {day});
  EXPECT_EQ(out.decision, WarmupDecision::kHold);
  EXPECT_EQ(out.why, "unused");
  EXPECT_EQ(out.state.stage, 3);
}

TEST(WarmupTest, ACapThatTheTotalDidNotLetBeUsedCountsAsUsed) {
  WarmupDay day = Day(400);
  day.counts = {.attempted = 200, .accepted = 199};
  day.total_used_up = true;
  EXPECT_EQ(Judge(At(3), {day}).decision, WarmupDecision::kAdvance);
}

TEST(WarmupTest, OneComplaintInFiftyNeitherAdvancesNorKills) {
  std::vector<WarmupDay> days = {Day(50, kToday - 3), Day(50, kToday - 2), Day(50)};
  days.back().counts.complained = 1;
  const Judgement out = Judge(At(1), days, "yahoo");
  EXPECT_EQ(out.decision, WarmupDecision::kHold);
  EXPECT_EQ(out.why, "complaints");
}

TEST(WarmupTest, SmallSamplesAreJudgedOverAWeekAndThenNotAtAll) {
  EXPECT_EQ(Judge(At(1), {Day(50)}, "yahoo").why, "sample");
  EXPECT_EQ(Judge(At(1), {Day(50, kToday - 8), Day(50)}, "yahoo").why, "sample") << "eight days ago is too long";
  const Judgement out = Judge(At(1), {Day(50, kToday - 2), Day(50)}, "yahoo");
  EXPECT_EQ(out.decision, WarmupDecision::kAdvance) << out.evidence;
}

TEST(WarmupTest, ClearlyBadRatesRegressByTwoDownToOne) {
  for (const auto& [field, why] : {std::pair{&WarmupCounts::bounced, "bounces"}, {&WarmupCounts::throttled, "deferrals"}}) {
    WarmupDay day = Day(2'000);
    day.counts.*field = 600;
    day.counts.accepted -= 600;
    const Judgement out = Judge(At(5), {day});
    EXPECT_EQ(out.decision, WarmupDecision::kRegress);
    EXPECT_EQ(out.why, why);
    EXPECT_EQ(out.state.stage, 3);
    EXPECT_EQ(Judge(At(2), {day}).state.stage, 1);
  }
}

TEST(WarmupTest, MicrosoftsDeferralsWeighMore) {
  WarmupDay day = Day(1'500);
  day.counts.throttled = 30;
  day.counts.accepted -= 30;
  EXPECT_EQ(Judge(At(6), {day}, "google").decision, WarmupDecision::kAdvance);
  EXPECT_EQ(Judge(At(6), {day}, "m365").decision, WarmupDecision::kHold);
  day.counts.throttled = 150;
  EXPECT_EQ(Judge(At(6), {day}, "m365").decision, WarmupDecision::kRegress);
}

TEST(WarmupTest, ManyComplaintsOrAListingSuspendADayAndBeginAgain) {
  WarmupDay day = Day(4'000);
  day.counts.complained = 60;
  for (const Judgement& out : {Judge(At(6), {day}), Judge(At(6), {Day(4'000)}, "google", OpinionOfWord("listed_critical", "zen", kNow - kHour))}) {
    EXPECT_EQ(out.decision, WarmupDecision::kSuspend);
    EXPECT_EQ(out.state.stage, 1);
    EXPECT_EQ(out.state.suspended_until, kNow + std::chrono::hours(24));
    EXPECT_EQ(CapFor(Default(), "google", out.state, {}, kToday, kNow), 0);
    EXPECT_EQ(CapFor(Default(), "google", out.state, {}, kToday + 1, kNow + std::chrono::hours(24)), 100);
  }
}

TEST(WarmupTest, AListedAddressDoesNotAdvanceHoweverCleanItsDayWas) {
  const Judgement before = Judge(At(6), {Day(4'000)});
  ASSERT_EQ(before.decision, WarmupDecision::kAdvance);
  for (const char* word : {"listed_high", "listed_medium", "listed_low", "listed_policy", "snds_yellow"}) {
    const Judgement out = Judge(At(6), {Day(4'000)}, "google", OpinionOfWord(word, "zen.spamhaus.org: SBL", kNow - kHour));
    EXPECT_EQ(out.decision, WarmupDecision::kHold) << word;
    EXPECT_EQ(out.state.stage, 6) << word;
    EXPECT_THAT(out.evidence, testing::HasSubstr("zen.spamhaus.org: SBL")) << word;
  }
  for (const char* word : {"snds_red", "snds_traps"}) {
    EXPECT_EQ(Judge(At(6), {Day(4'000)}, "ms-consumer", OpinionOfWord(word, "", kNow)).decision, WarmupDecision::kRegress) << word;
  }
  for (const char* word : {"no_reverse_dns", "ehlo_elsewhere", "google_spam_rate"}) {
    EXPECT_EQ(OpinionOfWord(word, "", kNow).standing, Standing::kNone) << word;
  }
}

TEST(WarmupTest, HealthThatRestsItHoldsTheStage) {
  EXPECT_EQ(OpinionOfHealth(HealthState::kWatch, "", kNow).standing, Standing::kNone);
  const Judgement out = Judge(At(6), {Day(4'000)}, "google", OpinionOfHealth(HealthState::kThrottled, "throttled: 12 of 20", kNow));
  EXPECT_EQ(out.decision, WarmupDecision::kHold);
  EXPECT_EQ(out.why, "health");
  EXPECT_THAT(out.evidence, testing::HasSubstr("throttled: 12 of 20"));
}

TEST(WarmupTest, AListingActsOnceSoThatAPersonMayGoOnUnderIt) {
  const WarmupOpinion listed = OpinionOfWord("listed_critical", "zen.spamhaus.org: SBL", kNow - kHour);
  const Judgement out = JudgeMinute(At(5), {}, {}, listed, kNow);
  ASSERT_EQ(out.decision, WarmupDecision::kSuspend);
  EXPECT_EQ(out.why, "listed");
  EXPECT_EQ(out.evidence, "zen.spamhaus.org: SBL");
  EXPECT_EQ(out.state.stage, 1);
  WarmupState resumed = out.state;
  resumed.suspended_until.reset();
  resumed.suspensions = 0;
  EXPECT_EQ(JudgeMinute(resumed, {}, {}, listed, kNow + kHour).decision, WarmupDecision::kNone);
  const Judgement day = Judge(resumed, {Day(100)}, "google", listed);
  EXPECT_EQ(day.decision, WarmupDecision::kHold) << "but it does not advance";
  EXPECT_EQ(day.why, "listed");
  WarmupOpinion again = listed;
  again.since = kNow + kHour;
  EXPECT_EQ(JudgeMinute(resumed, {}, {}, again, kNow + 2 * kHour).decision, WarmupDecision::kSuspend) << "another listing";
}

TEST(WarmupTest, ASuspensionByAListingEndsWithItAndTheNextIsNoLonger) {
  const WarmupOpinion listed = OpinionOfWord("listed_critical", "zen.spamhaus.org: SBL", kNow - kHour);
  WarmupState state = JudgeMinute(At(5), {}, {}, listed, kNow).state;
  EXPECT_EQ(JudgeMinute(state, {}, {}, listed, kNow + kHour).decision, WarmupDecision::kNone) << "as long as it is listed";
  const WarmupOpinion other = OpinionOfWord("listed_high", "b.example", kNow);
  for (const WarmupOpinion& rest : {WarmupOpinion(), other}) {
    const Judgement let_go = JudgeMinute(state, {}, {}, rest, kNow + 2 * kHour);
    EXPECT_EQ(let_go.decision, WarmupDecision::kResume);
    EXPECT_EQ(let_go.why, "delisted");
    EXPECT_EQ(let_go.state.stage, 1);
    EXPECT_FALSE(IsSuspended(let_go.state, kNow + 2 * kHour));
  }
  state = JudgeMinute(state, {}, {}, {}, kNow + 2 * kHour).state;
  WarmupOpinion again = listed;
  again.since = kNow + 3 * kHour;
  state = JudgeMinute(state, {}, {}, again, kNow + 3 * kHour).state;
  EXPECT_EQ(state.suspended_until, kNow + 3 * kHour + std::chrono::hours(24));
  state.suspended_until = kUntilAPerson;
  EXPECT_EQ(JudgeMinute(state, {}, {}, {}, kNow + 4 * kHour).decision, WarmupDecision::kNone) << "that is a person's";
  const WarmupState blocked = JudgeMinute(At(5), {}, {.blocked = 5}, {}, kNow).state;
  EXPECT_EQ(JudgeMinute(blocked, {}, {}, {}, kNow + kHour).decision, WarmupDecision::kNone) << "no listing made this one";
}

TEST(WarmupTest, WhatAPersonOverruledSuspendsNobodyAgain) {
  WarmupDay bad = Day(4'000);
  bad.counts.complained = 60;
  WarmupState state = Judge(At(6), {bad}).state;
  ASSERT_TRUE(IsSuspended(state, kNow));
  ResumeWarmup(state, kToday, kNow + kHour);
  EXPECT_FALSE(IsSuspended(state, kNow + kHour));
  EXPECT_EQ(state.stage, 1);
  const WarmupOpinion before = OpinionOfWord("listed_critical", "zen.spamhaus.org: SBL", kNow + kHour / 2);
  EXPECT_EQ(JudgeMinute(state, {}, {}, before, kNow + 2 * kHour).decision, WarmupDecision::kNone) << "the listing was known to the person";
  const auto judge = [&](const std::vector<WarmupDay>& days, int64_t today) {
    return JudgeDay(Default(), "google", state, days, {}, today, kNow + std::chrono::hours(24) * (today - kToday));
  };
  bad.day = kToday;
  Judgement out = judge({bad}, kToday + 1);
  EXPECT_EQ(out.decision, WarmupDecision::kHold) << "a day of which the person saw a part";
  EXPECT_EQ(out.why, "person");
  state = out.state;
  WarmupDay few = Day(60, kToday + 1);
  out = judge({bad, few}, kToday + 2);
  EXPECT_EQ(out.why, "sample") << "sixty are too few, and older ones do not help out";
  bad.day = kToday + 1;
  EXPECT_EQ(judge({bad}, kToday + 2).decision, WarmupDecision::kSuspend) << "the next bad day does";
}

TEST(WarmupTest, TheDayThatSuspendedIsNotJudgedAgainForWantOfASample) {
  WarmupDay bad = Day(4'000);
  bad.counts.complained = 60;
  const WarmupState state = Judge(At(6), {bad}).state;
  const Judgement out = JudgeDay(Default(), "google", state, std::vector{bad, Day(60, kToday + 1)}, {}, kToday + 2, kNow + std::chrono::hours(48));
  EXPECT_EQ(out.decision, WarmupDecision::kHold);
  EXPECT_EQ(out.why, "sample");
}

TEST(WarmupTest, ARefusalDoesWhatItsRuleSays) {
  const WarmupOpinion pauses = OpinionOfRefusal("google_blocks_source", "reply '550 5.7.28 …'", kNow - kHour);
  EXPECT_EQ(pauses.standing, Standing::kRefused);
  const Judgement paused = JudgeMinute(At(5), {}, {}, pauses, kNow);
  EXPECT_EQ(paused.decision, WarmupDecision::kSuspend);
  EXPECT_EQ(paused.why, "refused");
  EXPECT_EQ(paused.state.suspended_until, kNow + std::chrono::hours(24));
  const WarmupOpinion slows = OpinionOfRefusal("google_rate_source", "reply '421 4.7.28 …'", kNow - kHour);
  const Judgement back = JudgeMinute(At(5), {}, {}, slows, kNow);
  EXPECT_EQ(back.decision, WarmupDecision::kRegress);
  EXPECT_EQ(back.state.stage, 4);
  EXPECT_EQ(JudgeMinute(back.state, {}, {}, slows, kNow).decision, WarmupDecision::kNone) << "once";
  EXPECT_EQ(JudgeMinute(At(1), {}, {}, slows, kNow).state.stage, 1);
  EXPECT_EQ(OpinionOfRefusal("automation[2]", "", kNow).standing, Standing::kNone);
}

TEST(WarmupTest, TheGravestOpinionCounts) {
  const WarmupOpinion health = OpinionOfHealth(HealthState::kThrottled, "", kNow), listed = OpinionOfWord("listed_critical", "", kNow - kHour);
  EXPECT_TRUE(IsGraver(listed, health));
  EXPECT_FALSE(IsGraver(health, listed));
  EXPECT_TRUE(IsGraver(health, {}));
}

TEST(WarmupTest, WhatAPersonHoldsIsNotJudged) {
  WarmupState held = At(3);
  held.held = true;
  EXPECT_EQ(Judge(held, {Day(400)}).decision, WarmupDecision::kHold);
  EXPECT_EQ(Judge(held, {Day(400)}).state.stage, 3);
}

TEST(WarmupTest, PastTheLastStageItIsWarm) {
  const Judgement out = Judge(At(14), {Day(100'000)});
  EXPECT_EQ(out.state.phase, WarmupPhase::kWarm);
  EXPECT_EQ(CapFor(Default(), "google", out.state, {}, kToday, kNow), std::nullopt);
}

TEST(WarmupTest, AWarmAddressThatGoesBadWarmsAgain) {
  WarmupDay day = Day(200'000);
  day.cap.reset();
  day.counts.bounced = 30'000;
  const Judgement out = Judge(At(15, WarmupPhase::kWarm), {day});
  EXPECT_EQ(out.decision, WarmupDecision::kRegress);
  EXPECT_EQ(out.state.phase, WarmupPhase::kRewarming);
  EXPECT_EQ(out.state.stage, 13);
}

TEST(WarmupTest, IdleTimeDecaysByTheTableWhateverDayItIsJudgedOn) {
  const auto after = [](WarmupState state, int64_t idle, int64_t step) {
    for (int64_t day = kToday + step; day <= kToday + idle; day += step) {
      state = JudgeDay(Default(), "google", state, {}, {}, day, kNow).state;
    }
    return state;
  };
  WarmupState state = At(12);
  state.active_day = kToday;
  state.judged_day = kToday - 1;
  for (const auto& [idle, stage] : {std::pair<int64_t, int>{7, 12}, {8, 11}, {14, 11}, {15, 9}, {16, 8}, {28, 5}, {30, 5}, {31, 1}}) {
    EXPECT_EQ(after(state, idle, 1).stage, stage) << idle;
    EXPECT_EQ(after(state, idle, idle).stage, stage) << idle << " in one step";
  }
  state.phase = WarmupPhase::kWarm;
  EXPECT_EQ(after(state, 7, 1).phase, WarmupPhase::kWarm);
  EXPECT_EQ(after(state, 8, 1).stage, 14);
  EXPECT_EQ(after(state, 31, 1).stage, 3);
  EXPECT_EQ(after(state, 31, 1).phase, WarmupPhase::kRewarming);
}

TEST(WarmupTest, AWarmAddressWhoseVolumeCollapsedMayOnlyDouble) {
  std::vector<WarmupDay> days;
  for (int64_t day = kToday - 30; day < kToday; ++day) {
    days.push_back(Day(day < kToday - 10 ? 100'000 : 1'000, day));
    days.back().cap.reset();
  }
  const WarmupState warm = At(15, WarmupPhase::kWarm);
  EXPECT_EQ(CapFor(Default(), "google", warm, days, kToday, kNow), 2'000);
  days.resize(20);
  EXPECT_EQ(CapFor(Default(), "google", warm, days, kToday - 10, kNow), std::nullopt);
}

TEST(WarmupTest, SuspensionsGrowUntilAPersonIsNeeded) {
  WarmupState state = At(3);
  Instant now = kNow;
  for (const int hours : {4, 8, 24, 72}) {
    SuspendWarmup(state, std::chrono::hours(4), now);
    EXPECT_EQ(state.suspended_until, now + std::chrono::hours(hours));
    now = *state.suspended_until;
  }
  SuspendWarmup(state, std::chrono::hours(4), now);
  EXPECT_EQ(state.suspended_until, kUntilAPerson);
  SuspendWarmup(state, std::chrono::hours(24), now + std::chrono::hours(24 * 8));
  EXPECT_EQ(state.suspensions, 3) << "after a week it begins anew, where its reason begins";
}

// ---- the minute ---------------------------------------------------------------------------------

TEST(WarmupTest, AFewBlockRepliesWithinTheHourSuspend) {
  EXPECT_EQ(JudgeMinute(At(5), {}, {.blocked = 4}, {}, kNow).decision, WarmupDecision::kNone);
  const Judgement out = JudgeMinute(At(5), {}, {.blocked = 5}, {}, kNow);
  EXPECT_EQ(out.decision, WarmupDecision::kSuspend);
  EXPECT_EQ(out.state.stage, 1);
  EXPECT_EQ(out.state.suspended_until, kNow + std::chrono::hours(24));
}

TEST(WarmupTest, BouncesHalveThenSuspend) {
  EXPECT_EQ(JudgeMinute(At(5), {.attempted = 90, .bounced = 60}, {}, {}, kNow).decision, WarmupDecision::kNone);
  const Judgement slow = JudgeMinute(At(5), {.attempted = 1'000, .bounced = 60}, {}, {}, kNow);
  EXPECT_EQ(slow.decision, WarmupDecision::kSlow);
  EXPECT_EQ(JudgeMinute(slow.state, {.attempted = 1'000, .bounced = 60}, {}, {}, kNow).decision,
            WarmupDecision::kNone)
      << "once an hour";
  const Judgement stop = JudgeMinute(At(5), {.attempted = 1'000, .bounced = 150}, {}, {}, kNow);
  EXPECT_EQ(stop.decision, WarmupDecision::kSuspend);
  EXPECT_EQ(stop.state.suspended_until, kNow + std::chrono::hours(4));
}

// ---- properties ---------------------------------------------------------------------------------

TEST(WarmupPaceTest, TheLastOfManyIsReckonedOverTheDaysToCome) {
  const Instant midnight = FromMicros(kToday * 86'400'000'000);
  const PacedCap today{.cap = 100, .used = 90, .opens_at = midnight, .closes_at = midnight + 20 * kHour};
  const PacedDays then{.cap = 100, .opens_at = midnight + 24 * kHour, .length = 24 * kHour, .open = 20 * kHour};
  const Instant noon = midnight + 12 * kHour;
  EXPECT_EQ(LastGrantAt(today, 1, then, noon), NextGrantAt(today, noon));
  const auto hours = [&](std::optional<Instant> at) { return static_cast<double>((*at - midnight).count()) / 3.6e9; };
  EXPECT_NEAR(hours(LastGrantAt(today, 10, then, noon)), 19.6, 0.3);
  EXPECT_NEAR(hours(LastGrantAt(today, 11, then, noon)), 24, 0.01) << "the first of tomorrow";
  EXPECT_NEAR(hours(LastGrantAt(today, 110, then, noon)), 43.6, 0.3) << "the last of tomorrow";
  EXPECT_NEAR(hours(LastGrantAt(today, 111, then, noon)), 48, 0.01);
  PacedCap stopped = today;
  stopped.stopped_until = noon + 24 * kHour;
  EXPECT_NEAR(hours(LastGrantAt(stopped, 1, then, noon)), 48, 0.01) << "nothing on the days that are stopped";
  EXPECT_EQ(LastGrantAt({.cap = 0}, 1, {.cap = 0, .opens_at = then.opens_at, .length = 24 * kHour, .open = 20 * kHour}, noon), std::nullopt);
  EXPECT_EQ(LastGrantAt({.cap = 0}, 500, {.opens_at = then.opens_at, .length = 24 * kHour, .open = 20 * kHour}, noon), then.opens_at);
}

TEST(WarmupSimulationTest, TrafficIsReadFromItsText) {
  const auto traffic = TrafficFromText("google=30,comcast=10");
  ASSERT_TRUE(traffic.ok()) << traffic.status();
  ASSERT_EQ(traffic->size(), 2u);
  EXPECT_DOUBLE_EQ((*traffic)[0].share, 0.75);
  EXPECT_EQ((*traffic)[1].provider, "comcast");
  for (const char* bad : {"", "google", "google=", "=3", "google=x", "google=-1", "google=1,,", "google=nan"}) {
    EXPECT_FALSE(TrafficFromText(bad).ok()) << bad;
  }
}

TEST(WarmupPaceTest, WhatIsStoppedGivesNothingUntilThen) {
  const PacedCap row{.cap = 100, .used = 0, .opens_at = kNow - kHour, .closes_at = kNow + kHour, .stopped_until = kNow + std::chrono::minutes(30)};
  EXPECT_EQ(PaceAllows(row, kNow), 0);
  EXPECT_EQ(NextGrantAt(row, kNow), kNow + std::chrono::minutes(30));
}

TEST(WarmupProperty, WhateverHappensTheStageStaysOnTheLadderAndNeverRisesByMoreThanOne) {
  std::mt19937_64 random(6);
  const auto below = [&](int64_t most) { return static_cast<int64_t>(random() % static_cast<uint64_t>(most + 1)); };
  for (int run = 0; run < 200; ++run) {
    WarmupState state{.phase = WarmupPhase::kCold, .stage = 1};
    std::vector<WarmupDay> days;
    Instant now = kNow;
    for (int64_t today = kToday; today < kToday + 120; ++today, now += std::chrono::hours(24)) {
      const auto before = state;
      state = JudgeDay(Default(), "yahoo", state, days, WarmupOpinion{.standing = below(40) == 0 ? Standing::kRed : Standing::kNone}, today, now).state;
      ASSERT_GE(state.stage, 1);
      ASSERT_LE(state.stage, 15);
      ASSERT_LE(state.stage, before.stage + 1);
      ASSERT_EQ(state.stage == 15, state.phase == WarmupPhase::kWarm);
      const auto cap = CapFor(Default(), "yahoo", state, days, today, now);
      WarmupDay day{.day = today, .cap = cap, .counts = {}};
      day.counts.attempted = below(3) == 0 ? 0 : cap.value_or(below(200'000));
      day.counts.bounced = below(day.counts.attempted / 20);
      day.counts.throttled = below(3) == 0 ? below(day.counts.attempted / 4) : 0;
      day.counts.accepted = std::max<int64_t>(0, day.counts.attempted - day.counts.bounced - day.counts.throttled);
      days.push_back(day);
    }
  }
}

// ---- pace ---------------------------------------------------------------------------------------

TEST(WarmupPaceTest, NextGrantIsTheFirstInstantThatThePaceAllows) {
  std::mt19937_64 random(5);
  for (int run = 0; run < 2'000; ++run) {
    PacedCap row;
    row.cap = 1 + static_cast<int64_t>(random() % 5'000);
    row.opens_at = kNow;
    row.closes_at = kNow + Duration(static_cast<int64_t>(1'000'000 + random() % 86'400'000'000));
    Instant now = kNow;
    int64_t given = 0;
    while (given < *row.cap && given < 400) {
      row.used = given;
      const auto next = NextGrantAt(row, now);
      ASSERT_TRUE(next.has_value());
      ASSERT_GE(PaceAllows(row, *next), given + 1) << "at the time it names it is to be had";
      if (*next > now) {
        ASSERT_LE(PaceAllows(row, *next - std::chrono::milliseconds(5)), given + 1);
        now = *next;
      }
      ++given;
    }
    row.used = *row.cap;
    EXPECT_EQ(NextGrantAt(row, now), std::nullopt);
    EXPECT_EQ(PaceAllows(row, row.closes_at), *row.cap) << "all of it by the end";
    EXPECT_LE(PaceAllows(row, kNow), PaceBurst(*row.cap)) << "no burst at the beginning";
  }
}

TEST(WarmupPaceTest, ChunksAreSmall) {
  EXPECT_EQ(DrawChunk(199), 1);
  EXPECT_EQ(DrawChunk(1'000), 20);
  EXPECT_EQ(DrawChunk(1'000'000), 500);
}

}  // namespace
}  // namespace sluice
