// Warmup in the control loop: what is seen in ledger and tables reaches the judgement, and the judgement the ledger.
#include "scheduler/control/warmup_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/log.h"
#include "unit/storage/fake_event_inbox.h"
#include "unit/storage/fake_warmup_stores.h"

namespace sluice::scheduler {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kDay = 20'500;

struct WarmupKeeperTest : ::testing::Test {
  WarmupKeeperTest() {
    policy.sources.push_back({.name = "ip-1", .address = "192.0.2.1", .warmup = SourceWarmup{.plan = "p"}});
    policy.warmup_plans = {{.name = "p", .stages = {{{"google", 100}, {"other", 100}}, {{"google", 200}, {"other", 200}}}}};
    store.plans = {{.name = "p", .version = 1, .stages = StagesText(policy.warmup_plans[0])}};
    for (const char* provider : {"google", "other"}) {
      store.states.push_back({.address = "192.0.2.1", .provider = provider, .source = "ip-1", .plan = "p", .plan_version = 1,
                              .phase = "warming", .stage = 1, .judged_day = kDay - 2, .active_day = kDay - 2});
    }
    Begin(kDay);
  }
  void Begin(int64_t day) {
    const Instant starts = FromMicros(day * 86'400'000'000);
    ledger.today = {.day = day, .starts_at = starts, .ends_at = starts + std::chrono::hours(24), .now = starts + std::chrono::hours(1)};
  }
  // All of yesterday's cap was sent and accepted.
  void YesterdayWasClean() {
    for (const char* provider : {"google", "other"}) {
      ledger.rows.push_back({.day = kDay - 1, .address = "192.0.2.1", .provider = provider, .cap = 100, .granted = 100, .attempted = 100, .accepted = 100});
    }
  }
  void Round() {
    ASSERT_TRUE(keeper.Follow(policy).ok());
    ASSERT_TRUE(keeper.Tick(policy).ok());
    clock.Advance(std::chrono::seconds(3));
  }
  const storage::WarmupStateRow& StateAt(std::string_view provider) const {
    return *std::find_if(store.states.begin(), store.states.end(), [&](const auto& row) { return row.provider == provider; });
  }

  PolicyDocument policy;
  testing::FakeWarmupLedger ledger;
  testing::FakeWarmupStore store;
  testing::FakeEventInbox events;
  telemetry::Metrics metrics;
  WarmupMetrics warmup_metrics{metrics};
  FakeClock clock;
  CapturingSink sink;
  Logger log{sink, clock, "scheduler"};
  WarmupKeeper keeper{ledger, store, events, warmup_metrics, clock, log};
};

TEST_F(WarmupKeeperTest, ACleanDayAdvances) {
  YesterdayWasClean();
  Round();
  EXPECT_EQ(StateAt("google").stage, 2);
  EXPECT_EQ(StateAt("other").stage, 2);
}

TEST_F(WarmupKeeperTest, AnAddressThatIsHalfWarmBeginsAtTheStageOfThePolicy) {
  store.states.clear();
  policy.sources[0].warmup->stage = 2;
  Round();
  Round();
  EXPECT_EQ(StateAt("google").phase, "warming");
  EXPECT_EQ(StateAt("google").stage, 2);
  const auto opened = std::find_if(ledger.rows.begin(), ledger.rows.end(), [](const auto& r) { return r.day == kDay && r.provider == "google"; });
  ASSERT_NE(opened, ledger.rows.end());
  EXPECT_EQ(opened->cap, 200);
}

TEST_F(WarmupKeeperTest, AListingHoldsEveryProviderAndTheEventSaysSo) {
  YesterdayWasClean();
  store.opinions = {{.source = "ip-1", .kind = "signal", .word = "listed_high", .evidence = "b.example: listed", .since = ledger.today.now}};
  Round();
  for (const char* provider : {"google", "other"}) {
    EXPECT_EQ(StateAt(provider).stage, 1);
    EXPECT_EQ(StateAt(provider).why, "listed");
  }
  ASSERT_EQ(store.events.size(), 2u);
  EXPECT_THAT(store.events[0].evidence, HasSubstr("b.example: listed"));
  EXPECT_THAT(events.notes.at(0).detail, HasSubstr("hold (listed)"));
  EXPECT_THAT(events.notes.at(0).detail, HasSubstr("b.example: listed"));
}

TEST_F(WarmupKeeperTest, HealthAtOneProviderHoldsThatOne) {
  YesterdayWasClean();
  store.opinions = {{.source = "ip-1", .provider = "comcast", .kind = "health", .word = "suspended", .evidence = "blocked", .since = ledger.today.now},
                    {.source = "ip-2", .provider = "google", .kind = "health", .word = "suspended", .evidence = "blocked", .since = ledger.today.now}};
  Round();
  EXPECT_EQ(StateAt("google").stage, 2);
  EXPECT_EQ(StateAt("other").stage, 1) << "comcast has no column of its own";
}

TEST_F(WarmupKeeperTest, AListingWithinTheDaySuspendsWithinSecondsAndStopsTheLedgerFirst) {
  YesterdayWasClean();
  Round();
  store.opinions = {{.source = "ip-1", .kind = "signal", .word = "listed_critical", .evidence = "zen: SBL", .since = ledger.today.now}};
  Round();
  Round();
  for (const char* provider : {"google", "other"}) {
    EXPECT_EQ(StateAt(provider).suspended_until, ledger.today.now + std::chrono::hours(24)) << provider;
    EXPECT_EQ(StateAt(provider).stage, 1);
  }
  ASSERT_EQ(ledger.limits.size(), 2u);
  EXPECT_EQ(ledger.limits[0].stopped_until, ledger.today.now + std::chrono::hours(24));
  EXPECT_EQ(ledger.limits[0].cap, 100) << "that of stage 1";
  Round();
  EXPECT_EQ(ledger.limits.size(), 2u) << "once";
}

TEST_F(WarmupKeeperTest, ComplaintsThatComeBackAreCountedOnceAndSuspend) {
  YesterdayWasClean();
  Round();
  for (storage::LedgerRow& row : ledger.rows) {
    if (row.day == kDay && row.provider == "google") row.attempted = row.accepted = 1'000;
  }
  store.complaints = {{.source = "ip-1", .provider = "google", .count = 20}, {.source = "ip-1", .provider = "comcast", .count = 1}};
  Round();
  Round();
  Round();
  const auto complained = [&](std::string_view provider) {
    const auto row = std::find_if(ledger.rows.begin(), ledger.rows.end(), [&](const auto& r) { return r.day == kDay && r.provider == provider; });
    return row->complained;
  };
  EXPECT_EQ(complained("google"), 20);
  EXPECT_EQ(complained("other"), 1);
  EXPECT_EQ(StateAt("google").why, "complaints");
  EXPECT_TRUE(StateAt("google").suspended_until.has_value());
  EXPECT_FALSE(StateAt("other").suspended_until.has_value());
}

TEST_F(WarmupKeeperTest, WhenTheListingEndsItGoesOnAtOnceAtTheFirstStage) {
  YesterdayWasClean();
  Round();
  store.opinions = {{.source = "ip-1", .kind = "signal", .word = "listed_critical", .evidence = "zen: SBL", .since = ledger.today.now}};
  Round();
  Round();
  ASSERT_TRUE(StateAt("google").suspended_until.has_value());
  store.opinions.clear();
  Round();
  Round();
  for (const char* provider : {"google", "other"}) {
    EXPECT_FALSE(StateAt(provider).suspended_until.has_value()) << provider;
    EXPECT_EQ(StateAt(provider).stage, 1) << provider;
    EXPECT_EQ(StateAt(provider).decision, "resume") << provider;
    EXPECT_EQ(StateAt(provider).why, "delisted") << provider;
  }
  ASSERT_EQ(ledger.limits.size(), 4u);
  EXPECT_EQ(ledger.limits[3].stopped_until, Instant()) << "the ledger grants again";
  EXPECT_THAT(events.notes.back().detail, HasSubstr("resume (delisted): stage 1 to 1; nobody lists it any more"));
}

TEST_F(WarmupKeeperTest, RefusalsThatComeInWhileItIsSuspendedSuspendNobodyAgain) {
  YesterdayWasClean();
  Round();
  storage::LedgerRow& row = *std::find_if(ledger.rows.begin(), ledger.rows.end(), [](const auto& r) { return r.day == kDay && r.provider == "google"; });
  row.attempted = row.blocked = 5;
  Round();
  ASSERT_EQ(StateAt("google").why, "blocked");
  row.attempted = row.blocked = 15;  // What was under way.
  Round();
  for (storage::WarmupStateRow& state : store.states) state.suspended_until.reset();
  ++store.stamp;
  Round();
  Round();
  EXPECT_FALSE(StateAt("google").suspended_until.has_value());
  row.attempted = row.blocked = 20;
  Round();
  EXPECT_TRUE(StateAt("google").suspended_until.has_value()) << "five new ones do";
}

TEST_F(WarmupKeeperTest, TheSpikeGuardIsAnEventOfTheDay) {
  for (storage::WarmupStateRow& state : store.states) {
    state.phase = "warm";
    state.stage = 3;
  }
  for (int64_t day = kDay - 30; day < kDay; ++day) {
    const int64_t sent = day < kDay - 10 ? 100'000 : 1'000;
    ledger.rows.push_back({.day = day, .address = "192.0.2.1", .provider = "google", .granted = sent, .attempted = sent, .accepted = sent});
  }
  Round();
  EXPECT_EQ(StateAt("google").decision, "guard");
  EXPECT_EQ(StateAt("google").phase, "warm");
  EXPECT_THAT(events.notes.at(0).detail, HasSubstr("guard (collapsed): stage 3 to 3; sends far less than it used to: 2000 today"));
  const auto opened = std::find_if(ledger.rows.begin(), ledger.rows.end(), [](const auto& r) { return r.day == kDay && r.provider == "google"; });
  EXPECT_EQ(opened->cap, 2'000);
}

TEST_F(WarmupKeeperTest, ARefusalSendsItsProviderBackAndNobodyElse) {
  YesterdayWasClean();
  Round();
  store.opinions = {{.source = "ip-1", .provider = "google", .kind = "refusal", .word = "google_rate_source", .evidence = "421 4.7.28", .since = ledger.today.now}};
  Round();
  EXPECT_EQ(StateAt("google").stage, 1);
  EXPECT_EQ(StateAt("google").why, "refused");
  EXPECT_EQ(StateAt("google").evidence, "421 4.7.28");
  EXPECT_EQ(StateAt("other").stage, 2);
}

}  // namespace
}  // namespace sluice::scheduler
