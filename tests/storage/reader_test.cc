// What a new owner relies on: the snapshot and the tail together see every entry, and none twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "storage/owner.h"

namespace sluice::storage {
namespace {

class ReaderTest : public OwnerTest {
 protected:
  std::vector<int64_t> Load(int shard) {
    std::vector<int64_t> ids;
    const absl::Status status = reader_->LoadShard(
        shard, [](const WriterMark&) {},
        [&](const LoadedEntry& entry) {
          ids.push_back(entry.id);
          return true;
        });
    EXPECT_TRUE(status.ok()) << status;
    return ids;
  }
};

TEST_F(ReaderTest, LoadsEveryFieldOfAnEntry) {
  AcceptedMessage message = MakeMessage(1);
  message.due_at = kNow + std::chrono::microseconds(1'234'567);
  message.priority = 2;
  message.recipients[0].engagement = 7;
  const int64_t id = writer_->Accept(5, {message})->outcomes[0].message_id;
  Exec("update queue_entry set attempts = 3, crashes = 1, last_source = 'ip-1', held = 'h'");
  int seen = 0;
  const auto check = [&](const LoadedEntry& e) {
    ++seen;
    EXPECT_EQ(e.id, id);
    EXPECT_EQ(e.message_id, id);
    EXPECT_EQ(e.accepted_at, kNow);
    EXPECT_EQ(e.due_at, message.due_at);
    EXPECT_EQ(e.expires_at, message.expires_at);
    EXPECT_EQ(e.part, 1);
    EXPECT_EQ(e.attempts, 3);
    EXPECT_EQ(e.crashes, 1);
    EXPECT_EQ(e.priority, 2);
    EXPECT_EQ(e.engagement, 7);
    EXPECT_EQ(e.tenant, "shop");
    EXPECT_EQ(e.stream, "marketing");
    EXPECT_EQ(e.campaign, "autumn");
    EXPECT_EQ(e.domain, "example.net");
    EXPECT_EQ(e.sender_domain, "shop.example");
    EXPECT_EQ(e.last_source, "ip-1");
    EXPECT_EQ(e.held, "h");
    EXPECT_EQ(e.tags, "X-Kind=news\n");
    return true;
  };
  ASSERT_TRUE(reader_
                  ->LoadShard(
                      5, [](const WriterMark&) {}, check)
                  .ok());
  ASSERT_TRUE(reader_->LoadRange(id, id, check).ok());
  EXPECT_EQ(seen, 2);
}

TEST_F(ReaderTest, LoadsOnlyItsShardInOrderOfId) {
  const std::vector<int64_t> low = Accept(0, 3), high = Accept(15, 5000);
  Accept(1, 2);
  EXPECT_EQ(Load(0), low);
  EXPECT_EQ(Load(15), high);
  EXPECT_TRUE(Load(2).empty());
}

TEST_F(ReaderTest, StopsWhenTold) {
  Accept(0, 5);
  int seen = 0;
  const absl::Status status = reader_->LoadShard(
      0, [](const WriterMark&) {}, [&](const LoadedEntry&) { return ++seen < 2; });
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(Load(0).size(), 5u);
}

TEST_F(ReaderTest, TailsFromTheMarksAndAllOfUnknownWriters) {
  Accept(1, 1), Accept(1, 2), Accept(1, 1), Accept(2, 1);
  auto other = Open(OpenAcceptWriter(options(), kNow));
  ASSERT_TRUE(other->Accept(1, {MakeMessage()}).ok());
  const int64_t first = writer_->writer(), second = other->writer();

  const auto batches = reader_->Tail({1}, {{.shard = 1, .writer = first, .seq = 1}}, 100);

  ASSERT_TRUE(batches.ok()) << batches.status();
  std::vector<std::pair<int64_t, int64_t>> seen;
  for (const TailedBatch& batch : *batches) {
    EXPECT_EQ(batch.shard, 1);
    seen.emplace_back(batch.writer, batch.seq);
  }
  EXPECT_THAT(seen,
              testing::ElementsAre(std::pair(first, 2), std::pair(first, 3), std::pair(second, 1)));
  EXPECT_EQ(batches->at(0).last_entry_id - batches->at(0).first_entry_id, 1);
  EXPECT_EQ(reader_->Tail({1, 2}, {}, 2)->size(), 2u);
  EXPECT_EQ(reader_->Tail({1, 2}, {}, 100)->size(), 5u);
}

TEST_F(ReaderTest, FetchesWhatIsThere) {
  AcceptedMessage message = MakeMessage(2);
  message.flags = 5;
  message.dsn_envelope_id = "env";
  message.recipients[1].merge_values_json = "{}";
  message.recipients[1].dsn_notify = 6;
  message.content = std::string(20'000, '\xfe');
  const int64_t id = writer_->Accept(3, {message})->outcomes[0].message_id;

  AcceptedMessage traced = MakeMessage(2);
  traced.recipients[0].metadata_json = R"({"order":"7"})";
  traced.recipients[1].metadata_json = R"({"order":"7","traceparent":"00-x"})";
  const int64_t with_trace = writer_->Accept(3, {traced})->outcomes[0].message_id;
  const auto metadata = reader_->FetchEntries({with_trace, with_trace + 1});
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  ASSERT_EQ(metadata->size(), 2u);
  for (const auto& entry : *metadata) {
    EXPECT_EQ(entry.metadata_json, entry.id == with_trace ? "" : traced.recipients[1].metadata_json);
  }

  const auto entries = reader_->FetchEntries({id + 1, id + 77});
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->at(0).id, id + 1);
  EXPECT_EQ(entries->at(0).message_id, id);
  EXPECT_EQ(entries->at(0).recipient, "user1@example.net");
  EXPECT_EQ(entries->at(0).merge_values_json, "{}");
  EXPECT_EQ(entries->at(0).dsn_notify, 6);

  const auto messages =
      reader_->FetchMessages({{.part = 1, .message_id = id}, {.part = 2, .message_id = id}});
  ASSERT_TRUE(messages.ok()) << messages.status();
  ASSERT_EQ(messages->size(), 1u);
  EXPECT_EQ(messages->at(0).id, id);
  EXPECT_EQ(messages->at(0).content, message.content);
  EXPECT_EQ(messages->at(0).prepended_headers, message.prepended_headers);
  EXPECT_EQ(messages->at(0).return_path, message.return_path);
  EXPECT_EQ(messages->at(0).dsn_envelope_id, "env");
  EXPECT_EQ(messages->at(0).flags, 5);
  EXPECT_EQ(messages->at(0).size_bytes, 20);
}

TEST_F(ReaderTest, KnowsWhichWritersAreGone) {
  auto other = Open(OpenAcceptWriter(options(), kNow));
  const int64_t alive = writer_->writer(), dead = other->writer();
  EXPECT_TRUE(reader_->CheckWriters({alive, dead})->gone.empty());
  other.reset();
  std::vector<int64_t> gone;
  while (gone.empty()) gone = reader_->CheckWriters({alive, dead})->gone;
  EXPECT_THAT(gone, testing::ElementsAre(dead));
  EXPECT_THAT(reader_->CheckWriters({alive, dead})->gone, testing::ElementsAre(dead))
      << "the check gives back what it locked";
}

// Writers commit all the time while owners come and go: each owner takes a snapshot and tails from
// its marks until the writers have ended. Whatever the interleaving, it has seen exactly what was
// accepted.
TEST_F(ReaderTest, SnapshotAndTailTogetherSeeEveryEntryOnce) {
  constexpr int kWriters = 3, kBatches = 60, kOwners = 6;
  std::atomic<int> running = kWriters;
  std::mutex mutex;
  std::set<int64_t> accepted;
  const auto write = [&](unsigned seed) {
    std::mt19937 random(seed);
    auto writer = Open(OpenAcceptWriter(options(), kNow));
    for (int i = 0; i < kBatches; ++i) {
      const std::vector<AcceptedMessage> batch(1 + random() % 5, MakeMessage());
      const int shard = static_cast<int>(random() % 2);
      const auto result = writer->Accept(shard, batch);
      ASSERT_TRUE(result.ok()) << result.status();
      if (shard != 0) continue;
      const std::lock_guard lock(mutex);
      for (const AcceptOutcome& outcome : result->outcomes) accepted.insert(outcome.message_id);
    }
    --running;
  };

  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kWriters; ++i) threads.emplace_back(write, i);
  std::vector<std::multiset<int64_t>> seen(kOwners);
  for (std::multiset<int64_t>& owner : seen) {
    std::map<int64_t, int64_t> marks;
    const auto add = [&](const LoadedEntry& entry) {
      owner.insert(entry.id);
      return true;
    };
    const absl::Status loaded = reader_->LoadShard(
        0, [&](const WriterMark& mark) { marks[mark.writer] = mark.seq; }, add);
    ASSERT_TRUE(loaded.ok()) << loaded;
    const bool last = &owner == &seen.back();
    bool ended = false;
    for (int round = 0; round < 3 || (last && !ended); ++round) {
      ended = running == 0;
      std::vector<WriterMark> known;
      for (const auto& [writer, seq] : marks)
        known.push_back({.shard = 0, .writer = writer, .seq = seq});
      const auto batches = reader_->Tail({0}, known, 1000);
      ASSERT_TRUE(batches.ok()) << batches.status();
      for (const TailedBatch& batch : *batches) {
        ASSERT_EQ(batch.seq, marks[batch.writer] + 1) << "numbers come without gaps";
        marks[batch.writer] = batch.seq;
        ASSERT_TRUE(reader_->LoadRange(batch.first_entry_id, batch.last_entry_id, add).ok());
      }
    }
  }
  for (std::thread& thread : threads) thread.join();

  for (const auto& owner : seen) {
    for (int64_t id : owner) EXPECT_EQ(owner.count(id), 1u);
    EXPECT_TRUE(std::includes(accepted.begin(), accepted.end(), owner.begin(), owner.end()));
  }
  EXPECT_EQ(std::set<int64_t>(seen.back().begin(), seen.back().end()), accepted);
}

}  // namespace
}  // namespace sluice::storage
