// What the keeper makes of counts and opinions: rows, constraints, events and log lines; what of it survives; and a person's word.
#include "scheduler/control/health_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../admin/fakes.h"
#include "../storage/fake_reputation_stores.h"

namespace sluice::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Rig {
  storage::TallyCount Count(const char* source, const char* provider, const char* kind, const char* reply_class, int64_t count,
                            ReplyScope scope = ReplyScope::kSourceProvider) {
    return {.source = source, .provider = provider, .tenant = "shop", .kind = kind, .reply_class = reply_class, .count = count,
            .last_at = clock.Now(), .last_reply = "554 5.7.1 go away", .reply_scope = scope};
  }
  void Block(HealthKeeper& of, const char* source, const char* provider, ReplyScope scope = ReplyScope::kSourceProvider) {
    of.Observe({Count(source, provider, "deferred", "block_ip", 50, scope)});
    ASSERT_TRUE(of.Judge().ok());
  }
  HealthState StateOf(const HealthSubject& subject) const {
    const auto row = health.rows.find(subject);
    return row == health.rows.end() ? HealthState::kHealthy : row->second.status.state;
  }
  std::vector<Constraint> InForce() { return constraints.List(clock.Now())->constraints; }
  std::vector<std::string> Told() const {
    std::vector<std::string> kinds;
    for (const storage::InboxNote& note : health.notes) kinds.push_back(note.kind);
    return kinds;
  }

  FakeClock clock;
  CapturingSink text;
  Logger log{text, clock, "test"};
  telemetry::Metrics registry;
  HealthMetrics metrics{registry};
  testing::FakeHealthStore health;
  testing::FakeEventTally tally;
  testing::FakeConstraintStore constraints;
  const HealthKeeper::Parts parts{health, tally, constraints, metrics, clock, log};
  HealthKeeper keeper{parts};
};
const HealthSubject kAtGoogle{.source = "ip-11", .provider = "google"};
const HealthSubject kEverywhere{.source = "ip-11"};

TEST(HealthKeeperTest, ABlockIsARowAConstraintAnEventAndALineWithItsRemedy) {
  Rig rig;
  rig.Block(rig.keeper, "ip-11", "google");
  EXPECT_EQ(rig.StateOf(kAtGoogle), HealthState::kSuspended);
  EXPECT_EQ(rig.StateOf(kEverywhere), HealthState::kHealthy);
  const auto held = rig.InForce();
  ASSERT_THAT(held, SizeIs(1));
  EXPECT_EQ(held[0].scope, (Scope{.source = "ip-11", .provider = "google"}));
  EXPECT_EQ(held[0].cause, ConstraintCause::kHealth);
  EXPECT_TRUE(held[0].value.suspend);
  EXPECT_THAT(held[0].evidence, HasSubstr("554 5.7.1 go away"));
  ASSERT_THAT(rig.Told(), ElementsAre("suspended"));
  EXPECT_THAT(rig.health.notes[0].detail, HasSubstr("remedy: ask the provider to lift the block"));
  EXPECT_THAT(rig.text.Text(), HasSubstr("ask the provider to lift the block"));
  EXPECT_THAT(rig.registry.Text(), HasSubstr("sluice_health_state_count{source=\"ip-11\",provider=\"google\"} 3"));
  ASSERT_TRUE(rig.keeper.Judge().ok());
  EXPECT_THAT(rig.health.notes, SizeIs(1)) << "told once";
}

TEST(HealthKeeperTest, AReasonThatOthersShareQuarantinesTheSourceEverywhere) {
  Rig rig;
  rig.Block(rig.keeper, "ip-11", "google", ReplyScope::kSource);
  EXPECT_EQ(rig.StateOf(kEverywhere), HealthState::kQuarantined);
  bool is_everywhere = false;
  for (const Constraint& one : rig.InForce()) is_everywhere = is_everywhere || one.scope == Scope{.source = "ip-11"};
  EXPECT_TRUE(is_everywhere);
  EXPECT_THAT(rig.Told(), ::testing::Contains("quarantined"));
}

TEST(HealthKeeperTest, ManyProvidersAtOnceQuarantineItToo) {
  Rig rig;
  for (const char* provider : {"google", "yahoo"}) rig.Block(rig.keeper, "ip-11", provider);
  EXPECT_EQ(rig.StateOf(kEverywhere), HealthState::kHealthy);
  rig.Block(rig.keeper, "ip-11", "orange");
  rig.clock.Advance(minutes(1));
  ASSERT_TRUE(rig.keeper.Judge().ok());
  EXPECT_EQ(rig.StateOf(kEverywhere), HealthState::kQuarantined);
  EXPECT_EQ(rig.health.rows.at(kEverywhere).status.rule, "blocked_by_many");
}

