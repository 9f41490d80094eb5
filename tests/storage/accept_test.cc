// What ingest relies on: all of a batch or nothing, each key once, numbers without gaps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pqxx/transaction>
#include <thread>

#include "mail/ids.h"
#include "storage/cluster.h"
#include "storage/mail.h"
#include "storage/queue_store.h"
#include "storage/session.h"

namespace sluice::storage {
namespace {

using Kind = AcceptOutcome::Kind;

class AcceptTest : public StorageTest {
 protected:
  std::unique_ptr<AcceptWriter> OpenWriter() {
    auto writer = OpenAcceptWriter(options(), kNow);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return *std::move(writer);
  }
};

TEST_F(AcceptTest, StoresContentAndEntriesAsGiven) {
  auto writer = OpenWriter();
  AcceptedMessage message = MakeMessage(2);
  message.recipients[1].metadata_json.clear();
  message.recipients[1].merge_values_json = R"({"name":"Ä"})";

  const auto result = writer->Accept(3, {message});
  ASSERT_TRUE(result.ok()) << result.status();

  ASSERT_EQ(result->outcomes.size(), 1u);
  const int64_t id = result->outcomes[0].message_id;
  EXPECT_EQ(result->outcomes[0].kind, Kind::kAccepted);
  EXPECT_EQ(id, MakeId(ShardId(3), WriterId(static_cast<int32_t>(writer->writer())), 1));
  EXPECT_EQ(result->seq, 1);
  EXPECT_EQ(result->content_partition, 1);
  EXPECT_EQ(Query("select encode(content, 'hex') from message"),
            "627974657300ff80206f6620636f6e74656e7400");
  EXPECT_EQ(Query("select string_agg(id || ':' || message_id || ':' || recipient, ' ' order by id)"
                  " from queue_entry"),
            Cat(id, ":", id, ":user0@example.net ", id + 1, ":", id, ":user1@example.net"));
  EXPECT_EQ(Query("select micros(accepted_at) from queue_entry"), Cat(ToMicros(kNow)));
  EXPECT_EQ(Query("select micros(expires_at) from queue_entry"),
            Cat(ToMicros(kNow + std::chrono::hours(120))));
  EXPECT_EQ(Query("select convert_from(merge_values, 'UTF8') from queue_entry order by id desc"),
            R"({"name":"Ä"})");
  EXPECT_EQ(Count("queue_entry where metadata is null"), 1);
  EXPECT_EQ(
      Query("select (shard, writer, seq, first_entry_id, last_entry_id)::text from accept_batch"),
      Cat("(3,", writer->writer(), ",1,", id, ",", id + 1, ")"));
}

TEST_F(AcceptTest, NumbersBatchesPerShardWithoutGapsAlsoAfterAFailure) {
  auto writer = OpenWriter();
  AcceptedMessage bad = MakeMessage();
  bad.encoding = 9;
  EXPECT_EQ(writer->Accept(1, {MakeMessage()})->seq, 1);
  EXPECT_EQ(writer->Accept(2, {MakeMessage()})->seq, 1);
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Accept(1, {bad}).status()));
  EXPECT_EQ(writer->Accept(1, {MakeMessage()})->seq, 2);
  EXPECT_EQ(writer->Accept(2, {MakeMessage()})->seq, 2);
}

TEST_F(AcceptTest, StoresNothingOfABatchWithOneBadRow) {
  auto writer = OpenWriter();
  AcceptedMessage bad_text = MakeMessage(1, 8);
  bad_text.recipients[0].address = "a\xff@example.net";
  AcceptedMessage nul = MakeMessage(1, 9);
  nul.campaign = std::string("a\0b", 3);
  for (const AcceptedMessage& bad : {bad_text, nul}) {
    const auto result = writer->Accept(1, {MakeMessage(1, 7), bad});
    EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << result.status();
  }
  EXPECT_EQ(Count("queue_entry"), 0);
  EXPECT_EQ(Count("message"), 0);
  EXPECT_EQ(Count("submission"), 0);
  EXPECT_EQ(Count("accept_batch"), 0);
  EXPECT_EQ(writer->Accept(1, {MakeMessage(1, 7)})->outcomes[0].kind, Kind::kAccepted);
}

