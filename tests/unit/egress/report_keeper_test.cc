#include "egress/report_keeper.h"

#include <gtest/gtest.h>

#include <array>

#include "unit/egress/fakes.h"

namespace sluice::egress {
namespace {

std::vector<int64_t> EntriesOf(const std::vector<NumberedReport>& reports) {
  std::vector<int64_t> ids;
  for (const NumberedReport& numbered : reports) ids.push_back(numbered.report->entry.value());
  return ids;
}

TEST(ReportKeeperTest, KeepsAReportUntilAnOwnerShowsUp) {
  ReportKeeper keeper;
  keeper.Open(1);
  keeper.Add(MakeReport(IdIn(4, 1)));
  EXPECT_EQ(keeper.QueuedCount(1), 0U);

  keeper.OwnShards(1, std::array{4});
  EXPECT_EQ(EntriesOf(keeper.Take(1, 10)), std::vector{IdIn(4, 1)});
}

TEST(ReportKeeperTest, NumbersRunFromOneInEachStream) {
  ReportKeeper keeper;
  keeper.Open(1);
  keeper.OwnShards(1, std::array{0});
  for (int64_t id = 1; id <= 3; ++id) keeper.Add(MakeReport(id));
  EXPECT_EQ(keeper.Take(1, 2).back().number, 2);
  EXPECT_EQ(keeper.Settle(1, 1), 1U);
  EXPECT_EQ(keeper.Take(1, 2).front().number, 3);

  keeper.Close(1);
  keeper.Open(2);
  keeper.OwnShards(2, std::array{0});
  const auto again = keeper.Take(2, 10);
  EXPECT_EQ(EntriesOf(again), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(again.front().number, 1);
}

TEST(ReportKeeperTest, SettlesUpToTheNumberAndIgnoresNumbersNeverSent) {
  ReportKeeper keeper;
  keeper.Open(1);
  keeper.OwnShards(1, std::array{0});
  for (int64_t id = 1; id <= 5; ++id) keeper.Add(MakeReport(id));
  keeper.Take(1, 3);
  EXPECT_EQ(keeper.Settle(1, 1000), 3U);
  EXPECT_EQ(keeper.Settle(1, 1000), 0U);
  EXPECT_EQ(keeper.Settle(99, 5), 0U);
  EXPECT_EQ(keeper.size(), 2U);
}

TEST(ReportKeeperTest, SplitsReportsAmongTheOwnersOfTheirShards) {
  ReportKeeper keeper;
  keeper.Open(1);
  keeper.Open(2);
  keeper.OwnShards(1, std::array{0, 1});
  keeper.OwnShards(2, std::array{2});
  keeper.Add(MakeReport(IdIn(1, 7)));
  keeper.Add(MakeReport(IdIn(2, 8)));
  EXPECT_EQ(EntriesOf(keeper.Take(1, 10)), std::vector{IdIn(1, 7)});
  EXPECT_EQ(EntriesOf(keeper.Take(2, 10)), std::vector{IdIn(2, 8)});
}

TEST(ReportKeeperTest, ShardThatMovesTakesItsReportsAlongAlsoThoseSent) {
  ReportKeeper keeper;
  keeper.Open(1);
  keeper.Open(2);
  keeper.OwnShards(1, std::array{0, 1});
  keeper.Add(MakeReport(IdIn(1, 7)));
  keeper.Add(MakeReport(IdIn(0, 8)));
  keeper.Take(1, 10);
  keeper.Add(MakeReport(IdIn(1, 9)));

  keeper.OwnShards(2, std::array{1});
  EXPECT_EQ(EntriesOf(keeper.Take(2, 10)), (std::vector{IdIn(1, 7), IdIn(1, 9)}));
  EXPECT_EQ(keeper.Settle(1, 2), 1U) << "the number of the report that moved counts for nothing";
  EXPECT_EQ(keeper.size(), 2U);
}

TEST(ReportKeeperTest, ReportThatWasRefusedWaitsForTheNextWordOnItsShard) {
  ReportKeeper keeper;
  keeper.Open(1);
  keeper.OwnShards(1, std::array{0});
  keeper.Add(MakeReport(5));
  keeper.Take(1, 10);

  keeper.NotOwned(1, std::array<int64_t, 3>{1, 44, -3});
  EXPECT_EQ(keeper.QueuedCount(1), 0U) << "not straight back to where it was refused";
  EXPECT_FALSE(keeper.MayBegin(1, ShardId(0)));
  EXPECT_EQ(keeper.Settle(1, 1), 0U);
  EXPECT_EQ(keeper.Pending(), std::vector{QueueEntryId(5)});

  keeper.OwnShards(1, std::array{0});
  EXPECT_EQ(keeper.Take(1, 10).front().number, 2);
}

TEST(ReportKeeperTest, PendingNamesEachReportOnceWhereverItIs) {
  ReportKeeper keeper;
  keeper.Open(1);
  keeper.OwnShards(1, std::array{0});
  keeper.Add(MakeReport(1));
  keeper.Take(1, 1);
  keeper.Add(MakeReport(2));
  keeper.Add(MakeReport(IdIn(9, 3)));
  EXPECT_EQ(keeper.Pending().size(), 3U);
  EXPECT_EQ(keeper.size(), 3U);
}

TEST(ReportKeeperTest, AnybodyMayBeginWhatNobodyHasClaimed) {
  ReportKeeper keeper;
  keeper.Open(1);
  EXPECT_TRUE(keeper.MayBegin(1, ShardId(0)));
  keeper.OwnShards(1, std::array{0});
  EXPECT_TRUE(keeper.MayBegin(1, ShardId(0)));
  EXPECT_FALSE(keeper.MayBegin(2, ShardId(0)));
  keeper.OwnShards(1, std::span<const int>());
  EXPECT_FALSE(keeper.MayBegin(1, ShardId(0))) << "given up";
}

}  // namespace
}  // namespace sluice::egress
