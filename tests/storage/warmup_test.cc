// The warmup ledger on a real cluster: never more than the cap, whoever draws and whenever.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "base/text.h"
#include "policy/warmup_pace.h"
#include "storage/cluster.h"
#include "storage/connection_pool.h"
#include "storage/warmup_ledger.h"
#include "storage/warmup_store.h"

namespace sluice::storage {
namespace {

constexpr auto kHour = std::chrono::hours(1);

class WarmupLedgerTest : public StorageTest {
 protected:
  void SetUp() override {
    StorageTest::SetUp();
    if (IsSkipped()) return;
    pool_ = std::make_unique<ConnectionPool>(options(), 4);
    ledger_ = MakeWarmupLedger(*pool_);
    today_ = *ledger_->Today();
  }
  void TearDown() override {
    ledger_.reset();
    pool_.reset();
    StorageTest::TearDown();
  }
  // The day's whole cap is open, unless `opens` and `closes` say otherwise.
  LedgerRow Row(const std::string& provider, std::optional<int64_t> cap, const std::string& address = "192.0.2.1") {
    return {.day = today_.day, .address = address, .provider = provider, .cap = cap, .opens_at = today_.now - 2 * kHour,
            .closes_at = today_.now - kHour};
  }
  int64_t Draw(const std::string& provider, int64_t wanted, const std::string& address = "192.0.2.1") {
    const auto answer = ledger_->Draw({{address, provider, wanted}});
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? answer->grants.at(0).count : -1;
  }
  std::string Used(const std::string& provider) {
    return Query(Cat("select granted - returned from warmup_ledger where provider = '", provider, "'"));
  }