TEST(HealthKeeperTest, WhoTakesControlOverGoesOnFromTheTables) {
  Rig rig;
  rig.Block(rig.keeper, "ip-11", "google");
  const HealthStatus before = rig.health.rows.at(kAtGoogle).status;
  rig.clock.Advance(minutes(1));
  HealthKeeper next(rig.parts);
  ASSERT_TRUE(next.Judge().ok());
  EXPECT_EQ(rig.health.rows.at(kAtGoogle).status.since, before.since);
  EXPECT_THAT(rig.InForce(), SizeIs(1));
  EXPECT_THAT(rig.Told(), ElementsAre("suspended")) << "nothing is told twice";
  // Its rest is half over: single attempts, which are accepted, lead back.
  rig.clock.Advance(minutes(15));
  ASSERT_TRUE(next.Judge().ok());
  ASSERT_THAT(rig.InForce(), SizeIs(1));
  EXPECT_TRUE(rig.InForce()[0].value.trickle.has_value());
  for (int i = 0; i < 3; ++i) {
    rig.clock.Advance(minutes(5));
    next.Observe({rig.Count("ip-11", "google", "delivered", "none", 1)});
    ASSERT_TRUE(next.Judge().ok());
  }
  EXPECT_EQ(rig.StateOf(kAtGoogle), HealthState::kThrottled);
  for (int i = 0; i < 120; ++i) {
    rig.clock.Advance(minutes(1));
    ASSERT_TRUE(next.Judge().ok());
  }
  EXPECT_EQ(rig.StateOf(kAtGoogle), HealthState::kHealthy);
  EXPECT_THAT(rig.InForce(), IsEmpty());
  EXPECT_THAT(rig.Told(), ElementsAre("suspended", "restored", "resumed"));
}

TEST(HealthKeeperTest, AStoreThatIsAwayDelaysAndLosesNothing) {
  Rig rig;
  ASSERT_TRUE(rig.keeper.Judge().ok());
  rig.health.failure = absl::UnavailableError("down");
  rig.keeper.Observe({rig.Count("ip-11", "google", "deferred", "block_ip", 50)});
  EXPECT_FALSE(rig.keeper.Judge().ok());
  EXPECT_THAT(rig.InForce(), IsEmpty());
  rig.health.failure = absl::OkStatus();
  ASSERT_TRUE(rig.keeper.Judge().ok());
  EXPECT_EQ(rig.StateOf(kAtGoogle), HealthState::kSuspended);
  EXPECT_THAT(rig.InForce(), SizeIs(1));
  EXPECT_THAT(rig.Told(), ElementsAre("suspended"));
}

TEST(HealthKeeperTest, APersonsWordStandsUntilItsEndAndWhatWasJudgedComesBack) {
  Rig rig;
  rig.Block(rig.keeper, "ip-11", "google");
  const HealthOverride word{.state = HealthState::kHealthy, .until = rig.clock.Now() + minutes(10), .reason = "they called", .author = "ada"};
  ASSERT_TRUE(rig.keeper.Override(kAtGoogle, word).ok());
  EXPECT_THAT(rig.InForce(), IsEmpty()) << "true when it returns";
  EXPECT_EQ(rig.health.rows.at(kAtGoogle).override, word);
  HealthKeeper next(rig.parts);
  ASSERT_TRUE(next.Judge().ok());
  EXPECT_THAT(rig.InForce(), IsEmpty()) << "whoever keeps it";
  rig.clock.Advance(minutes(11));
  ASSERT_TRUE(next.Judge().ok());
  EXPECT_THAT(rig.InForce(), SizeIs(1));
  EXPECT_EQ(rig.health.rows.at(kAtGoogle).override, std::nullopt);

  const HealthSubject other{.source = "ip-12"};
  ASSERT_TRUE(next.Override(other, HealthOverride{.state = HealthState::kQuarantined, .reason = "moves house", .author = "ada"}).ok());
  ASSERT_THAT(rig.InForce(), SizeIs(2));
  EXPECT_EQ(rig.InForce()[1].evidence, "quarantined by ada: moves house");
  rig.clock.Advance(hours(24 * 30));
  ASSERT_TRUE(next.Judge().ok());
  EXPECT_EQ(rig.health.rows.at(other).override->reason, "moves house") << "without an end it stands until it is lifted";
  ASSERT_TRUE(next.Override(other, std::nullopt).ok());
  for (const Constraint& one : rig.InForce()) EXPECT_NE(one.scope.source, "ip-12");
}

