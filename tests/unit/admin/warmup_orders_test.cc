// What a person orders of warmup, and what follows from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/admin/warmup.h"
#include "unit/admin/fakes.h"
#include "unit/storage/fake_event_inbox.h"
#include "unit/storage/fake_warmup_stores.h"

namespace sluice::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace sluice::testing;

constexpr int64_t kDay = 20'500;

struct WarmupOrders : ::testing::Test {
  WarmupOrders() {
    const Instant starts = FromMicros(kDay * 86'400'000'000);
    ledger.today = {.day = kDay, .starts_at = starts, .ends_at = starts + std::chrono::hours(24), .now = starts + std::chrono::hours(1)};
    store.plans = {{.name = "p", .version = 1, .stages = "google=100,other=100\ngoogle=200,other=200"}};
    for (const char* provider : {"google", "other"}) {
      store.states.push_back({.address = "192.0.2.1", .provider = provider, .source = "ip-1", .plan = "p", .plan_version = 1, .phase = "warming",
                              .suspended_until = ledger.today.now + std::chrono::hours(20), .until_delisted = true, .suspensions = 3,
                              .suspended_at = ledger.today.now});
    }
  }
  Constraint Held(ConstraintCause cause, Scope scope, const std::string& rule, ConstraintValue value = {.suspend = true}) {
    const Constraint made{.scope = std::move(scope), .cause = cause, .rule = rule, .value = std::move(value), .evidence = "reply '550 no'",
                          .since = ledger.today.now};
    (void)constraints.Put(cause, {made});
    return made;
  }
  std::vector<std::string> Rules() {
    std::vector<std::string> rules;
    const auto in_force = constraints.List(ledger.today.now);
    for (const Constraint& one : in_force->constraints) rules.push_back(one.rule);
    return rules;
  }
  WarmupOrder Resume(const std::string& provider = "") {
    return {.kind = WarmupOrder::Kind::kResume, .source = "ip-1", .provider = provider, .reason = "they took it off", .actor = "ada"};
  }

  FakeClock clock;
  CapturingSink sink;
  Logger log{sink, clock, "scheduler"};
  FakeWarmupLedger ledger;
  FakeWarmupStore store;
  FakeConstraintStore constraints;
  FakeEventInbox events;
  FakeLiveState live;
  FakeAuditStore audit_store;
  AuditTrail audit{audit_store, clock, log};
  WarmupAdmin admin{ledger, store, constraints, events, live, audit};
};

TEST_F(WarmupOrders, ResumeEndsTheSuspensionAndWhatRefusalsSuspendedThere) {
  Held(ConstraintCause::kAutomation, {.source = "ip-1", .provider = "google"}, "google_blocks_source");
  Held(ConstraintCause::kAutomation, {.source = "ip-1", .provider = "comcast", .site = "mx.comcast.net"}, "comcast_blocks");
  Held(ConstraintCause::kAutomation, {.source = "ip-1"}, "whole_source");
  Held(ConstraintCause::kAutomation, {.source = "ip-1", .provider = "google"}, "google_rate", {.rate = Rate{.count = 10, .per = std::chrono::minutes(1)}});
  Held(ConstraintCause::kAutomation, {.source = "ip-1", .tenant = "shop"}, "of_a_tenant");
  Held(ConstraintCause::kAutomation, {.source = "ip-2", .provider = "google"}, "of_another");
  Held(ConstraintCause::kHealth, {.source = "ip-1", .provider = "google"}, "of_health");
  const auto one = admin.Update(Resume("google"));
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_THAT(Rules(), ElementsAre("comcast_blocks", "whole_source", "google_rate", "of_a_tenant", "of_another", "of_health"));
  EXPECT_FALSE(store.states[0].suspended_until.has_value());
  EXPECT_TRUE(store.states[1].suspended_until.has_value()) << "the other provider's stays";
  ASSERT_TRUE(admin.Update(Resume()).ok());
  EXPECT_THAT(Rules(), ElementsAre("google_rate", "of_a_tenant", "of_another", "of_health"));
  EXPECT_FALSE(store.states[1].suspended_until.has_value());
  EXPECT_EQ(ledger.limits.back().stopped_until, Instant()) << "the ledger grants again";
}

TEST_F(WarmupOrders, ResumeIsRecordedWithWhatItOverruled) {
  Held(ConstraintCause::kAutomation, {.source = "ip-1", .provider = "google"}, "google_blocks_source");
  ASSERT_TRUE(admin.Update(Resume("google")).ok());
  const storage::WarmupStateRow& state = store.states[0];
  EXPECT_EQ(state.evidence_day, kDay + 1) << "the day is not judged";
  EXPECT_EQ(state.resumed_at, ledger.today.now);
  EXPECT_EQ(state.suspensions, 0);
  EXPECT_FALSE(state.until_delisted);
  ASSERT_EQ(store.events.size(), 1u);
  EXPECT_EQ(store.events[0].actor, "ada");
  EXPECT_EQ(store.events[0].evidence, "they took it off; lifts google_blocks_source: reply '550 no'");
  ASSERT_EQ(events.notes.size(), 1u);
  EXPECT_EQ(events.notes[0].kind, "warmup_judged");
  EXPECT_THAT(events.notes[0].detail, HasSubstr("order (resume): stage 1 to 1; they took it off; lifts google_blocks_source"));
  ASSERT_EQ(audit_store.entries.size(), 1u);
  EXPECT_EQ(audit_store.entries[0].actor, "ada");
}

TEST_F(WarmupOrders, WhoDoesNotActOnItYetIsNamedOnce) {
  Held(ConstraintCause::kAutomation, {.source = "ip-1", .provider = "google"}, "google_blocks_source");
  live.missing = {"egress mta2"};
  const auto answer = admin.Update(Resume());
  ASSERT_TRUE(answer.ok());
  EXPECT_THAT(answer->not_acknowledged, ElementsAre("egress mta2"));
}

TEST_F(WarmupOrders, OtherOrdersLiftNothing) {
  Held(ConstraintCause::kAutomation, {.source = "ip-1", .provider = "google"}, "google_blocks_source");
  ASSERT_TRUE(admin.Update({.kind = WarmupOrder::Kind::kHold, .source = "ip-1", .reason = "wait", .actor = "ada"}).ok());
  EXPECT_THAT(Rules(), ElementsAre("google_blocks_source"));
  EXPECT_TRUE(store.states[0].suspended_until.has_value());
  EXPECT_TRUE(absl::IsNotFound(admin.Update({.kind = WarmupOrder::Kind::kResume, .source = "ip-9", .actor = "ada"}).status()));
}

}  // namespace
}  // namespace sluice::scheduler
