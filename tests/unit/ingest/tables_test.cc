// What ingest reads: refresher, lookups, events.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/event_cursor.h"
#include "ingest/event_reader.h"
#include "ingest/lookup.h"
#include "ingest/refresher.h"
#include "unit/ingest/fake_tables.h"

namespace sluice::ingest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// ---- refresher ----

class RefresherTest : public ::testing::Test {
 protected:
  RefresherTest() {
    table_.leases = {{.shard = -1, .owner = "s1", .endpoint = "s1:1"},
                     {.shard = 0, .owner = "s1", .endpoint = "s1:1"},
                     {.shard = 1,
                      .owner = "s2",
                      .endpoint = "s2:1",
                      .epoch = 0,
                      .expires_at = {},
                      .expired = true},
                     {.shard = 2, .owner = "", .endpoint = ""}};
    policies_.revision = 4;
    policies_.json = "shop";
    storage::ApiKey key;
    key.tenant = "shop";
    const SecretHash hash = HashSecret("secret");
    key.secret_hash.assign(hash.begin(), hash.end());
    keys_.keys = {key};
  }

  FakeLeaseTable table_;
  FakePolicies policies_;
  FakeKeys keys_;
  FakeClock clock_;
  CapturingSink sink_;
  Logger log_{sink_, clock_, "ingest"};
  DirectoryHolder directory_;
  std::vector<int> shards_;
  std::map<int, std::string> owners_;
  Refresher refresher_{
      {.policies = policies_,
       .keys = keys_,
       .open_leases = [this]() -> absl::StatusOr<std::unique_ptr<storage::ShardLeases>> {
         return std::make_unique<FakeLeases>(table_);
       },
       // The document is the name of its one tenant.
       .parse_policy = [](std::string_view json) -> absl::StatusOr<PolicyDocument> {
         if (json == "broken") return absl::InvalidArgumentError("not JSON");
         PolicyDocument policy;
         policy.tenants = {{.name = std::string(json)}};
         return policy;
       }},
      directory_,
      [this](std::vector<int> shards, std::map<int, std::string> owners) {
        shards_ = std::move(shards);
        owners_ = std::move(owners);
      },
      clock_,
      log_};
};

TEST_F(RefresherTest, LearnsShardsOwnersPolicyAndKeys) {
  EXPECT_FALSE(refresher_.ready());
  ASSERT_TRUE(refresher_.Tick().ok());
  EXPECT_TRUE(refresher_.ready());
  EXPECT_THAT(shards_, ElementsAre(0, 1, 2));
  EXPECT_THAT(owners_, ElementsAre(std::pair(0, "s1:1"))) << "an expired lease has no owner";
  EXPECT_EQ(directory_.Get()->revision, 4);
  EXPECT_NE(directory_.Get()->FindTenant(HashSecret("secret")), nullptr);
}

TEST_F(RefresherTest, ReadsThePolicyOnlyWhenItIsNew) {
  ASSERT_TRUE(refresher_.Tick().ok());
  ASSERT_TRUE(refresher_.Tick().ok());
  EXPECT_EQ(policies_.reads, 1);
  policies_.revision = 5;
  policies_.json = "bank";
  ASSERT_TRUE(refresher_.Tick().ok());
  EXPECT_EQ(directory_.Get()->FindTenant(HashSecret("secret")), nullptr) << "its tenant is gone";
}

TEST_F(RefresherTest, RevokedKeysStopWorking) {
  ASSERT_TRUE(refresher_.Tick().ok());
  keys_.keys[0].revoked_at = clock_.Now();
  ASSERT_TRUE(refresher_.Tick().ok());
  EXPECT_EQ(directory_.Get()->FindTenant(HashSecret("secret")), nullptr);
}

TEST_F(RefresherTest, DuringAnOutageWhatWasKnownStays) {
  ASSERT_TRUE(refresher_.Tick().ok());
  table_.failure = absl::UnavailableError("gone");
  keys_.failure = absl::UnavailableError("gone");
  EXPECT_FALSE(refresher_.Tick().ok());
  EXPECT_FALSE(refresher_.ready());
  EXPECT_NE(directory_.Get()->FindTenant(HashSecret("secret")), nullptr);
  EXPECT_THAT(shards_, SizeIs(3));

  table_.failure = keys_.failure = absl::OkStatus();
  EXPECT_TRUE(refresher_.Tick().ok());
  EXPECT_TRUE(refresher_.ready());
  EXPECT_EQ(table_.opened, 2) << "on a new connection";
}

