// The stores beside the path of a message.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "storage/assignment_store.h"
#include "storage/audit_store.h"
#include "storage/connection_pool.h"
#include "storage/entry_store.h"
#include "storage/event_store.h"
#include "storage/key_store.h"
#include "storage/owner.h"
#include "storage/pending_store.h"
#include "storage/policy_store.h"
#include "storage/route_store.h"
#include "storage/share_store.h"

namespace sluice::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class StoresTest : public OwnerTest {
 protected:
  void SetUp() override {
    OwnerTest::SetUp();
    if (!IsSkipped()) pool_ = std::make_unique<ConnectionPool>(options(), 2);
  }
  void TearDown() override {
    pool_.reset();
    OwnerTest::TearDown();
  }

  std::unique_ptr<ConnectionPool> pool_;
};

// ---- pool -------------------------------------------------------------------------------------

TEST_F(StoresTest, ThePoolReplacesAConnectionThatDiedWhileIdle) {
  ASSERT_TRUE(pool_->Ping().ok());
  Exec(
      "select pg_terminate_backend(pid) from pg_stat_activity"
      " where datname = current_database() and pid <> pg_backend_pid()");
  const absl::Status status = pool_->Ping();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(StoresTest, AnUnreachableServerIsUnavailable) {
  ConnectionPool nowhere({.url = "host=/nonexistent dbname=x"}, 1);
  EXPECT_TRUE(absl::IsUnavailable(nowhere.Ping()));
  EXPECT_TRUE(absl::IsUnavailable(nowhere.Ping())) << "the slot comes back";
}

// ---- pending ----------------------------------------------------------------------------------

TEST_F(StoresTest, PendingIsSummedOverShardsAndTheLastOwnerIsRight) {
  const auto store = MakePendingStore(*pool_);
  ASSERT_TRUE(store->Sum().ok());
  EXPECT_EQ(store->Sum()->counted_at, Instant());
  const Instant early = FromMicros(1'800'000'000'000'000), late = early + std::chrono::seconds(1);
  ASSERT_TRUE(store->Put({{.shard = 1, .epoch = 7, .tenant = "", .counted_at = late},
                          {.shard = 1, .epoch = 7, .tenant = "shop", .entries = 5, .counted_at = late},
                          {.shard = 2, .epoch = 7, .tenant = "", .counted_at = early},
                          {.shard = 2, .epoch = 7, .tenant = "shop", .entries = 3, .counted_at = early}})
                  .ok());
  // An owner that is none any more, late with its count.
  ASSERT_TRUE(store->Put({{.shard = 1, .epoch = 6, .tenant = "shop", .entries = 50, .counted_at = late}}).ok());
  const auto sum = store->Sum();
  ASSERT_TRUE(sum.ok()) << sum.status();
  EXPECT_EQ(sum->entries.at("shop"), 8);
  EXPECT_EQ(sum->counted_at, early) << "as old as the oldest";
}

TEST_F(StoresTest, SharesAreGivenOutOnceAndComeBackWithTheLease) {
  const auto store = MakeShareStore(*pool_);
  const std::map<std::string, ShareTerms> limits = {{"tenant=shop per 1s", {.rate = {10, std::chrono::seconds(1)}}}};
  const std::string key = limits.begin()->first;
  // What it has now.
  const auto exchange = [&](const std::string& who, std::optional<int64_t> lowered, Duration lease) {
    const auto own = store->Exchange({who}, {{.holder = who, .rate_key = key, .used = 0, .wants = true, .lowered_to = lowered}}, {key}, lease);
    EXPECT_EQ(own->size(), 1u);
    EXPECT_EQ(own->at(0).row.holder, who);
    return own->at(0).row.most;
  };
  const Duration longer = std::chrono::minutes(1);
  EXPECT_EQ(exchange("a", {}, longer), 0);
  ASSERT_TRUE(store->Plan(limits).ok());
  EXPECT_EQ(exchange("a", {}, longer), 10);
  EXPECT_EQ(exchange("b", {}, longer), 0);
  ASSERT_TRUE(store->Plan(limits).ok());
  EXPECT_EQ(exchange("b", {}, longer), 0) << "nothing is free yet";
  EXPECT_EQ(exchange("a", 5, longer), 5) << "come down as it was told to";
  ASSERT_TRUE(store->Plan(limits).ok());
  EXPECT_EQ(exchange("b", {}, Duration(0)), 5);
  // Its lease is over at once, and its interval after a second.
  Exec("update rate_share set lease_until = clock_timestamp() - interval '5 seconds' where scheduler = 'b' and rate_key = ''");
  ASSERT_TRUE(store->Plan(limits).ok());
  EXPECT_EQ(exchange("a", {}, longer), 10);
  ASSERT_TRUE(store->Plan({}).ok());
  EXPECT_TRUE(store->Exchange({"a"}, {}, {key}, longer)->empty()) << "a limit that is gone leaves nothing";
}

TEST_F(StoresTest, SeveralHoldersTellAndAreAnsweredTogether) {
  const auto store = MakeShareStore(*pool_);
  const std::map<std::string, ShareTerms> limits = {{"pool=warm connections", {.rate = {6, std::chrono::seconds(60)}, .is_even = false}}};
  const std::string key = limits.begin()->first;
  const std::vector<std::string> holders = {"egress e1/0", "egress e1/1"};
  std::vector<ShareUse> uses;
  for (const std::string& holder : holders) uses.push_back({.holder = holder, .rate_key = key, .used = 0, .wants = true});
  const Duration lease = std::chrono::minutes(1);
  ASSERT_TRUE(store->Exchange(holders, uses, {key}, lease).ok());
  ASSERT_TRUE(store->Plan(limits).ok());
  const auto own = store->Exchange(holders, {}, {key}, lease);
  ASSERT_TRUE(own.ok()) << own.status();
  ASSERT_EQ(own->size(), 2u);
  for (const OwnShare& share : *own) EXPECT_EQ(share.row.most, 3) << share.row.holder;
  // Those whose connections may go on keep all of theirs back.
  Exec("update rate_share set lease_until = clock_timestamp() - interval '50 seconds' where scheduler = 'egress e1/1' and rate_key = ''");
  ASSERT_TRUE(store->Plan(limits).ok());
  EXPECT_EQ(store->Exchange({holders[0]}, {}, {key}, lease)->at(0).row.most, 3);
  Exec("update rate_share set lease_until = clock_timestamp() - interval '61 seconds' where scheduler = 'egress e1/1' and rate_key = ''");
  ASSERT_TRUE(store->Plan(limits).ok());
  EXPECT_EQ(store->Exchange({holders[0]}, {}, {key}, lease)->at(0).row.most, 6);
}

// ---- policy -----------------------------------------------------------------------------------

PolicyChange MakeChange(int64_t base) {
  PolicyChange change{
      .base_revision = base, .author = "eva", .reason = "start", .document_json = "{}"};
  change.projection.sources = {
      {.name = "a", .address = "192.0.2.1", .bind = "10.0.0.1", .ehlo = "a.example"},
      {.name = "b", .address = "192.0.2.2", .bind = "192.0.2.2", .ehlo = "b.example"}};
  change.projection.pools = {{.name = "warm"}, {.name = "new", .overflow = "warm"}};
  change.projection.members = {{.pool = "warm", .source = "a", .weight = 2},
                               {.pool = "new", .source = "b", .weight = 0, .reserve = true}};
  return change;
}

TEST_F(StoresTest, APolicyIsAppliedWithItsProjection) {
  auto policies = MakePolicyStore(*pool_);
  EXPECT_FALSE(policies->Current()->has_value());
  EXPECT_EQ(*policies->CurrentRevision(), 0);

  EXPECT_EQ(*policies->Apply(MakeChange(0), kNow), 1);
  PolicyChange second = MakeChange(1);
  second.document_json = R"({"x":1})";
  second.projection.pools.pop_back();
  second.projection.members.pop_back();
  EXPECT_EQ(*policies->Apply(second, kNow), 2);

  const StoredPolicy current = **policies->Current();
  EXPECT_EQ(current.revision.revision, 2);
  EXPECT_EQ(current.revision.author, "eva");
  EXPECT_EQ(current.revision.applied_at, kNow);
  EXPECT_EQ(current.document_json, R"({"x":1})");
  EXPECT_EQ(policies->Get(1)->document_json, "{}");
  EXPECT_TRUE(absl::IsNotFound(policies->Get(3).status()));
  EXPECT_EQ(policies->History(0, 10)->size(), 2u);
  EXPECT_EQ(policies->History(2, 10)->at(0).revision, 1);
  EXPECT_EQ(Query("select string_agg(pool || source || weight || reserve, ' ') from pool_member"),
            "warma2false");
  EXPECT_EQ(Query("select string_agg(name || bind, ' ' order by name) from egress_source"),
            "a10.0.0.1 b192.0.2.2");
}

TEST_F(StoresTest, APolicyEditedFromAnOldRevisionIsAborted) {
  auto policies = MakePolicyStore(*pool_);
  ASSERT_TRUE(policies->Apply(MakeChange(0), kNow).ok());
  ASSERT_TRUE(policies->Apply(MakeChange(1), kNow).ok());
  EXPECT_TRUE(absl::IsAborted(policies->Apply(MakeChange(1), kNow).status()));
  EXPECT_EQ(*policies->CurrentRevision(), 2);
}

TEST_F(StoresTest, OfTwoWhoEditTheSameRevisionOneWins) {
  auto policies = MakePolicyStore(*pool_);
  ASSERT_TRUE(policies->Apply(MakeChange(0), kNow).ok());
  std::atomic<int> won = 0, lost = 0;
  const auto apply = [&] {
    const auto applied = policies->Apply(MakeChange(1), kNow);
    applied.ok() ? ++won : ++lost;
    EXPECT_TRUE(applied.ok() || absl::IsAborted(applied.status())) << applied.status();
  };
  std::thread other(apply);
  apply();
  other.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, 1);
}

TEST_F(StoresTest, AProjectionThatContradictsItselfChangesNothing) {
  auto policies = MakePolicyStore(*pool_);
  PolicyChange stranger = MakeChange(0), twice = MakeChange(0), heavy = MakeChange(0);
  stranger.projection.members[0].source = "zz";
  twice.projection.sources.push_back(twice.projection.sources[0]);
  heavy.projection.members[0].weight = 1001;
  for (const PolicyChange& bad : {stranger, twice, heavy}) {
    EXPECT_TRUE(absl::IsInvalidArgument(policies->Apply(bad, kNow).status()));
  }
  EXPECT_EQ(*policies->CurrentRevision(), 0);
}

// ---- keys -------------------------------------------------------------------------------------

TEST_F(StoresTest, KeysAreListedPerTenantAndRevokedOnce) {
  auto keys = MakeKeyStore(*pool_);
  const std::string hash = std::string(31, '\0') + "\xff";
  for (const char* id : {"k1", "k2", "k3"}) {
    ASSERT_TRUE(keys->Create({.id = id,
                              .tenant = id[1] == '3' ? "news" : "shop",
                              .label = "l",
                              .secret_hash = hash,
                              .created_at = kNow})
                    .ok());
  }
  EXPECT_TRUE(
      absl::IsAlreadyExists(keys->Create({.id = "k1", .tenant = "x", .secret_hash = hash})));
  EXPECT_TRUE(
      absl::IsInvalidArgument(keys->Create({.id = "k4", .tenant = "x", .secret_hash = "short"})));

  EXPECT_EQ(keys->List("shop", "", 10)->size(), 2u);
  EXPECT_EQ(keys->List("", "k1", 1)->at(0).id, "k2");
  EXPECT_EQ(keys->Revoke("k2", kNow + kLease)->revoked_at, kNow + kLease);
  EXPECT_EQ(keys->Revoke("k2", kNow + 2 * kLease)->revoked_at, kNow + kLease);
  EXPECT_TRUE(absl::IsNotFound(keys->Revoke("k9", kNow).status()));

  const std::vector<ApiKey> all = *keys->LoadAll();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[1].revoked_at, kNow + kLease);
  EXPECT_EQ(all[0].secret_hash, hash);
  EXPECT_EQ(all[0].created_at, kNow);

  EXPECT_TRUE(all[0].limits.none());
  const KeyLimits limits{.messages_per_second = 10, .bytes_per_second = 1'000'000, .message_bytes = 50'000};
  EXPECT_EQ(keys->SetLimits("k1", limits)->limits, limits);
  EXPECT_EQ(keys->LoadAll()->at(0).limits, limits);
  EXPECT_TRUE(absl::IsNotFound(keys->SetLimits("k9", limits).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(keys->SetLimits("k1", {.message_bytes = -1}).status()));
}

// ---- assignments ------------------------------------------------------------------------------

TEST_F(StoresTest, ASourceIsClaimedByOneEgressUntilItsLeaseEnds) {
  auto assignments = MakeAssignmentStore(*pool_);
  const auto first = assignments->Claim("east", {"b", "a", "a"}, kLease);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->size(), 2u);
  EXPECT_EQ(first->at(0).epoch, 1);

  EXPECT_THAT(*assignments->Claim("west", {"a"}, kLease), IsEmpty());
  EXPECT_EQ(assignments->Claim("east", {"a"}, kLease)->at(0).epoch, 2);
  EXPECT_THAT(*assignments->Renew("east", {{"a", 1}, {"b", 1}}, kLease), ElementsAre("b"));
  EXPECT_TRUE(*assignments->SetState("a", 2, "bind_failed", "EADDRNOTAVAIL"));
  EXPECT_FALSE(*assignments->SetState("a", 1, "bound", ""));
  EXPECT_TRUE(absl::IsInvalidArgument(assignments->SetState("a", 2, "strange", "").status()));
  EXPECT_EQ(assignments->List()->at(0).detail, "EADDRNOTAVAIL");

  ASSERT_TRUE(assignments->Release({{"a", 2}, {"b", 7}}).ok());
  EXPECT_TRUE(assignments->List()->at(0).expired);
  EXPECT_FALSE(assignments->List()->at(1).expired);
  const auto moved = assignments->Claim("west", {"a", "b"}, kLease);
  ASSERT_EQ(moved->size(), 1u);
  EXPECT_EQ(moved->at(0).epoch, 3);
  EXPECT_EQ(moved->at(0).state, "assigned");
  EXPECT_EQ(moved->at(0).detail, "");
}

// ---- routes -----------------------------------------------------------------------------------

TEST_F(StoresTest, RoutesKeepTheNewestResolution) {
  auto routes = MakeRouteStore(*pool_);
  ASSERT_TRUE(
      routes
          ->Upsert(
              {{.domain = "x.example", .site = "old", .provider = "other", .resolved_at = kNow},
               {.domain = "x.example",
                .site = "new",
                .provider = "google",
                .resolved_at = kNow + kLease}})
          .ok());
  ASSERT_TRUE(routes->Upsert({{.domain = "x.example", .site = "older", .resolved_at = kNow}}).ok());
  const std::vector<DomainRoute> loaded = *routes->Load({"x.example", "y.example"});
  ASSERT_EQ(loaded.size(), 1u);
  EXPECT_EQ(loaded[0].site, "new");
  EXPECT_EQ(loaded[0].provider, "google");
  EXPECT_EQ(loaded[0].resolved_at, kNow + kLease);
}

// ---- audit ------------------------------------------------------------------------------------

TEST_F(StoresTest, TheAuditLogReadsBackwards) {
  auto audit = MakeAuditStore(*pool_);
  for (const char* method : {"Suspend", "Resume", "Apply"}) {
    ASSERT_TRUE(audit->Append({.at = kNow, .actor = "eva", .method = method}).ok());
  }
  const std::vector<AuditEntry> newest = *audit->List(0, 2);
  ASSERT_EQ(newest.size(), 2u);
  EXPECT_EQ(newest[0].method, "Apply");
  EXPECT_EQ(audit->List(newest[1].id, 10)->at(0).method, "Suspend");
}

// ---- queue entries ----------------------------------------------------------------------------

TEST_F(StoresTest, TellsWhatWaitsOfAMessageAndOfAll) {
  const std::vector<int64_t> ids = Accept(2, 2, 3);
  Settlement hold = End(ids[1]);
  hold.change = Settlement::Change::kHold;
  hold.held = "why";
  ASSERT_TRUE(settler_->Settle({Take(2)}, {End(ids[0]), hold}).ok());
  ASSERT_TRUE(
      MakeRouteStore(*pool_)
          ->Upsert(
              {{.domain = "example.net", .site = "s", .provider = "google", .resolved_at = kNow}})
          .ok());
  auto entries = MakeEntryStore(*pool_);

  const std::vector<QueueEntryRow> rows = *entries->ByMessage(ids[0]);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].id, ids[1]);
  EXPECT_EQ(rows[0].recipient, "user1@example.net");
  EXPECT_EQ(rows[0].held, "why");
  EXPECT_EQ(rows[0].provider, "google");
  EXPECT_EQ(rows[0].metadata_json, R"({"order":"17"})");
  EXPECT_EQ(rows[1].due_at, kNow);

  EXPECT_EQ(entries->List({}, 0, 100)->size(), 5u);
  EXPECT_EQ(entries->List({}, ids[3], 1)->at(0).id, ids[4]);
  EXPECT_EQ(entries->List({.only_held = true}, 0, 100)->size(), 1u);
  EXPECT_THAT(*entries->List({.provider = "yahoo"}, 0, 100), IsEmpty());
  EXPECT_EQ(entries->List({.tenant = "shop", .stream = "marketing", .provider = "google"}, 0, 100)
                ->size(),
            5u);

  const std::vector<QueueGroup> groups = *entries->Summarize({}, "provider", 10);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].name, "google");
  EXPECT_EQ(groups[0].entries, 5);
  EXPECT_EQ(groups[0].oldest_accepted_at, kNow);
  EXPECT_TRUE(absl::IsInvalidArgument(entries->Summarize({}, "recipient; drop table", 1).status()));
  EXPECT_EQ(Query("select (provider, stream, entries)::text from queue_by_provider"),
            "(google,marketing,5)");
}