TEST_F(AcceptTest, AnswersARepeatedKeyWithTheEarlierAnswer) {
  auto writer = OpenWriter();
  AcceptedMessage first = MakeMessage(2, 5);
  first.verdicts = std::string("\0refused", 8);
  const int64_t id = writer->Accept(1, {first})->outcomes[0].message_id;

  auto other = OpenWriter();
  const auto again = other->Accept(1, {MakeMessage(1, 4), MakeMessage(2, 5), MakeMessage(1, 6)});

  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->outcomes[0].kind, Kind::kAccepted);
  EXPECT_EQ(again->outcomes[1].kind, Kind::kRepeated);
  EXPECT_EQ(again->outcomes[1].message_id, id);
  EXPECT_EQ(again->outcomes[1].verdicts, first.verdicts);
  EXPECT_EQ(again->outcomes[2].kind, Kind::kAccepted);
  EXPECT_EQ(Count("queue_entry"), 4);
  EXPECT_EQ(Count("message"), 3);
}

TEST_F(AcceptTest, RefusesAKeyUsedForOtherContent) {
  auto writer = OpenWriter();
  ASSERT_TRUE(writer->Accept(1, {MakeMessage(1, 5, 1)}).ok());
  const auto result = writer->Accept(1, {MakeMessage(1, 5, 2)});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outcomes[0].kind, Kind::kConflict);
  EXPECT_EQ(Count("queue_entry"), 1);
}

TEST_F(AcceptTest, WritesNoBatchWhenEverythingRepeats) {
  auto writer = OpenWriter();
  ASSERT_TRUE(writer->Accept(1, {MakeMessage(1, 5)}).ok());
  EXPECT_EQ(writer->Accept(1, {MakeMessage(1, 5)})->seq, 0);
  EXPECT_EQ(Count("accept_batch"), 1);
  EXPECT_EQ(writer->Accept(1, {MakeMessage(1, 6)})->seq, 2);
}

TEST_F(AcceptTest, SettlesEqualKeysInsideOneBatch) {
  auto writer = OpenWriter();
  const auto result =
      writer->Accept(1, {MakeMessage(1, 5, 1), MakeMessage(1, 5, 1), MakeMessage(1, 5, 2)});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outcomes[0].kind, Kind::kAccepted);
  EXPECT_EQ(result->outcomes[1].kind, Kind::kRepeated);
  EXPECT_EQ(result->outcomes[1].message_id, result->outcomes[0].message_id);
  EXPECT_EQ(result->outcomes[2].kind, Kind::kConflict);
  EXPECT_EQ(Count("queue_entry"), 1);

  const auto later =
      writer->Accept(1, {MakeMessage(1, 5, 2), MakeMessage(1, 5, 1), MakeMessage(1, 5, 2)});
  EXPECT_EQ(later->outcomes[0].kind, Kind::kConflict);
  EXPECT_EQ(later->outcomes[1].kind, Kind::kRepeated);
  EXPECT_EQ(later->outcomes[2].kind, Kind::kConflict);
}

TEST_F(AcceptTest, FindsKeysOfTheEarlierGeneration) {
  auto writer = OpenWriter();
  const int64_t id = writer->Accept(1, {MakeMessage(1, 5)})->outcomes[0].message_id;
  Exec("update submission_generation set current = 1");
  const auto result = writer->Accept(1, {MakeMessage(1, 5), MakeMessage(1, 6)});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outcomes[0].kind, Kind::kRepeated);
  EXPECT_EQ(result->outcomes[0].message_id, id);
  EXPECT_EQ(Count("submission_1"), 1);
}

// A batch that meets a rotation waits for it, and sees what it did: not the generation from before, which comes to be emptied next.
TEST_F(AcceptTest, ABatchThatMeetsARotationUsesTheNewGeneration) {
  auto writer = OpenWriter();
  ASSERT_TRUE(writer->Accept(1, {MakeMessage(1, 5)}).ok());
  auto rotating = Session::Open(options());
  ASSERT_TRUE(rotating.ok()) << rotating.status();
  std::thread meeting;
  {
    pqxx::work tx((*rotating)->connection());
    tx.exec0("truncate submission_1");
    tx.exec0("update submission_generation set current = 1");
    meeting = std::thread([&] {
      const auto result = writer->Accept(1, {MakeMessage(1, 6)});
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->outcomes[0].kind, Kind::kAccepted);
    });
    while (Count("pg_stat_activity where wait_event_type = 'Lock' and query like '%fresh%'") == 0) {
    }
    tx.commit();
  }
  meeting.join();
  EXPECT_EQ(Count("submission_0"), 1);
  EXPECT_EQ(Count("submission_1"), 1);
}

