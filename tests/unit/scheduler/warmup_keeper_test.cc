// Warmup in the control loop: what is seen in ledger and tables reaches the judgement, and the judgement the ledger.
#include "scheduler/control/warmup_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/log.h"
#include "unit/storage/fake_warmup_stores.h"

namespace sluice::scheduler {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kDay = 20'500;

class Notes final : public storage::EventInbox {
 public:
  std::vector<storage::InboxNote> notes;
  absl::Status Post(const std::vector<storage::InboxNote>& posted) override {
    notes.insert(notes.end(), posted.begin(), posted.end());
    return absl::OkStatus();
  }
};

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
  Notes events;
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
