// Policy, keys and status against stores in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "scheduler/admin/keys.h"
#include "scheduler/admin/policy.h"
#include "scheduler/admin/status.h"
#include "unit/admin/fakes.h"
#include "unit/policy/example_policy.h"
#include "wire/policy_convert.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace sluice::testing;

struct Rig {
  PolicyOrder Order(int64_t base = 0) {
    PolicyOrder order;
    order.document = ExamplePolicy();
    order.document_json = *wire::PolicyDocumentToJson(order.document);
    order.base_revision = base;
    order.author = "ada";
    order.reason = "why not";
    return order;
  }
  FakeClock clock;
  CapturingSink sink;
  Logger log{sink, clock, "scheduler"};
  FakePolicyStore policies;
  FakeKeyStore key_store;
  FakeAuditStore audit_store;
  FakeAssignmentStore assignments;
  FakeEntryStore entries;
  FakeNodeStore nodes;
  FakeLiveState live;
  std::vector<storage::Lease> leases;
  AuditTrail audit{audit_store, clock, log};
  PolicyAdmin policy{policies, live, audit, clock};
  KeyAdmin keys{key_store, [](const std::string& tenant) { return tenant == "shop"; }, live, audit,
                clock};
  StatusAdmin status{policies,
                     assignments,
                     entries,
                     nodes,
                     [this] { return leases; },
                     [](const std::string& json) { return wire::PolicyDocumentFromJson(json); },
                     live,
                     clock};
};

// ---- policy ----

TEST(PolicyAdminTest, StoresProjectsAndWaits) {
  Rig rig;
  rig.live.missing = {"egress mta2"};
  const auto applied = rig.policy.Apply(rig.Order());
  ASSERT_TRUE(applied.ok());
  EXPECT_EQ(applied->revision, 1);
  EXPECT_THAT(applied->not_acknowledged, ElementsAre("egress mta2"));
  EXPECT_EQ(rig.live.awaited, 1);
  EXPECT_THAT(rig.policies.last.projection.sources, SizeIs(3));
  EXPECT_THAT(rig.policies.last.projection.members, SizeIs(3));
  EXPECT_EQ(rig.policies.last.projection.members[0].weight, 2);
  ASSERT_THAT(rig.audit_store.entries, SizeIs(1));
  EXPECT_EQ(rig.audit_store.entries[0].actor, "ada");
  EXPECT_EQ(rig.audit_store.entries[0].method, "ApplyPolicy");
}

TEST(PolicyAdminTest, AnErrorIsAFieldViolationAndStoresNothing) {
  Rig rig;
  PolicyOrder order = rig.Order();
  order.findings = {{"pools[1].members[0].weight", "-1 is out of bounds; write 0 to 1000", true},
                    {"routes[0]", "never reached", false}};
  const auto applied = rig.policy.Apply(order);
  EXPECT_TRUE(absl::IsInvalidArgument(applied.status()));
  EXPECT_THAT(wire::FieldViolationsOf(applied.status()),
              ElementsAre(wire::FieldViolation{"policy.pools[1].members[0].weight",
                                               "-1 is out of bounds; write 0 to 1000"}));
  EXPECT_EQ(*rig.policies.CurrentRevision(), 0);
}

TEST(PolicyAdminTest, WarningsDoNotStopIt) {
  Rig rig;
  PolicyOrder order = rig.Order();
  order.findings = {{"routes[0]", "never reached", false}};
  const auto applied = rig.policy.Apply(order);
  ASSERT_TRUE(applied.ok());
  EXPECT_THAT(applied->warnings, SizeIs(1));
}

TEST(PolicyAdminTest, AStaleBaseIsAborted) {
  Rig rig;
  ASSERT_TRUE(rig.policy.Apply(rig.Order()).ok());
  ASSERT_TRUE(rig.policy.Apply(rig.Order(1)).ok());
  EXPECT_TRUE(absl::IsAborted(rig.policy.Apply(rig.Order(1)).status()));
  EXPECT_TRUE(rig.policy.Apply(rig.Order(0)).ok());
}