TEST(HealthKeeperTest, ARuleThatAPolicyTurnsOffLetsGoOfWhatItMade) {
  Rig rig;
  rig.keeper.SetOpinions({{kEverywhere, {{.word = "listed_critical", .evidence = "zen.spamhaus.org: SBL; delist: https://check.spamhaus.org/"}}}});
  ASSERT_TRUE(rig.keeper.Judge().ok());
  EXPECT_EQ(rig.StateOf(kEverywhere), HealthState::kQuarantined);
  EXPECT_THAT(rig.InForce()[0].evidence, HasSubstr("delist: https://check.spamhaus.org/"));
  PolicyDocument policy;
  policy.health = {{.rule = "listed_critical", .disabled = true}};
  rig.keeper.SetPolicy(policy);
  ASSERT_TRUE(rig.keeper.Judge().ok());
  EXPECT_EQ(rig.StateOf(kEverywhere), HealthState::kHealthy);
  EXPECT_THAT(rig.InForce(), IsEmpty());
}

TEST(HealthKeeperTest, WhatMeansTheSenderIsKeptForTheDomainThatWasNamedOrTheTenant) {
  Rig rig;
  storage::TallyCount named = rig.Count("ip-11", "google", "deferred", "throttle", 40, ReplyScope::kSenderProvider);
  named.sender_domain = "shop.example";
  rig.keeper.Observe({named, rig.Count("ip-11", "yahoo", "deferred", "auth", 40, ReplyScope::kSender)});
  ASSERT_TRUE(rig.keeper.Judge().ok());
  EXPECT_EQ(rig.StateOf({.sender_domain = "shop.example", .provider = "google"}), HealthState::kSuspended);
  EXPECT_EQ(rig.StateOf({.tenant = "shop", .provider = "google"}), HealthState::kHealthy);
  EXPECT_EQ(rig.StateOf({.tenant = "shop", .provider = "yahoo"}), HealthState::kSuspended);
  for (const auto& [subject, row] : rig.health.rows) EXPECT_TRUE(subject.source.empty() || row.status.state == HealthState::kHealthy);
}

TEST(HealthKeeperTest, ADomainComesBackWhenNoneOfItsProbesWasRefused) {
  Rig rig;
  const HealthSubject domain{.sender_domain = "shop.example", .provider = "google"};
  storage::TallyCount refused = rig.Count("ip-11", "google", "deferred", "throttle", 40, ReplyScope::kSenderProvider);
  refused.sender_domain = "shop.example";
  rig.keeper.Observe({refused});
  const auto wait = [&](Duration time) {
    for (const Instant end = rig.clock.Now() + time; rig.clock.Now() < end; rig.clock.Advance(minutes(1))) ASSERT_TRUE(rig.keeper.Judge().ok());
  };
  wait(minutes(35));
  ASSERT_THAT(rig.InForce(), SizeIs(1));
  EXPECT_TRUE(rig.InForce()[0].value.trickle.has_value()) << "it is probed";
  refused.count = 1;
  refused.last_at = rig.clock.Now();
  rig.keeper.Observe({refused});
  wait(minutes(20));
  EXPECT_EQ(rig.StateOf(domain), HealthState::kSuspended);
  EXPECT_FALSE(rig.InForce()[0].value.trickle.has_value()) << "a refused probe begins a longer rest";
  wait(minutes(60));
  EXPECT_EQ(rig.StateOf(domain), HealthState::kWatch);
  EXPECT_THAT(rig.InForce(), IsEmpty());
  EXPECT_THAT(rig.Told(), ElementsAre("suspended", "restored"));
  wait(minutes(61));
  EXPECT_EQ(rig.StateOf(domain), HealthState::kHealthy);
}

TEST(HealthKeeperTest, WhatHasBeenHealthyForAWeekIsForgotten) {
  Rig rig;
  rig.Block(rig.keeper, "ip-11", "google");
  EXPECT_FALSE(rig.health.rows.empty());
  for (int i = 0; i < 20; ++i) {
    rig.clock.Advance(minutes(5));
    rig.keeper.Observe({rig.Count("ip-11", "google", "delivered", "none", 1)});
    ASSERT_TRUE(rig.keeper.Judge().ok());
  }
  for (int i = 0; i < 24 * 8; ++i) {
    rig.clock.Advance(hours(1));
    ASSERT_TRUE(rig.keeper.Judge().ok());
  }
  EXPECT_THAT(rig.health.rows, IsEmpty());
  EXPECT_THAT(rig.InForce(), IsEmpty());
}

}  // namespace
}  // namespace sluice::scheduler