TEST_F(RefresherTest, APolicyThatCannotBeReadChangesNothing) {
  ASSERT_TRUE(refresher_.Tick().ok());
  policies_.revision = 5;
  policies_.json = "broken";
  EXPECT_FALSE(refresher_.Tick().ok());
  EXPECT_EQ(directory_.Get()->revision, 4);
}

TEST_F(RefresherTest, IsNotReadyWithoutShardsOrWithAWrongClock) {
  table_.leases.clear();
  EXPECT_THAT(std::string(refresher_.Tick().message()), HasSubstr("no shards yet"));
  EXPECT_FALSE(refresher_.ready());
  table_.leases = {{.shard = 0, .owner = "", .endpoint = ""}};
  table_.skew = std::chrono::seconds(-2);
  EXPECT_TRUE(refresher_.Tick().ok());
  EXPECT_FALSE(refresher_.ready());
  table_.skew = std::chrono::milliseconds(900);
  EXPECT_TRUE(refresher_.Tick().ok());
  EXPECT_TRUE(refresher_.ready());
}

// ---- lookups ----

class LookupTest : public ::testing::Test {
 protected:
  LookupTest() {
    entries_.Add(10, 10, "shop", "a@example.com");
    entries_.Add(11, 10, "shop", "b@example.com");
    events_.Add(0, "shop", "c@example.com", "delivered", 10);
  }

  FakeEntries entries_;
  FakeEvents events_;
  std::vector<int64_t> asked_;
  absl::Status cancel_failure_;
  Lookup lookup_{entries_, events_,
                 [this](MessageId, const std::vector<int64_t>& ids)
                     -> absl::StatusOr<std::vector<std::pair<int64_t, bool>>> {
                   if (!cancel_failure_.ok()) return cancel_failure_;
                   asked_ = ids;
                   std::vector<std::pair<int64_t, bool>> answers;
                   // Entry 11 has begun.
                   for (const int64_t id : ids) answers.emplace_back(id, id != 11);
                   return answers;
                 }};

  std::vector<std::pair<std::string, bool>> Cancel(const std::vector<std::string>& recipients) {
    const auto outcomes = lookup_.Cancel("shop", MessageId(10), recipients);
    EXPECT_TRUE(outcomes.ok()) << outcomes.status();
    std::vector<std::pair<std::string, bool>> pairs;
    if (outcomes.ok()) {
      for (const Lookup::Cancelled& one : *outcomes)
        pairs.emplace_back(one.recipient, one.cancelled);
    }
    return pairs;
  }
};

TEST_F(LookupTest, TellsEntriesAndEvents) {
  const auto message = lookup_.Get("shop", MessageId(10), 100);
  ASSERT_TRUE(message.ok());
  EXPECT_THAT(message->entries, SizeIs(2));
  EXPECT_THAT(message->events, SizeIs(1));
}

