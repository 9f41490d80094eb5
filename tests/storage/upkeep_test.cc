#include "storage/upkeep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/connection_pool.h"
#include "storage/event_store.h"
#include "storage/owner.h"

namespace sluice::storage {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr ContentUpkeep kContent{.max_age = hours(6), .max_bytes = 1 << 30, .drop_after = hours(1)};

class UpkeepTest : public OwnerTest {
 protected:
  void SetUp() override {
    OwnerTest::SetUp();
    if (!IsSkipped()) upkeep_ = Open(OpenUpkeep(options()));
  }
  UpkeepReport KeepContent(Instant now, const ContentUpkeep& content = kContent) {
    return Open(upkeep_->KeepContent(content, now));
  }
  // As of `now`: writers look for the open partition once a second.
  AcceptResult AcceptAt(Instant now, std::optional<uint64_t> key = std::nullopt) {
    AcceptedMessage message = MakeMessage(1, key);
    message.accepted_at = message.due_at = now;
    return Open(writer_->Accept(1, {message}));
  }

  std::unique_ptr<Upkeep> upkeep_;
};

TEST_F(UpkeepTest, OpensTheNextContentPartitionByAgeOrSize) {
  EXPECT_THAT(KeepContent(kNow + hours(5)).created, IsEmpty());
  EXPECT_THAT(KeepContent(kNow + hours(6)).created, ElementsAre("message_000002"));
  EXPECT_THAT(KeepContent(kNow + hours(7)).created, IsEmpty());
  EXPECT_EQ(AcceptAt(kNow + hours(7)).content_partition, 2);

  ContentUpkeep small = kContent;
  small.max_bytes = 1;
  EXPECT_THAT(KeepContent(kNow + hours(7), small).created, ElementsAre("message_000003"));
  EXPECT_EQ(Count("content_partition where closed_at is null"), 1);
}

TEST_F(UpkeepTest, DropsAContentPartitionWhenNoEntryNamesIt) {
  const int64_t id = AcceptAt(kNow).outcomes[0].message_id;
  KeepContent(kNow + hours(6));
  EXPECT_THAT(KeepContent(kNow + hours(9)).dropped, IsEmpty()) << "an entry still names it";

  ASSERT_TRUE(settler_->Settle({Take(1)}, {End(id)}).ok());
  EXPECT_THAT(KeepContent(kNow + hours(6) + std::chrono::minutes(59)).dropped, IsEmpty());
  EXPECT_THAT(KeepContent(kNow + hours(9)).dropped, ElementsAre("message_000001"));
  EXPECT_EQ(Query("select to_regclass('message_000001') is null"), "t");
  EXPECT_EQ(Count("content_partition where dropped_at is not null"), 1);
  EXPECT_THAT(KeepContent(kNow + hours(10)).dropped, IsEmpty());
}

TEST_F(UpkeepTest, GoesOnWithADropThatWasInterrupted) {
  AcceptAt(kNow);
  KeepContent(kNow + hours(6));
  Exec("delete from queue_entry; alter table message detach partition message_000001");
  EXPECT_THAT(KeepContent(kNow + hours(9)).dropped, ElementsAre("message_000001"));
}

TEST_F(UpkeepTest, PutsBackADetachedPartitionThatAnEntryNames) {
  const int64_t id = AcceptAt(kNow).outcomes[0].message_id;
  KeepContent(kNow + hours(6));
  // As if the entry had been committed between the first look and the detaching: hidden from the
  // first look only.
  Exec(
      "alter table message detach partition message_000001;"
      "create table hidden as select * from queue_entry; delete from queue_entry;"
      "create function bring_back() returns event_trigger language plpgsql as"
      " $$ begin insert into queue_entry select * from hidden on conflict do nothing; end $$");
  Exec("alter table message attach partition message_000001 for values in (1)");
  Exec(
      "create event trigger bring_back on ddl_command_end when tag in ('ALTER TABLE')"
      " execute function bring_back()");
  const UpkeepReport report = KeepContent(kNow + hours(9));
  Exec("drop event trigger bring_back");
  EXPECT_THAT(report.dropped, IsEmpty());
  EXPECT_THAT(report.postponed, SizeIs(1));
  EXPECT_EQ(reader_->FetchMessages({{.part = 1, .message_id = id}})->size(), 1u);
}

// Writers go on accepting while partitions are opened and dropped under them, as fast as upkeep
// can.
TEST_F(UpkeepTest, NeverDropsContentThatAnEntryNeeds) {
  constexpr int kBatches = 150;
  const ContentUpkeep hurried{.max_age = Duration(1), .max_bytes = 1, .drop_after = Duration(0)};
  std::atomic<int> minute = 0;
  std::atomic<bool> ended = false;
  std::thread writing([&] {
    auto settler = Open(OpenSettler(options()));
    ShardEpoch shard = Take(1);
    for (; minute < kBatches; ++minute) {
      const int64_t id = AcceptAt(kNow + std::chrono::minutes(minute)).outcomes[0].message_id;
      // Every third one stays.
      if (minute % 3 == 0) continue;
      const auto settled = settler->Settle({shard}, {End(id)});
      ASSERT_TRUE(settled.ok()) << settled.status();
      shard.last_seq = settled->shards[0].last_seq;
    }
    ended = true;
  });
  size_t dropped = 0;
  for (bool last = false; !last;) {
    last = ended;
    dropped += KeepContent(kNow + std::chrono::minutes(minute), hurried).dropped.size();
  }
  writing.join();

  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(Count("queue_entry"), kBatches / 3);
  EXPECT_EQ(Count("queue_entry q where not exists (select from message m where m.part = q.part and "
                  "m.id = q.message_id)"),
            0);
}

TEST_F(UpkeepTest, KeepsEventPartitionsAWeekAheadAndDropsOldOnes) {
  const std::vector<int64_t> ids = Accept(2, 3);
  ShardEpoch shard = Take(2);
  shard.last_seq = settler_->Settle({shard}, {End(ids[0]), End(ids[1])})->shards[0].last_seq;
  EXPECT_THAT(Open(upkeep_->KeepEvents(hours(24 * 30), kNow + hours(48))).created, SizeIs(2));
  EXPECT_THAT(Open(upkeep_->KeepEvents(hours(24 * 30), kNow + hours(24 * 30 + 11))).dropped,
              IsEmpty());

  Settlement later = End(ids[2]);
  later.occurred_at = kNow + hours(24 * 30);
  ASSERT_EQ(settler_->Settle({shard}, {later})->shards[0].last_seq, 3);
  const UpkeepReport report = Open(upkeep_->KeepEvents(hours(24 * 30), kNow + hours(24 * 30 + 12)));

  EXPECT_THAT(report.dropped, SizeIs(1));
  ConnectionPool pool(options(), 1);
  auto events = MakeEventStore(pool);
  EXPECT_TRUE(absl::IsOutOfRange(events->Read(2, 0, 10, "").status()));
  EXPECT_TRUE(absl::IsOutOfRange(events->Read(2, 1, 10, "").status()));
  EXPECT_EQ(events->Read(2, 2, 10, "")->events.size(), 1u);
  EXPECT_EQ(events->OldestSeqs()->at(2), ShardSeq(2, 3));
}

TEST_F(UpkeepTest, EventNumbersGoOnWhenAllEventsAreGone) {
  const std::vector<int64_t> ids = Accept(2, 2);
  ASSERT_TRUE(settler_->Settle({Take(2)}, {End(ids[0]), End(ids[1])}).ok());
  EXPECT_THAT(Open(upkeep_->KeepEvents(hours(24), kNow + hours(24 * 90))).dropped, SizeIs(8));
  EXPECT_EQ(Count("event"), 0);
  EXPECT_EQ(*settler_->LastSeq(2), 2);
  ConnectionPool pool(options(), 1);
  auto events = MakeEventStore(pool);
  EXPECT_EQ(events->LastSeqs()->at(2), ShardSeq(2, 2));
  EXPECT_EQ(events->OldestSeqs()->at(2), ShardSeq(2, 3));
}

// A report with a broken clock lands on a day long past: dropping that day must not hide the events
// of today.
TEST_F(UpkeepTest, KeepsAnOldPartitionWhoseNumbersAreNewerThanToday) {
  const std::vector<int64_t> ids = Accept(2, 2);
  Settlement stray = End(ids[1]);
  stray.occurred_at = kNow - hours(24 * 300);
  ASSERT_TRUE(settler_->Settle({Take(2)}, {End(ids[0]), stray}).ok());
  const UpkeepReport report = Open(upkeep_->KeepEvents(hours(24 * 30), kNow));
  EXPECT_THAT(report.dropped, IsEmpty());
  EXPECT_THAT(report.postponed, SizeIs(1));
  EXPECT_EQ(Count("shard_lease where event_floor > 0"), 0);
}

TEST_F(UpkeepTest, KeepsAKeyForAtLeastADay) {
  const int64_t id = AcceptAt(kNow, 5).outcomes[0].message_id;
  const auto repeats = [&](Instant now) {
    const AcceptOutcome outcome = AcceptAt(now, 5).outcomes[0];
    return outcome.kind == AcceptOutcome::Kind::kRepeated && outcome.message_id == id;
  };
  EXPECT_FALSE(*upkeep_->RotateSubmissions(hours(24), kNow + hours(23)));
  EXPECT_TRUE(repeats(kNow + hours(23)));
  EXPECT_TRUE(*upkeep_->RotateSubmissions(hours(24), kNow + hours(24)));
  EXPECT_FALSE(*upkeep_->RotateSubmissions(hours(24), kNow + hours(24)));
  EXPECT_TRUE(repeats(kNow + hours(24)));
  EXPECT_TRUE(repeats(kNow + hours(47)));
  EXPECT_TRUE(*upkeep_->RotateSubmissions(hours(24), kNow + hours(48)));
  EXPECT_FALSE(repeats(kNow + hours(48)));
}

// Two writers submit the same key while the generations are swapped, once a key, whenever it falls:
// one of them is told that the other was first.
TEST_F(UpkeepTest, ARotationBetweenTwoSubmissionsOfAKeyHidesItFromNeither) {
  constexpr int kKeys = 150;
  auto other = Open(OpenAcceptWriter(options(), kNow));
  std::atomic<int> accepted = 0;
  const auto submit = [&](AcceptWriter& writer, int key) {
    const auto result = writer.Accept(1, {MakeMessage(1, static_cast<uint64_t>(key))});
    ASSERT_TRUE(result.ok()) << result.status();
    if (result->outcomes[0].kind == AcceptOutcome::Kind::kAccepted) ++accepted;
  };
  for (int key = 1; key <= kKeys; ++key) {
    std::thread second([&] { submit(*other, key); });
    std::thread rotating([&] { EXPECT_TRUE(*upkeep_->RotateSubmissions(Duration(0), kNow)); });
    submit(*writer_, key);
    second.join();
    rotating.join();
  }
  EXPECT_EQ(accepted, kKeys);
}

TEST_F(UpkeepTest, TrimsRegistrationsOfWritersThatNeverWrote) {
  { auto gone = Open(OpenAcceptWriter(options(), kNow)); }
  auto wrote = Open(OpenAcceptWriter(options(), kNow));
  ASSERT_TRUE(wrote->Accept(1, {MakeMessage()}).ok());
  const int64_t kept = wrote->writer();
  wrote.reset();
  ASSERT_TRUE(upkeep_->TrimWriters(kNow).ok());
  EXPECT_EQ(Count("writer"), 3);
  while (Count("pg_locks where locktype = 'advisory' and classid = 9") > 1) {
  }
  ASSERT_TRUE(upkeep_->TrimWriters(kNow + hours(1)).ok());
  EXPECT_EQ(Query("select string_agg(id::text, ' ' order by id) from writer"),
            Cat(writer_->writer(), " ", kept));
}

}  // namespace
}  // namespace sluice::storage