TEST(PolicyAdminTest, OnlyTheControlOwnerTakesOrders) {
  Rig rig;
  rig.live.control = false;
  rig.live.endpoint = "10.0.0.2:7103";
  const absl::Status status = rig.policy.Apply(rig.Order()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(wire::ErrorReasonOf(status),
            (wire::ErrorReason{"NOT_ACTIVE", {{"endpoint", "10.0.0.2:7103"}}}));
  EXPECT_TRUE(absl::IsFailedPrecondition(rig.keys.Create({"shop", "", ""}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(rig.keys.Revoke("x", "").status()));
  rig.live.endpoint.clear();
  EXPECT_EQ(wire::ErrorReasonOf(rig.policy.Apply(rig.Order()).status()),
            (wire::ErrorReason{"NOT_ACTIVE", {}}));
}

TEST(PolicyAdminTest, AnOrderStandsThoughItsAuditRecordFails) {
  Rig rig;
  rig.audit_store.failure = absl::UnavailableError("away");
  EXPECT_TRUE(rig.policy.Apply(rig.Order()).ok());
  EXPECT_THAT(rig.sink.Text(), HasSubstr("event=audit_not_stored"));
}

TEST(PolicyAdminTest, ADatabaseThatIsAwayIsUnavailable) {
  Rig rig;
  rig.policies.failure = absl::UnavailableError("away");
  EXPECT_TRUE(absl::IsUnavailable(rig.policy.Apply(rig.Order()).status()));
  EXPECT_TRUE(absl::IsUnavailable(rig.status.Get().status()));
}

TEST(PolicyAdminTest, ReadsTheCurrentAndTheEarlierOnes) {
  Rig rig;
  EXPECT_TRUE(absl::IsNotFound(rig.policy.Get(0).status()));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(rig.policy.Apply(rig.Order()).ok());
  EXPECT_EQ(rig.policy.Get(0)->revision.revision, 5);
  EXPECT_EQ(rig.policy.Get(2)->revision.revision, 2);
  EXPECT_TRUE(absl::IsNotFound(rig.policy.Get(6).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(rig.policy.Get(-1).status()));
}

TEST(PolicyAdminTest, HistoryComesInPagesNewestFirst) {
  Rig rig;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(rig.policy.Apply(rig.Order()).ok());
  std::vector<int64_t> seen;
  Page page{2, ""};
  for (int i = 0; i < 10; ++i) {
    const auto part = rig.policy.History(page);
    ASSERT_TRUE(part.ok());
    for (const auto& revision : part->revisions) seen.push_back(revision.revision);
    if (part->next_page_token.empty()) break;
    page.after = part->next_page_token;
  }
  EXPECT_THAT(seen, ElementsAre(5, 4, 3, 2, 1));
  EXPECT_TRUE(absl::IsInvalidArgument(rig.policy.History({2, "x"}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(rig.policy.History({-2, ""}).status()));
}

// ---- keys ----

TEST(KeyAdminTest, TheSecretIsShownOnceAndOnlyItsHashIsStored) {
  Rig rig;
  const auto created = rig.keys.Create({"shop", "web shop", "ada"});
  ASSERT_TRUE(created.ok());
  EXPECT_THAT(created->secret,
              ::testing::MatchesRegex("slk_[0-9a-hjkmnp-z]{10}_[A-Za-z0-9_-]{43}"));
  const storage::ApiKey& stored = rig.key_store.keys.at(created->key.id);
  EXPECT_EQ(stored.secret_hash.size(), 32U);
  EXPECT_EQ(created->secret.substr(4, 10), stored.id);
  EXPECT_EQ(stored.label, "web shop");
  EXPECT_THAT(rig.audit_store.entries[0].request, Not(HasSubstr(created->secret)));
  EXPECT_THAT(rig.sink.Text(), Not(HasSubstr(created->secret)));
}

TEST(KeyAdminTest, AKeyIsItsRandomBytes) {
  std::array<unsigned char, kKeySeedBytes> random{};
  for (size_t i = 0; i < random.size(); ++i) random[i] = static_cast<unsigned char>(i);
  const MintedKey key = MintKey(random);
  EXPECT_EQ(key.secret, "slk_0123456789_CgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCk");
  // sha256sum of that text: keys that were given out must stay valid.
  EXPECT_EQ(key.hash.substr(0, 4), "\xd1\x88\x6b\x40");
  random[41] ^= 1;
  EXPECT_NE(MintKey(random).hash, key.hash);
}

TEST(KeyAdminTest, EverySecretIsDifferent) {
  Rig rig;
  std::set<std::string> secrets;
  for (int i = 0; i < 100; ++i) secrets.insert(rig.keys.Create({"shop", "", ""})->secret);
  EXPECT_THAT(secrets, SizeIs(100));
}

TEST(KeyAdminTest, AnIdThatIsTakenIsDrawnAgain) {
  Rig rig;
  rig.key_store.collisions = 2;
  EXPECT_TRUE(rig.keys.Create({"shop", "", ""}).ok());
  rig.key_store.collisions = 3;
  EXPECT_TRUE(absl::IsAlreadyExists(rig.keys.Create({"shop", "", ""}).status()));
}

TEST(KeyAdminTest, NamesTheFieldThatIsWrong) {
  Rig rig;
  EXPECT_EQ(wire::FieldViolationsOf(rig.keys.Create({"", "", ""}).status())[0].field, "tenant");
  EXPECT_EQ(wire::FieldViolationsOf(rig.keys.Create({"shpo", "", ""}).status())[0].field, "tenant");
  EXPECT_EQ(
      wire::FieldViolationsOf(rig.keys.Create({"shop", std::string(129, 'x'), ""}).status())[0]
          .field,
      "label");
  EXPECT_EQ(wire::FieldViolationsOf(rig.keys.Create({"shop", "a\nb", ""}).status())[0].field,
            "label");
  EXPECT_EQ(wire::FieldViolationsOf(rig.keys.Revoke("", "").status())[0].field, "key_id");
  EXPECT_THAT(rig.key_store.keys, IsEmpty());
}

TEST(KeyAdminTest, AKeyMayBeForTheEventsOfAll) {
  Rig rig;
  const auto created = rig.keys.Create({"*", "", "ada"});
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(rig.key_store.keys.at(created->key.id).tenant, "*");
}

TEST(KeyAdminTest, LimitsAreSetReplacedAndRecorded) {
  Rig rig;
  const auto created = rig.keys.Create({"shop", "", "ada", {.messages_per_second = 5}});
  ASSERT_TRUE(created.ok()) << created.status();
  const std::string id = created->key.id;
  EXPECT_EQ(rig.key_store.keys.at(id).limits.messages_per_second, 5);
  const auto limited = rig.keys.Limit(id, {.bytes_per_second = 7, .message_bytes = 9}, "ada");
  ASSERT_TRUE(limited.ok()) << limited.status();
  EXPECT_EQ(limited->limits, (storage::KeyLimits{.bytes_per_second = 7, .message_bytes = 9}));
  EXPECT_EQ(rig.key_store.keys.at(id).limits, limited->limits);
  ASSERT_FALSE(rig.audit_store.entries.empty());
  EXPECT_EQ(rig.audit_store.entries.back().method, "LimitApiKey");
  EXPECT_EQ(rig.audit_store.entries.back().actor, "ada");
  EXPECT_TRUE(absl::IsNotFound(rig.keys.Limit("nobody", {}, "ada").status()));
  EXPECT_EQ(wire::FieldViolationsOf(rig.keys.Limit("", {}, "ada").status())[0].field, "key_id");
  EXPECT_EQ(wire::FieldViolationsOf(rig.keys.Limit(id, {.message_bytes = -1}, "ada").status())[0].field,
            "limits.message_bytes");
}

TEST(KeyAdminTest, RevokesOnceAndForAll) {
  Rig rig;
  const std::string id = rig.keys.Create({"shop", "", ""})->key.id;
  const auto first = rig.keys.Revoke(id, "ada");
  ASSERT_TRUE(first.ok());
  rig.clock.Advance(std::chrono::hours(1));
  EXPECT_EQ(rig.keys.Revoke(id, "ada")->revoked_at, first->revoked_at);
  EXPECT_TRUE(absl::IsNotFound(rig.keys.Revoke("nobody", "ada").status()));
}

TEST(KeyAdminTest, ListsInPages) {
  Rig rig;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(rig.keys.Create({"shop", "", ""}).ok());
  std::set<std::string> seen;
  Page page{2, ""};
  for (int i = 0; i < 10; ++i) {
    const auto part = rig.keys.List("", page);
    for (const auto& key : part->keys) EXPECT_TRUE(seen.insert(key.id).second);
    if (part->next_page_token.empty()) break;
    page.after = part->next_page_token;
  }
  EXPECT_THAT(seen, SizeIs(5));
  EXPECT_THAT(rig.keys.List("other", {})->keys, IsEmpty());
}

// ---- status ----

TEST(StatusAdminTest, TellsWhoHoldsWhatAndWhatWaits) {
  Rig rig;
  ASSERT_TRUE(rig.policy.Apply(rig.Order()).ok());
  rig.leases = {{storage::kControlShard, "s1", "h1:1", 5, {}, false},
                {1, "s2", "h2:1", 7, {}, false},
                {0, "s1", "h1:1", 6, {}, false},
                {2, "s3", "h3:1", 8, {}, true}};
  rig.live.snapshot.scheduler_id = "s1";
  rig.live.snapshot.admin_endpoint = "h1:9";
  rig.live.snapshot.entries = 12;
  rig.nodes.nodes = {{"i1", "ingest", "h9:1", 1, {}},
                     {"s1", "scheduler", "h1:1", 1, {}},
                     {"s4", "scheduler", "h4:1", 1, {}}};
  rig.assignments.assignments = {
      {"ip-11", "mta1", 3, {}, {}, "bound", "", false},
      {"ip-12", "mta1", 4, {}, {}, "bind_failed", "Cannot assign", false},
      {"ip-21", "mta2", 2, {}, {}, "bound", "", true}};
  rig.entries.groups = {{"google", 10, {}, {}}};

  const auto status = rig.status.Get();
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->policy_revision, 1);
  ASSERT_THAT(status->shards, SizeIs(3));
  EXPECT_EQ(status->shards[0].owner, "s1");
  EXPECT_EQ(status->shards[1].owner, "s2");
  EXPECT_EQ(status->shards[2].owner, "");
  ASSERT_THAT(status->ingests, SizeIs(1));
  EXPECT_EQ(status->ingests[0].endpoint, "h9:1");
  ASSERT_THAT(status->schedulers, SizeIs(3));
  EXPECT_EQ(status->schedulers[2].id, "s4");
  EXPECT_TRUE(status->schedulers[0].control);
  EXPECT_EQ(status->schedulers[0].endpoint, "h1:9");
  EXPECT_EQ(status->schedulers[0].entries, 12);
  EXPECT_FALSE(status->schedulers[1].entries.has_value());
  ASSERT_THAT(status->sources, SizeIs(3));
  EXPECT_EQ(status->sources[0].state, "bound");
  EXPECT_EQ(status->sources[1].state, "bind_failed");
  EXPECT_EQ(status->sources[1].detail, "Cannot assign");
  EXPECT_EQ(status->sources[2].state, "unassigned");
  EXPECT_EQ(status->sources[2].egress, "");
  EXPECT_EQ(status->queue[0].name, "google");
}

TEST(StatusAdminTest, AnEmptySystemHasAStatusToo) {
  Rig rig;
  rig.live.snapshot.scheduler_id = "s1";
  const auto status = rig.status.Get();
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->policy_revision, 0);
  EXPECT_THAT(status->sources, IsEmpty());
  EXPECT_THAT(status->schedulers, SizeIs(1));
}

TEST(StatusAdminTest, ListsSourcesInPages) {
  Rig rig;
  ASSERT_TRUE(rig.policy.Apply(rig.Order()).ok());
  const auto first = rig.status.ListSources({2, ""});
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(first->sources, SizeIs(2));
  EXPECT_EQ(first->next_page_token, "ip-12");
  const auto rest = rig.status.ListSources({2, "ip-12"});
  EXPECT_THAT(rest->sources, SizeIs(1));
  EXPECT_EQ(rest->next_page_token, "");
}

}  // namespace
}  // namespace sluice::scheduler