// The row that stood in the way goes away before it is read: that key is free, the rest of the batch is stored.
TEST_F(AcceptTest, AKeyThatIsForgottenMeanwhileIsToldAlone) {
  auto writer = OpenWriter();
  ASSERT_TRUE(writer->Accept(1, {MakeMessage(1, 5)}).ok());
  // As a rotation would, between the statements of this batch and no earlier.
  Exec(
      "create function forget() returns trigger language plpgsql as "
      "$$ begin delete from submission where generation = 0; return null; end $$;"
      "create trigger forget after insert on accept_batch execute function forget()");
  const auto result = writer->Accept(1, {MakeMessage(1, 5), MakeMessage(1, 6)});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outcomes[0].kind, Kind::kForgotten);
  EXPECT_EQ(result->outcomes[1].kind, Kind::kAccepted);
  EXPECT_EQ(result->seq, 2);
}

TEST_F(AcceptTest, KeepsTheAnswerOfAMessageWithoutRecipients) {
  auto writer = OpenWriter();
  AcceptedMessage message = MakeMessage(0, 5);
  message.verdicts = "all suppressed";
  const int64_t id = writer->Accept(1, {message})->outcomes[0].message_id;
  EXPECT_EQ(Count("message"), 0);
  const auto again = writer->Accept(1, {message});
  EXPECT_EQ(again->outcomes[0].message_id, id);
  EXPECT_EQ(again->outcomes[0].verdicts, "all suppressed");
}

TEST_F(AcceptTest, RefusesAnUnknownShardAndAnEmptyBatch) {
  auto writer = OpenWriter();
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Accept(128, {MakeMessage()}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Accept(-1, {MakeMessage()}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Accept(1, {}).status()));
}

TEST_F(AcceptTest, MovesToTheNextPartitionWhenTheOneItKnowsIsGone) {
  auto writer = OpenWriter();
  ASSERT_TRUE(writer->Accept(1, {MakeMessage()}).ok());
  Exec(
      "create table message_000002 (like message including all);"
      "alter table message attach partition message_000002 for values in (2);"
      "insert into content_partition (part, opened_at) values (2, 'epoch');"
      "update content_partition set closed_at = 'epoch' where part = 1;"
      "alter table message detach partition message_000001");
  const auto result = writer->Accept(1, {MakeMessage(1, 5)});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->content_partition, 2);
  EXPECT_EQ(result->outcomes[0].kind, Kind::kAccepted);
  EXPECT_EQ(result->seq, 2);
}

// Each of two writers sends the same keys, in opposite order: every message is stored once, whoever
// is first.
TEST_F(AcceptTest, TwoWritersWithTheSameKeysDoNotDeadlock) {
  constexpr int kRounds = 20, kMessages = 50;
  std::atomic<int> accepted = 0;
  const auto run = [&](bool reversed) {
    auto writer = OpenWriter();
    for (int round = 0; round < kRounds; ++round) {
      std::vector<AcceptedMessage> batch;
      for (int i = 0; i < kMessages; ++i) {
        const int n = reversed ? kMessages - 1 - i : i;
        batch.push_back(MakeMessage(1, static_cast<uint64_t>(round * kMessages + n)));
      }
      const auto result = writer->Accept(round % 16, batch);
      ASSERT_TRUE(result.ok()) << result.status();
      for (const AcceptOutcome& outcome : result->outcomes) {
        EXPECT_NE(outcome.kind, Kind::kConflict);
        if (outcome.kind == Kind::kAccepted) ++accepted;
      }
    }
  };
  std::thread other(run, true);
  run(false);
  other.join();
  EXPECT_EQ(accepted, kRounds * kMessages);
  EXPECT_EQ(Count("queue_entry"), kRounds * kMessages);
}

TEST_F(AcceptTest, ADeadConnectionMakesTheWriterUseless) {
  auto writer = OpenWriter();
  ASSERT_TRUE(writer->Accept(1, {MakeMessage()}).ok());
  Exec(
      "select pg_terminate_backend(pid) from pg_stat_activity"
      " where datname = current_database() and pid <> pg_backend_pid()");
  while (Count("pg_stat_activity where datname = current_database()") > 1) {
  }
  // It has told that it goes: nothing was stored, another may try at once.
  EXPECT_TRUE(absl::IsUnavailable(writer->Accept(1, {MakeMessage()}).status()));
  EXPECT_TRUE(absl::IsUnavailable(writer->Accept(1, {MakeMessage()}).status()));
  EXPECT_EQ(Count("queue_entry"), 1);
}

}  // namespace
}  // namespace sluice::storage