  std::unique_ptr<ConnectionPool> pool_;
  std::unique_ptr<WarmupLedger> ledger_;
  LedgerDay today_;
};

TEST_F(WarmupLedgerTest, GivesUpToTheCapAndNotOneMore) {
  ASSERT_TRUE(ledger_->Open({Row("google", 10), Row("*", 100)}).ok());
  EXPECT_EQ(Draw("google", 4), 4);
  EXPECT_EQ(Draw("google", 4), 4);
  EXPECT_EQ(Draw("google", 4), 2);
  EXPECT_EQ(Draw("google", 4), 0);
  EXPECT_EQ(Used("google"), "10");
  EXPECT_EQ(Used("*"), "10");
}

TEST_F(WarmupLedgerTest, TheTotalIsLimitedAcrossProviders) {
  ASSERT_TRUE(ledger_->Open({Row("google", 10), Row("yahoo", 10), Row("*", 12)}).ok());
  const auto answer = *ledger_->Draw({{"192.0.2.1", "google", 9}, {"192.0.2.1", "yahoo", 9}});
  EXPECT_EQ(answer.grants[0].count, 9);
  EXPECT_EQ(answer.grants[1].count, 3);
  EXPECT_EQ(answer.grants[1].total.used, 12);
  EXPECT_EQ(Draw("yahoo", 1), 0);
  EXPECT_EQ(Used("*"), "12");
}

TEST_F(WarmupLedgerTest, WithoutARowOfTheDayThereIsNothing) {
  auto answer = *ledger_->Draw({{"192.0.2.1", "google", 1}});
  EXPECT_FALSE(answer.grants[0].is_open);
  ASSERT_TRUE(ledger_->Open({Row("google", 10)}).ok());
  answer = *ledger_->Draw({{"192.0.2.1", "google", 1}});
  EXPECT_EQ(answer.grants[0].count, 0) << "no total row";
  LedgerRow yesterday = Row("*", 100);
  --yesterday.day;
  ASSERT_TRUE(ledger_->Open({yesterday}).ok());
  EXPECT_EQ(Draw("google", 1), 0);
}

TEST_F(WarmupLedgerTest, RowsWithoutACapAreCountedOnly) {
  ASSERT_TRUE(ledger_->Open({Row("google", std::nullopt), Row("*", std::nullopt)}).ok());
  EXPECT_EQ(Draw("google", 500), 500);
  EXPECT_EQ(Used("*"), "500");
}

TEST_F(WarmupLedgerTest, ThePaceIsThatOfThePolicy) {
  LedgerRow google = Row("google", 1'000), total = Row("*", std::nullopt);
  google.opens_at = today_.now - kHour;
  google.closes_at = today_.now + 3 * kHour;
  ASSERT_TRUE(ledger_->Open({google, total}).ok());
  const auto answer = *ledger_->Draw({{"192.0.2.1", "google", 10'000}});
  const PacedCap pace{.cap = 1'000, .used = 0, .opens_at = google.opens_at, .closes_at = google.closes_at};
  EXPECT_EQ(answer.grants[0].count, PaceAllows(pace, answer.day.now));
  EXPECT_NEAR(static_cast<double>(answer.grants[0].count), 270, 2);
  google.address = total.address = "192.0.2.9";
  google.opens_at = today_.now + kHour;
  ASSERT_TRUE(ledger_->Open({google, total}).ok());
  EXPECT_EQ(Draw("google", 5, "192.0.2.9"), 0) << "not open yet";
}

TEST_F(WarmupLedgerTest, ReturnsAreThereAgainButNeverMoreThanWasGranted) {
  ASSERT_TRUE(ledger_->Open({Row("google", 10), Row("*", 10)}).ok());
  EXPECT_EQ(Draw("google", 10), 10);
  ASSERT_TRUE(ledger_->Record({{.day = today_.day, .address = "192.0.2.1", .provider = "google", .returned = 3}}).ok());
  EXPECT_EQ(Draw("google", 10), 3);
  ASSERT_TRUE(ledger_->Record({{.day = today_.day, .address = "192.0.2.1", .provider = "google", .returned = 99}}).ok());
  EXPECT_EQ(Used("google"), "0");
  EXPECT_EQ(Used("*"), "0");
}

TEST_F(WarmupLedgerTest, CountsGoToTheRowAndToItsTotal) {
  ASSERT_TRUE(ledger_->Open({Row("google", 10), Row("yahoo", 10), Row("*", 10)}).ok());
  const LedgerCounts google{.day = today_.day, .address = "192.0.2.1", .provider = "google", .attempted = 2, .accepted = 1, .deferred = 1, .throttled = 1};
  LedgerCounts yahoo = google;
  yahoo.provider = "yahoo";
  yahoo.complained = 1;
  ASSERT_TRUE(ledger_->Record({google, yahoo, google}).ok());
  EXPECT_EQ(Query("select string_agg(provider || attempted || accepted || throttled || complained, ' ' order by provider) from warmup_ledger"),
            "*6331 google4220 yahoo2111");
}

TEST_F(WarmupLedgerTest, ALoweredCapStopsNewGrantsAndNothingRaisesIt) {
  ASSERT_TRUE(ledger_->Open({Row("google", 10), Row("*", 100)}).ok());
  EXPECT_EQ(Draw("google", 6), 6);
  ASSERT_TRUE(ledger_->Limit(today_.day, "192.0.2.1", "google", 5, {}).ok());
  EXPECT_EQ(Draw("google", 6), 0);
  ASSERT_TRUE(ledger_->Limit(today_.day, "192.0.2.1", "google", 50, {}).ok());
  ASSERT_TRUE(ledger_->Open({Row("google", 50)}).ok());
  EXPECT_EQ(Draw("google", 6), 0);
}

TEST_F(WarmupLedgerTest, WhatIsStoppedGrantsNothingUntilItsTime) {
  ASSERT_TRUE(ledger_->Open({Row("google", 10), Row("*", 100)}).ok());
  ASSERT_TRUE(ledger_->Limit(today_.day, "192.0.2.1", "google", std::nullopt, today_.now + kHour).ok());
  EXPECT_EQ(Draw("google", 6), 0);
  ASSERT_TRUE(ledger_->Limit(today_.day, "192.0.2.1", "google", std::nullopt, today_.now - kHour).ok());
  EXPECT_EQ(Draw("google", 6), 6);
}

TEST_F(WarmupLedgerTest, TwoOwnersAtOnceNeverExceedCapOrTotalAndMissNothing) {
  constexpr int64_t kCap = 400, kTotal = 900;
  ASSERT_TRUE(ledger_->Open({Row("google", kCap), Row("m365", kCap), Row("yahoo", kCap), Row("*", kTotal)}).ok());
  std::atomic<int64_t> taken{0};
  const auto owner = [&](unsigned seed) {
    std::mt19937 random(seed);
    ConnectionPool pool(options(), 1);
    const auto ledger = MakeWarmupLedger(pool);
    const std::vector<std::string> providers = {"google", "m365", "yahoo"};
    for (int i = 0; i < 300; ++i) {
      std::vector<GrantRequest> requests;
      for (size_t p = random() % 3; requests.size() < 2; ++p) requests.push_back({"192.0.2.1", providers[p % 3], static_cast<int64_t>(1 + random() % 9)});
      const auto answer = ledger->Draw(requests);
      ASSERT_TRUE(answer.ok()) << answer.status();
      std::vector<LedgerCounts> back;
      for (size_t k = 0; k < requests.size(); ++k) {
        const int64_t idle = answer->grants[k].count > 1 ? 1 : 0;
        taken += answer->grants[k].count - idle;
        back.push_back({.day = answer->day.day, .address = "192.0.2.1", .provider = requests[k].provider, .returned = idle});
      }
      ASSERT_TRUE(ledger->Record(back).ok());
    }
  };
  std::thread first(owner, 1), second(owner, 2), third(owner, 3);
  first.join();
  second.join();
  third.join();
  EXPECT_EQ(taken, kTotal);
  EXPECT_EQ(Used("*"), Cat(kTotal));
  EXPECT_EQ(Query("select bool_and(granted - returned <= cap) from warmup_ledger"), "t");
  EXPECT_EQ(Query("select sum(granted - returned) from warmup_ledger where provider <> '*'"), Cat(kTotal));
}

TEST_F(WarmupLedgerTest, ADayIsThatOfItsZoneAlsoWhenClocksChange) {
  ASSERT_TRUE(ledger_->SetCalendar("Europe/Berlin", Duration(0)).ok());
  EXPECT_EQ(Query("select day from warmup_day_at('2026-03-29 21:59:59Z')"), "2026-03-29");
  EXPECT_EQ(Query("select day from warmup_day_at('2026-03-29 22:00:00Z')"), "2026-03-30");
  EXPECT_EQ(Query("select ends_at - starts_at from warmup_day_at('2026-03-29 12:00Z')"), "23:00:00");
  EXPECT_EQ(Query("select extract(epoch from ends_at - starts_at)::int from warmup_day_at('2026-10-25 12:00Z')"), "90000");
  EXPECT_TRUE(absl::IsInvalidArgument(ledger_->SetCalendar("Mars/Olympus", Duration(0))));
  ASSERT_TRUE(ledger_->SetCalendar("UTC", std::chrono::seconds(20)).ok());
  const LedgerDay day = *ledger_->Today();
  EXPECT_EQ(day.ends_at - day.starts_at, std::chrono::seconds(20));
  EXPECT_LE(day.starts_at, day.now);
  EXPECT_GT(day.ends_at, day.now);
}

// ---- where each stands --------------------------------------------------------------------------

WarmupStateRow State(const std::string& provider) {
  return {.address = "192.0.2.1", .provider = provider, .source = "ip-1", .plan = "default", .plan_version = 1, .stage = 3,
          .start_day = 20'000, .suspended_until = kNow, .until_delisted = true, .resumed_at = kNow - std::chrono::hours(1),
          .judged_day = 19'999, .active_day = 19'998, .evidence_day = 19'997, .why = "clean"};
}

TEST_F(WarmupLedgerTest, AStateIsWrittenWithItsHistoryAndOnlyOverWhatWasRead) {
  const auto store = MakeWarmupStore(*pool_);
  const WarmupEventRow event{.at = kNow, .day = 20'000, .source = "ip-1", .address = "192.0.2.1", .provider = "google",
                             .decision = "advance", .why = "clean", .evidence = "accepted 100 of 100", .from_stage = 2, .to_stage = 3,
                             .phase = "warming", .actor = "control"};
  const absl::Status written = store->Write({{State("google"), event}, {State("yahoo")}});
  ASSERT_TRUE(written.ok()) << written;
  auto states = *store->States();
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].start_day, 20'000);
  EXPECT_EQ(states[0].suspended_until, kNow);
  EXPECT_EQ(states[0].active_day, 19'998);
  EXPECT_EQ(states[0].evidence_day, 19'997);
  EXPECT_EQ(states[0].resumed_at, kNow - std::chrono::hours(1));
  EXPECT_TRUE(states[0].until_delisted);
  EXPECT_TRUE(absl::IsAborted(store->Write({{State("google")}}))) << "revision 0 is no longer what stands there";
  states[0].start_day.reset();
  states[0].suspended_until.reset();
  const auto stamp = *store->Stamp();
  ASSERT_TRUE(store->Write({{states[0], event}}).ok());
  EXPECT_NE(*store->Stamp(), stamp);
  EXPECT_EQ((*store->States())[0].start_day, std::nullopt);
  EXPECT_TRUE(absl::IsAborted(store->Write({{states[1]}, {states[0]}}))) << "read before it was written";
  EXPECT_EQ((*store->States())[1].revision, 1) << "all or nothing";

  const auto history = *store->History("ip-1", "", 0, 10);
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].evidence, "accepted 100 of 100");
  EXPECT_EQ(store->History("ip-1", "", history[0].id, 10)->size(), 1u);
  EXPECT_TRUE(store->History("", "yahoo", 0, 10)->empty());
}

TEST_F(WarmupLedgerTest, APlanKeepsItsVersionUntilItChanges) {
  const auto store = MakeWarmupStore(*pool_);
  EXPECT_EQ(store->Pin({"own", 1, "*=10"}, kNow)->version, 1);
  EXPECT_EQ(store->Pin({"own", 1, "*=10"}, kNow)->version, 1);
  EXPECT_EQ(store->Pin({"own", 1, "*=20"}, kNow)->version, 2);
  EXPECT_EQ(store->Pin({"default", 4, "*=20"}, kNow)->version, 4);
  EXPECT_EQ(store->Plans()->size(), 3u);
}

TEST_F(WarmupLedgerTest, OpinionsAreThoseOfPollersHealthAndRefusalsAsTheyStand) {
  const auto store = MakeWarmupStore(*pool_);
  Query("insert into reputation_signal (source, sender_domain, provider, name, verdict, word, value, detail, raw, checked_at, failure, changed_at, positives, negatives) values "
        "('ip-1', '', '', 'zen.example', 'bad', 'listed_critical', 'SBL', 'delist: there', '', now(), '', now(), 1, 0), "
        "('ip-1', '', '', 'b.example', 'good', '', '', '', '', now(), '', now(), 0, 1), "
        "('', 'shop.example', '', 'dbl.example', 'bad', 'domain_listed', '', '', '', now(), '', now(), 1, 0) returning 1");
  const auto health = [&](const char* source, const char* state, const char* override) {
    Query(Cat("insert into health_state (source, tenant, sender_domain, provider, state, rule, evidence, worst, score, since, until, rested_at, "
              "counted_from, strikes, usual, override_state, override_until) values ('", source, "', '', '', 'google', '", state,
              "', 'blocked', 'five of ten', '', 10, now(), now(), now(), now(), 1, 0, '", override, "', null) returning 1"));
  };
  health("ip-1", "suspended", "");
  health("ip-2", "suspended", "healthy");
  health("ip-3", "watch", "");
  health("ip-4", "watch", "quarantined");
  const auto constrain = [&](const char* cause, const char* source, const char* until) {
    Query(Cat("insert into sending_constraint (cause, rule, source, provider, pool, tenant, stream, campaign, domain, site, value, evidence, since, "
              "until, author) values ('", cause, "', 'google_blocks_source', '", source, "', 'google', '', '', '', '', '', '', 'suspend', 'reply 550', now(), ",
              until, ", 'egress') returning 1"));
  };
  constrain("automation", "ip-1", "now() + interval '1 hour'");
  constrain("operator", "ip-1", "null");
  constrain("automation", "ip-2", "now() - interval '1 second'");
  auto opinions = *store->Opinions(today_.now + std::chrono::seconds(1));
  std::vector<std::string> told;
  for (const WarmupOpinionRow& o : opinions) told.push_back(Cat(o.source, " ", o.provider, " ", o.kind, " ", o.word, ": ", o.evidence));
  EXPECT_THAT(told, ::testing::UnorderedElementsAre("ip-1  signal listed_critical: zen.example: SBL; delist: there",
                                                    "ip-1 google health suspended: suspended, blocked: five of ten",
                                                    "ip-4 google health quarantined: quarantined, blocked: five of ten",
                                                    "ip-1 google refusal google_blocks_source: reply 550"));
}

TEST_F(WarmupLedgerTest, ComplaintsAreThoseOfTheDayBySourceAndProvider) {
  const auto store = MakeWarmupStore(*pool_);
  const auto count = [&](const char* kind, const char* source, int n, const char* at) {
    Query(Cat("insert into reputation_count (bucket_at, source, provider, tenant, kind, reply_class, count, last_at, last_reply) values (", at, ", '",
              source, "', 'google', 'shop', '", kind, "', '', ", n, ", ", at, ", '') returning 1"));
  };
  count("complained", "ip-1", 3, "now()");
  count("complained", "ip-1", 2, "now() - interval '10 minutes'");
  count("complained", "ip-1", 9, "now() - interval '2 days'");
  count("delivered", "ip-1", 100, "now()");
  count("complained", "", 7, "now()");
  EXPECT_THAT(*store->Complaints(today_.now - kHour), ::testing::ElementsAre(WarmupComplaintsRow{"ip-1", "google", 5}));
}

TEST_F(WarmupLedgerTest, WhatWaitsIsTheSumOverSchedulersThatLive) {
  const auto store = MakeWarmupStore(*pool_);
  ASSERT_EQ(store->SetWaiting("a", {{"192.0.2.1", "google", 5}, {"192.0.2.1", "yahoo", 1}}), absl::OkStatus());
  ASSERT_TRUE(store->SetWaiting("b", {{"192.0.2.1", "google", 7}}).ok());
  EXPECT_THAT(*store->Waiting(), ::testing::UnorderedElementsAre(WarmupWaitingRow{"192.0.2.1", "google", 12}, WarmupWaitingRow{"192.0.2.1", "yahoo", 1}));
  ASSERT_TRUE(store->SetWaiting("a", {{"192.0.2.1", "google", 2}}).ok());
  EXPECT_THAT(*store->Waiting(), ::testing::ElementsAre(WarmupWaitingRow{"192.0.2.1", "google", 9}));
  Query("update warmup_waiting set seen_at = seen_at - interval '1 minute' where scheduler = 'b' returning 1");
  EXPECT_THAT(*store->Waiting(), ::testing::ElementsAre(WarmupWaitingRow{"192.0.2.1", "google", 2}));
  ASSERT_TRUE(store->SetWaiting("a", {}).ok());
  EXPECT_TRUE(store->Waiting()->empty());
}

TEST_F(WarmupLedgerTest, AnUnreachableLedgerGrantsNothing) {
  ConnectionPool nowhere({.url = "host=/nonexistent dbname=x"}, 1);
  EXPECT_TRUE(absl::IsUnavailable(MakeWarmupLedger(nowhere)->Draw({{"192.0.2.1", "google", 1}}).status()));
}

}  // namespace
}  // namespace sluice::storage
