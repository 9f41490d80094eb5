#include <gtest/gtest.h>

#include "egress/host_book.h"
#include "egress/ready_queue.h"
#include "unit/egress/fakes.h"

namespace sluice::egress {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
const SteadyInstant kStart{Duration(1'000'000)};

EntryPtr Ready(int64_t id, bool is_high) {
  EntryPtr entry = MakeEntry(nullptr, id);
  entry->is_high = is_high;
  return entry;
}

TEST(ReadyQueueTest, GivesHighBeforeNormalAndEachInItsOrder) {
  ReadyQueue queue;
  queue.Push(Ready(1, false));
  queue.Push(Ready(2, true));
  queue.Push(Ready(3, false));
  queue.Push(Ready(4, true));
  for (const int64_t id : {2, 4, 1, 3}) {
    ASSERT_NE(queue.Front(), nullptr);
    EXPECT_EQ(queue.Front()->id, QueueEntryId(id));
    EXPECT_EQ(queue.Pop()->id, QueueEntryId(id));
  }
  EXPECT_EQ(queue.Pop(), nullptr);
}

TEST(ReadyQueueTest, EntryPutBackIsTheNextOfItsClass) {
  ReadyQueue queue;
  queue.Push(Ready(1, false));
  queue.Push(Ready(2, false));
  EntryPtr first = queue.Pop();
  queue.PushFront(std::move(first));
  EXPECT_EQ(queue.Pop()->id, QueueEntryId(1));
}

TEST(ReadyQueueTest, ExtractsWhatAFilterNamesAndKeepsTheRestInOrder) {
  ReadyQueue queue;
  for (int64_t id = 1; id <= 6; ++id) queue.Push(Ready(id, id % 2 == 0));
  const auto taken = queue.Extract([](const Entry& e) { return e.id.value() <= 3; });
  EXPECT_EQ(taken.size(), 3U);
  for (const int64_t id : {4, 6, 5}) EXPECT_EQ(queue.Pop()->id, QueueEntryId(id));
  EXPECT_TRUE(queue.empty());
}

TEST(HostBookTest, PausesAHostTwiceAsLongAfterEachFailureUpToAMaximum) {
  HostBook book;
  SteadyInstant now = kStart;
  for (const int pause : {1, 2, 4, 8}) {
    book.Failed("mx1", {}, now);
    EXPECT_TRUE(book.IsPaused("mx1", now + seconds(pause) - Duration(1)));
    now += seconds(pause);
    EXPECT_FALSE(book.IsPaused("mx1", now));
  }
  for (int i = 0; i < 100; ++i) {
    book.Failed("mx1", {}, now);
    now += minutes(5);
    EXPECT_FALSE(book.IsPaused("mx1", now));
  }
}

TEST(HostBookTest, ConnectionsThatFailTogetherCountOnce) {
  HostBook book;
  for (int i = 0; i < 20; ++i) book.Failed("mx1", {}, kStart);
  EXPECT_FALSE(book.IsPaused("mx1", kStart + seconds(1)));
}

TEST(HostBookTest, HostThatWorksStartsAnew) {
  HostBook book;
  book.Failed("mx1", {}, kStart);
  book.Failed("mx1", {}, kStart + seconds(1));
  book.Worked("mx1");
  EXPECT_FALSE(book.IsPaused("mx1", kStart + seconds(1)));
  EXPECT_EQ(book.LastFailure("mx1"), nullptr);
  book.Failed("mx1", {}, kStart + seconds(9));
  EXPECT_FALSE(book.IsPaused("mx1", kStart + seconds(10)));
}

TEST(HostBookTest, RemembersWhyAHostIsPausedAndWhichNeedsPlainText) {
  HostBook book;
  book.Failed("mx1", {.stage = Stage::kBanner, .reply = {554, {}, "no"}, .address = "192.0.2.1"},
              kStart);
  ASSERT_NE(book.LastFailure("mx1"), nullptr);
  EXPECT_EQ(book.LastFailure("mx1")->reply.code, 554);

  book.UsePlainText("mx2", kStart);
  EXPECT_TRUE(book.IsPlainText("mx2", kStart + minutes(59)));
  EXPECT_FALSE(book.IsPlainText("mx2", kStart + minutes(60)));
  EXPECT_FALSE(book.IsBlank(kStart));
  EXPECT_TRUE(book.IsBlank(kStart + minutes(60)));
}

TEST(HostBookTest, RemembersABoundedNumberOfHosts) {
  HostBook book;
  for (int i = 0; i < 10'000; ++i) book.Failed(Cat("mx", i), {}, kStart);
  size_t paused = 0;
  for (int i = 0; i < 10'000; ++i) paused += book.IsPaused(Cat("mx", i), kStart) ? 1 : 0;
  EXPECT_LE(paused, HostBook::kMostHosts);
}

}  // namespace
}  // namespace sluice::egress