TEST_F(LookupTest, AnotherTenantsMessageDoesNotExist) {
  EXPECT_EQ(lookup_.Get("bank", MessageId(10), 100).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(lookup_.Cancel("bank", MessageId(10), {}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(lookup_.Get("shop", MessageId(11), 100).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(LookupTest, CancelsAllThatWaits) {
  EXPECT_THAT(Cancel({}),
              ElementsAre(std::pair("a@example.com", true), std::pair("b@example.com", false)));
  EXPECT_THAT(asked_, ElementsAre(10, 11));
}

TEST_F(LookupTest, CancelsTheRecipientsNamed) {
  EXPECT_THAT(Cancel({"a@EXAMPLE.com", "c@example.com", "nonsense"}),
              ElementsAre(std::pair("a@EXAMPLE.com", true), std::pair("c@example.com", false),
                          std::pair("nonsense", false)));
  EXPECT_THAT(asked_, ElementsAre(10));
}

TEST_F(LookupTest, AnOwnerThatDoesNotAnswerIsAnError) {
  cancel_failure_ = absl::UnavailableError("no owner");
  EXPECT_EQ(lookup_.Cancel("shop", MessageId(10), {}).status().code(),
            absl::StatusCode::kUnavailable);
}

// ---- events ----

TEST(EventCursorTest, ReadsBackWhatItWrote) {
  for (const EventCursor& cursor :
       {EventCursor{}, EventCursor{{0, 0}}, EventCursor{{0, 127}, {1, 128}, {127, INT64_MAX}}}) {
    EXPECT_EQ(DecodeCursor(EncodeCursor(cursor)).value(), cursor);
  }
}

TEST(EventCursorTest, RefusesWhatIsNoCursor) {
  const std::string good = EncodeCursor({{3, 300}});
  const std::vector<std::string> cases = {"",
                                          "x",
                                          std::string(1, '\2'),
                                          good.substr(0, good.size() - 1),
                                          good + '\x80',
                                          good + good.substr(1),
                                          std::string("\1\x80\x01\x01"),
                                          std::string(40, '\xff'),
                                          std::string("\1") + std::string(12, '\xff')};
  for (const std::string& bytes : cases) EXPECT_FALSE(DecodeCursor(bytes).ok()) << Quoted(bytes);
}

std::vector<std::string> Recipients(const EventReader::Step& step) {
  std::vector<std::string> recipients;
  for (const storage::StoredEvent& event : step.events) recipients.push_back(event.recipient);
  return recipients;
}

TEST(EventReaderTest, GivesTheTenantsEventsInOrderAndOnce) {
  FakeEvents events;
  events.Add(0, "shop", "a");
  events.Add(0, "bank", "x");
  events.Add(0, "shop", "b");
  events.Add(1, "shop", "c");
  EventReader reader(events, "shop", {});
  ASSERT_TRUE(reader.StartAtOldest().ok());
  EXPECT_THAT(Recipients(reader.Read().value()), ElementsAre("a", "b", "c"));
  EXPECT_FALSE(reader.Read()->moved);

  events.Add(0, "shop", "d");
  EventReader later(events, "shop", {});
  ASSERT_TRUE(later.StartAt(reader.cursor()).ok());
  EXPECT_THAT(Recipients(later.Read().value()), ElementsAre("d"));
}

TEST(EventReaderTest, MovesOverWhatTheFilterLeavesOut) {
  FakeEvents events;
  events.Add(0, "shop", "a", "deferred");
  events.Add(0, "shop", "b", "delivered", 7);
  EventReader reader(events, "shop",
                     {.kinds = {"delivered"}, .stream = "", .campaign = "", .message_id = 9});
  ASSERT_TRUE(reader.StartAtOldest().ok());
  const auto step = reader.Read();
  EXPECT_THAT(step->events, IsEmpty());
  EXPECT_TRUE(step->moved);
  EXPECT_EQ(reader.cursor().at(0), 2);

  EventReader other(events, "shop",
                    {.kinds = {"delivered"}, .stream = "news", .campaign = "", .message_id = 7});
  ASSERT_TRUE(other.StartAtOldest().ok());
  EXPECT_THAT(Recipients(other.Read().value()), ElementsAre("b"));
}

TEST(EventReaderTest, StartsWhereItIsTold) {
  FakeEvents events;
  for (int i = 0; i < 5; ++i) events.Add(0, "shop", Cat(i));
  events.DropBelow(0, 3);
  EventReader oldest(events, "shop", {});
  ASSERT_TRUE(oldest.StartAtOldest().ok());
  EXPECT_THAT(Recipients(oldest.Read().value()), ElementsAre("2", "3", "4"));
  EventReader now(events, "shop", {});
  ASSERT_TRUE(now.StartNow().ok());
  EXPECT_FALSE(now.Read()->moved);
  EventReader gone(events, "shop", {});
  ASSERT_TRUE(gone.StartAt({{0, 1}}).ok());
  EXPECT_EQ(gone.Read().status().code(), absl::StatusCode::kOutOfRange);
}

TEST(EventReaderTest, ABusyShardDoesNotStarveTheOthers) {
  FakeEvents events;
  for (int i = 0; i < 2000; ++i) events.Add(0, "shop", "busy");
  events.Add(1, "shop", "quiet");
  EventReader reader(events, "shop", {});
  ASSERT_TRUE(reader.StartAtOldest().ok());
  const auto first = reader.Read();
  EXPECT_THAT(first->events, SizeIs(500));
  EXPECT_EQ(Recipients(reader.Read().value()).front(), "quiet");
}

TEST(EventReaderTest, AskingWhenThereIsNothingReadsNoShard) {
  FakeEvents events;
  for (int shard = 0; shard < 16; ++shard) events.AddShard(shard);
  EventReader reader(events, "shop", {});
  ASSERT_TRUE(reader.StartAtOldest().ok());
  EXPECT_FALSE(reader.Read()->moved);
  EXPECT_EQ(events.reads(), 0);
}

}  // namespace
}  // namespace sluice::ingest