// ---- events -----------------------------------------------------------------------------------

TEST_F(StoresTest, EventsAreReadInOrderPageByPage) {
  const std::vector<int64_t> ids = Accept(2, 3);
  Settlement defer = Defer(ids[0], 1);
  defer.reply = "come back";
  ASSERT_TRUE(
      settler_->Settle({Take(2)}, {defer, End(ids[1], 2), End(ids[0], 3), End(ids[2], 4)}).ok());
  Exec(Cat("update event set tenant = 'news' where queue_entry_id = ", ids[2]));
  auto events = MakeEventStore(*pool_);

  const EventPage first = *events->Read(2, 0, 2, "");
  ASSERT_EQ(first.events.size(), 2u);
  EXPECT_EQ(first.scanned_to, 2);
  EXPECT_EQ(first.events[0].kind, "deferred");
  EXPECT_EQ(first.events[0].reply, "come back");
  EXPECT_EQ(first.events[0].due_at, defer.due_at);
  EXPECT_EQ(first.events[0].occurred_at, kNow);
  EXPECT_EQ(first.events[0].metadata_json, R"({"order":"17"})");
  EXPECT_EQ(first.events[1].attempt_id, 2);
  EXPECT_EQ(events->Read(2, 2, 10, "")->events.size(), 2u);

  const EventPage foreign = *events->Read(2, 2, 10, "shop");
  ASSERT_EQ(foreign.events.size(), 1u);
  EXPECT_EQ(foreign.scanned_to, 4) << "the event of another tenant is passed";
  EXPECT_THAT(events->Read(2, 0, 10, "nobody")->events, IsEmpty());
  EXPECT_EQ(events->Read(2, 0, 10, "nobody")->scanned_to, 4);
  EXPECT_EQ(events->Read(2, 4, 10, "")->scanned_to, 4);

  const std::vector<StoredEvent> history = *events->ByMessage(ids[0], 10);
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[1].kind, "delivered");
  EXPECT_EQ(events->LastSeqs()->at(2), ShardSeq(2, 4));
  EXPECT_EQ(events->LastSeqs()->at(3), ShardSeq(3, 0));
  EXPECT_EQ(events->OldestSeqs()->at(2), ShardSeq(2, 1));
  EXPECT_EQ(events->OldestSeqs()->at(3), ShardSeq(3, 1));
  EXPECT_EQ(events->LastSeqs()->size(), 16u);
}

}  // namespace
}  // namespace sluice::storage
