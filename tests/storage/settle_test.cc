// What a shard's owner relies on: the queue and the events change together, once, and only under
// its own epoch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "storage/owner.h"

namespace sluice::storage {
namespace {

class SettleTest : public OwnerTest {
 protected:
  SettleResult Settle(const std::vector<ShardEpoch>& shards,
                      const std::vector<Settlement>& settlements) {
    auto result = settler_->Settle(shards, settlements);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *std::move(result) : SettleResult{};
  }
};

TEST_F(SettleTest, EndsAnEntryAndWritesItsEvent) {
  const int64_t id = Accept(2, 1)[0];
  Settlement end = End(id, 42);
  end.stage = "body";
  end.reply_code = 250;
  end.enhanced_status = "2.0.0";
  end.reply = "ok";
  end.mx_host = "mx.example.net";
  end.duration_micros = 1234;
  end.times = "connect:5,body:7";

  const SettleResult result = Settle({Take(2)}, {end});

  EXPECT_TRUE(result.shards.at(0).held);
  EXPECT_EQ(result.shards.at(0).last_seq, 1);
  EXPECT_TRUE(result.missing.empty());
  EXPECT_EQ(Count("queue_entry"), 0);
  EXPECT_EQ(
      Query("select (shard, seq, micros(occurred_at), message_id, queue_entry_id, attempt_id, kind,"
            " attempt, stage, reply_code, duration_micros, possible_duplicate, times)::text from event"),
      Cat("(2,1,", ToMicros(kNow), ",", id, ",", id,
          ",42,delivered,1,body,250,1234,f,\"connect:5,body:7\")"));
  EXPECT_EQ(
      Query("select (tenant, stream, campaign, recipient, source, mx_host, enhanced_status, reply,"
            " convert_from(metadata, 'UTF8'), due_at)::text from event"),
      R"x((shop,marketing,autumn,user0@example.net,ip-11,mx.example.net,2.0.0,ok,"{""order"":""17""}",))x");
}

TEST_F(SettleTest, DefersAnEntryWithItsNewDueTimeAttemptsAndSource) {
  const int64_t id = Accept(2, 1)[0];
  const SettleResult result = Settle({Take(2)}, {Defer(id, 3)});
  EXPECT_EQ(result.shards.at(0).last_seq, 1);
  EXPECT_EQ(
      Query("select (micros(due_at), attempts, crashes, last_source, held)::text from queue_entry"),
      Cat("(", ToMicros(kNow + std::chrono::minutes(15)), ",3,0,ip-11,\"\")"));
  EXPECT_EQ(Query("select micros(due_at) from event"),
            Cat(ToMicros(kNow + std::chrono::minutes(15))));
}

TEST_F(SettleTest, HoldsAnEntryAndADeferralReleasesIt) {
  const int64_t id = Accept(2, 1)[0];
  const ShardEpoch shard = Take(2);
  Settlement hold = End(id);
  hold.change = Settlement::Change::kHold;
  hold.kind = "held";
  hold.held = "three crashes";
  hold.crashes = 3;
  Settle({shard}, {hold});
  EXPECT_EQ(
      Query("select (micros(due_at), attempts, crashes, last_source, held)::text from queue_entry"),
      Cat("(", ToMicros(kNow), ",0,3,\"\",\"three crashes\")"));
  Settle({{.shard = 2, .epoch = shard.epoch, .last_seq = 1}}, {Defer(id)});
  EXPECT_EQ(Query("select (attempts, crashes, held)::text from queue_entry"), "(1,0,\"\")");
}

TEST_F(SettleTest, KeepsDueTimeAndSourceThatADeferralDoesNotGive) {
  const int64_t id = Accept(2, 1)[0];
  Settlement back = Defer(id);
  back.due_at.reset();
  back.source.clear();
  back.crashes = 1;
  back.kind.clear();
  const SettleResult result = Settle({Take(2)}, {back});
  EXPECT_EQ(result.shards.at(0).last_seq, 0);
  EXPECT_EQ(Query("select (micros(due_at), crashes, last_source)::text from queue_entry"),
            Cat("(", ToMicros(kNow), ",1,\"\")"));
  EXPECT_EQ(Count("event"), 0);
}

TEST_F(SettleTest, NamesEntriesThatAreGoneAndWritesNoEventForThem) {
  const std::vector<int64_t> ids = Accept(2, 3);
  const ShardEpoch shard = Take(2);
  Settle({shard}, {End(ids[0])});
  const SettleResult result = Settle({{.shard = 2, .epoch = shard.epoch, .last_seq = 1}},
                                     {End(ids[0]), Defer(ids[1]), Defer(ids[0]), End(ids[2])});
  EXPECT_THAT(result.missing, testing::UnorderedElementsAre(ids[0], ids[0]));
  EXPECT_EQ(result.shards.at(0).last_seq, 3);
  EXPECT_EQ(Count("event"), 3);
}

TEST_F(SettleTest, MakesSeveralChangesOfOneEntryInOrder) {
  const int64_t id = Accept(2, 1)[0];
  const SettleResult result =
      Settle({Take(2)}, {Defer(id, 1), Defer(id, 2), End(id, 3), End(id, 4)});
  EXPECT_EQ(Query("select string_agg(seq || kind || attempt_id, ' ' order by seq) from event"),
            "1deferred1 2deferred2 3delivered3");
  EXPECT_EQ(result.shards.at(0).last_seq, 3);
  EXPECT_THAT(result.missing, testing::ElementsAre(id));
}

TEST_F(SettleTest, RepeatingACallInDoubtWritesNothingTwice) {
  const std::vector<int64_t> ids = Accept(2, 3);
  const ShardEpoch shard = Take(2);
  Settlement hold = End(ids[2]);
  hold.change = Settlement::Change::kHold;
  hold.held = "why";
  const std::vector<Settlement> call = {End(ids[0]), Defer(ids[1]), hold, Note(ids[0], 9)};
  const SettleResult first = Settle({shard}, call);
  ASSERT_EQ(first.shards.at(0).last_seq, 4);

  auto again = Open(OpenSettler(options()));
  const int64_t last_seq = Open(again->LastSeq(2));
  EXPECT_EQ(last_seq, 4);
  const auto second =
      again->Settle({{.shard = 2, .epoch = shard.epoch, .last_seq = last_seq}}, call);

  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->shards.at(0).last_seq, 4);
  EXPECT_THAT(second->missing, testing::ElementsAre(ids[0]));
  EXPECT_EQ(Count("event"), 4);
}

TEST_F(SettleTest, WritesAnEventWithoutAChangeOncePerAttempt) {
  const std::vector<int64_t> ids = Accept(2, 2);
  ShardEpoch shard = Take(2);
  shard.last_seq = Settle({shard}, {End(ids[0], 1)}).shards.at(0).last_seq;

  // Attempt 1 has its event; 2 is late for an ended entry; 3 for one that still waits.
  shard.last_seq = Settle({shard}, {Note(ids[0], 1), Note(ids[0], 2, "late_delivery"),
                                    Note(ids[0], 2, "late_delivery"), Note(ids[1], 3)})
                       .shards.at(0)
                       .last_seq;
  EXPECT_EQ(shard.last_seq, 3);
  EXPECT_EQ(Settle({shard}, {Note(ids[0], 2, "late_delivery")}).shards.at(0).last_seq, 3);
  EXPECT_EQ(Query("select string_agg(seq || ' ' || kind || ' ' || tenant || ' ' || recipient, ',' "
                  "order by seq)"
                  " from event"),
            "1 delivered shop user0@example.net,2 late_delivery shop user0@example.net,"
            "3 superseded shop user0@example.net");
  EXPECT_EQ(Count("queue_entry"), 1);
}

TEST_F(SettleTest, TakesTheCallersWordForAnEventOfNobody) {
  Settlement note = Note(Take(2).shard * (int64_t{1} << 56) + 5, 0, "suppressed");
  note.tenant = "shop";
  note.recipient = "gone@example.net";
  const ShardEpoch shard = Take(2);
  Settle({shard}, {note});
  EXPECT_EQ(Query("select (tenant, recipient, kind)::text from event"),
            "(shop,gone@example.net,suppressed)");
}

TEST_F(SettleTest, WritesNothingUnderAnEpochThatIsOver) {
  const int64_t id = Accept(2, 1)[0], other = Accept(3, 1)[0];
  const ShardEpoch old = Take(2), kept = Take(3);
  Take(2);
  const SettleResult result = Settle({old, kept}, {End(id), Note(id, 8), Defer(id), End(other)});
  EXPECT_FALSE(result.shards.at(0).held);
  EXPECT_EQ(result.shards.at(0).last_seq, 0);
  EXPECT_TRUE(result.shards.at(1).held);
  EXPECT_EQ(result.shards.at(1).last_seq, 1);
  EXPECT_TRUE(result.missing.empty());
  EXPECT_EQ(Count("event where shard = 2"), 0);
  EXPECT_EQ(Count("queue_entry where attempts = 0"), 1);
}

TEST_F(SettleTest, SaysWhetherAShardIsHeldAlsoWithNothingToSettle) {
  const ShardEpoch old = Take(2);
  const ShardEpoch now = Take(2);
  EXPECT_FALSE(Settle({old}, {}).shards.at(0).held);
  EXPECT_TRUE(Settle({now}, {}).shards.at(0).held);
}

TEST_F(SettleTest, RefusesASettlementOfAShardThatIsNotNamed) {
  const int64_t id = Accept(2, 1)[0];
  EXPECT_TRUE(absl::IsInvalidArgument(settler_->Settle({Take(3)}, {End(id)}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(settler_->Settle({Take(3), Take(3)}, {}).status()));
}

TEST_F(SettleTest, MakesThePartitionOfADayThatHasNone) {
  const std::vector<int64_t> ids = Accept(2, 2);
  Settlement early = End(ids[0]), late = End(ids[1]);
  early.occurred_at = kNow - std::chrono::hours(24 * 40);
  late.occurred_at = kNow + std::chrono::hours(24 * 400);
  const SettleResult result = Settle({Take(2)}, {early, late});
  EXPECT_EQ(result.shards.at(0).last_seq, 2);
  EXPECT_EQ(Open(settler_->LastSeq(2)), 2);
}

// A takeover waits for the settlement that is open, and the next one of the old owner writes
// nothing.
TEST_F(SettleTest, ATakeoverWaitsForAnOpenSettlementAndFencesTheNext) {
  const std::vector<int64_t> ids = Accept(2, 2);
  const ShardEpoch old = Take(2, "old");
  // The open transaction of the old owner: it has its lock and has seen its epoch.
  auto open = Open(Session::Open(options()));
  auto tx = std::make_unique<pqxx::work>(open->connection());
  tx->exec1("select pg_advisory_xact_lock_shared(7, 2)");
  tx->exec1("select epoch from shard_lease where shard = 2");
  Exec("update shard_lease set expires_at = 'epoch' where shard = 2");

  std::thread taker([&] { EXPECT_GT(Take(2, "new").epoch, old.epoch); });
  while (Count("pg_locks where locktype = 'advisory' and not granted") == 0) {
  }
  EXPECT_EQ(Query("select owner from shard_lease where shard = 2"), "old");
  tx->exec0("delete from queue_entry where id = " + std::to_string(ids[0]));
  tx->commit();
  taker.join();

  EXPECT_FALSE(Settle({old}, {End(ids[1])}).shards.at(0).held);
  EXPECT_EQ(Count("queue_entry"), 1);
}

// The same the other way round: the takeover comes first and the settlement waits for it.
TEST_F(SettleTest, ASettlementThatWaitedForATakeoverSeesTheNewEpoch) {
  const int64_t id = Accept(2, 1)[0];
  const ShardEpoch old = Take(2, "old");
  auto open = Open(Session::Open(options()));
  auto takeover = std::make_unique<pqxx::work>(open->connection());
  takeover->exec1("select pg_advisory_xact_lock(7, 2)");
  takeover->exec0("update shard_lease set epoch = epoch + 1048576, owner = 'new' where shard = 2");

  std::thread late([&] { EXPECT_FALSE(Settle({old}, {End(id)}).shards.at(0).held); });
  while (Count("pg_locks where locktype = 'advisory' and not granted") == 0) {
  }
  takeover->commit();
  late.join();

  EXPECT_EQ(Count("queue_entry"), 1);
  EXPECT_EQ(Count("event"), 0);
}

// Random settlements over several shards, some repeated, some of entries long gone, epochs lost in
// between: whatever happens, each shard's events are numbered 1, 2, 3 … and each entry ends once.
TEST_F(SettleTest, NumbersEventsWithoutGapsWhateverIsSettled) {
  constexpr int kShards = 3, kRounds = 40;
  std::mt19937 random(7);
  std::map<int, ShardEpoch> shards;
  std::vector<int64_t> entries;
  for (int s = 0; s < kShards; ++s) {
    shards[s] = Take(s);
    for (int64_t id : Accept(s, 60)) entries.push_back(id);
  }
  int64_t attempt = 0;
  for (int round = 0; round < kRounds; ++round) {
    if (random() % 5 == 0) shards[static_cast<int>(random() % kShards)].epoch += 1;
    std::vector<Settlement> call;
    for (int i = 0; i < 20; ++i) {
      const int64_t id = entries[random() % entries.size()];
      const auto attempts = static_cast<int16_t>(++attempt);
      switch (random() % 4) {
        case 0:
          call.push_back(End(id, attempt));
          break;
        case 1:
          call.push_back(Defer(id, attempts));
          break;
        case 2:
          call.push_back(Note(id, 1 + static_cast<int64_t>(random()) % attempt));
          break;
        default:
          call.push_back(Defer(id, attempts)), call.back().kind.clear();
      }
    }
    std::vector<ShardEpoch> named;
    for (const auto& [s, epoch] : shards) named.push_back(epoch);
    for (const SettleResult::Shard& shard : Settle(named, call).shards) {
      shards[shard.shard].last_seq = shard.last_seq;
      if (!shard.held) shards[shard.shard].epoch = Take(shard.shard).epoch;
    }
  }
  for (const auto& [s, epoch] : shards) {
    EXPECT_EQ(Count(Cat("event where shard = ", s)), epoch.last_seq);
    EXPECT_EQ(Query(Cat("select coalesce(max(seq), 0) from event where shard = ", s)),
              Cat(epoch.last_seq));
    EXPECT_EQ(Query(Cat("select count(distinct seq) from event where shard = ", s)),
              Cat(epoch.last_seq));
  }
  EXPECT_EQ(Count("(select from event where kind = 'delivered' group by queue_entry_id"
                  " having count(*) > 1) twice"),
            0);
  EXPECT_EQ(Count("event e join queue_entry q on q.id = e.queue_entry_id and e.kind = 'delivered'"),
            0);
  EXPECT_GT(Count("event where kind = 'superseded'"), 0);
}

TEST_F(SettleTest, TrimsOldBatchesButTheNewestOfALivingWriter) {
  for (int i = 0; i < 3; ++i) Accept(2, 1);
  auto gone = Open(OpenAcceptWriter(options(), kNow));
  ASSERT_TRUE(gone->Accept(2, {MakeMessage()}).ok());
  const int64_t living = writer_->writer(), dead = gone->writer();
  gone.reset();
  const std::vector<WriterMark> marks = {{.shard = 2, .writer = living, .seq = 3},
                                         {.shard = 2, .writer = dead, .seq = 1}};

  ASSERT_TRUE(settler_->TrimBatches(marks, {dead}, kNow).ok());
  EXPECT_EQ(Count("accept_batch"), 4) << "none is older than kNow";
  ASSERT_TRUE(
      settler_->TrimBatches({{.shard = 2, .writer = living, .seq = 1}}, {}, kNow + kLease).ok());
  EXPECT_EQ(Count("accept_batch where seq = 1"), 1) << "only what the mark has passed";
  ASSERT_TRUE(settler_->TrimBatches(marks, {dead}, kNow + kLease).ok());
  EXPECT_EQ(Query("select string_agg(writer || ':' || seq, ' ') from accept_batch"),
            Cat(living, ":3"));
  EXPECT_EQ(Query("select string_agg(id::text, ' ') from writer"), Cat(living));
}

}  // namespace
}  // namespace sluice::storage
