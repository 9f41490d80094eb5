#include "egress/custody.h"

#include <gtest/gtest.h>

#include <array>

#include "unit/egress/fakes.h"

namespace sluice::egress {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class CustodyTest : public testing::Test {
 protected:
  // Says what the session owns, and takes the inventory that answers it.
  Inventory Own(const Session& session, FakeSink& sink, std::vector<int> shards) {
    sink.writes.clear();
    custody_.OwnShards(session, shards);
    if (sink.writes.size() != 1 || !sink.writes[0].inventory.has_value()) return {};
    Inventory inventory = *std::move(sink.writes[0].inventory);
    sink.writes.clear();
    custody_.Written(session);
    return inventory;
  }
  // A session whose lease holds for five seconds and whose stream is up.
  std::shared_ptr<Session> Connect(std::shared_ptr<FakeSink> sink) {
    auto session = custody_.Open();
    custody_.Attach(*session, sink);
    EXPECT_EQ(sink->writes.size(), 1U) << "the inventory comes first";
    sink->writes.clear();
    custody_.Written(*session);
    session->Renew(clock_.Steady(), seconds(60));
    return session;
  }
  EntryPtr Begun(const std::shared_ptr<Session>& session, int64_t id) {
    EntryPtr entry = MakeEntry(session, id);
    EXPECT_EQ(custody_.Admit(*entry), std::nullopt);
    EXPECT_TRUE(custody_.TryBegin(*entry));
    return entry;
  }

  FakeClock clock_;
  Custody custody_{clock_, 100};
  std::shared_ptr<FakeSink> sink_ = std::make_shared<FakeSink>();
};

TEST_F(CustodyTest, BeginsNothingBeforeTheFirstHeartbeatIsAnswered) {
  auto session = custody_.Open();
  EntryPtr entry = MakeEntry(session, 1);
  EXPECT_FALSE(custody_.TryBegin(*entry));
  EXPECT_FALSE(entry->is_begun);
}

TEST_F(CustodyTest, LeaseEndsFiveSecondsAfterTheHeartbeatWasSentHoweverLongTheSchedulerPromises) {
  auto session = Connect(sink_);

  clock_.Advance(seconds(5) - Duration(1));
  EXPECT_TRUE(custody_.TryBegin(*MakeEntry(session, 1)));
  clock_.Advance(Duration(1));
  EXPECT_FALSE(custody_.TryBegin(*MakeEntry(session, 2)));
}

TEST_F(CustodyTest, LeaseEndsEarlierWhenTheSchedulersOwnLeasesEndEarlier) {
  auto session = Connect(sink_);
  session->Renew(clock_.Steady(), seconds(2));

  clock_.Advance(seconds(2));
  EXPECT_FALSE(custody_.TryBegin(*MakeEntry(session, 1)));
}

TEST_F(CustodyTest, LeaseCountsFromSendingTheHeartbeatNotFromItsAnswer) {
  auto session = Connect(sink_);
  const SteadyInstant sent_at = clock_.Steady();
  clock_.Advance(seconds(4));
  session->Renew(sent_at, seconds(5));

  clock_.Advance(seconds(1));
  EXPECT_FALSE(custody_.TryBegin(*MakeEntry(session, 1)));
}

TEST_F(CustodyTest, SchedulerThatIsNotActiveHasNoLease) {
  auto session = Connect(sink_);
  session->Renew(clock_.Steady(), Duration(0));
  EXPECT_FALSE(custody_.TryBegin(*MakeEntry(session, 1)));
}

TEST_F(CustodyTest, BeginsNothingAfterItsLastInstant) {
  auto session = Connect(sink_);
  EntryPtr entry = MakeEntry(session, 1);
  entry->not_after = clock_.Now();
  EXPECT_FALSE(custody_.TryBegin(*entry));
}

TEST_F(CustodyTest, BeginsNothingForASessionThatIsClosed) {
  auto session = Connect(sink_);
  custody_.Close(*session);
  session->Renew(clock_.Steady(), seconds(5));
  EXPECT_FALSE(custody_.TryBegin(*MakeEntry(session, 1)));
}

TEST_F(CustodyTest, BeginsNothingForASessionWhoseShardWasTakenByAnother) {
  auto old_owner = Connect(sink_);
  Own(*old_owner, *sink_, {3});
  EntryPtr entry = MakeEntry(old_owner, IdIn(3, 7));

  auto new_sink = std::make_shared<FakeSink>();
  auto new_owner = Connect(new_sink);
  Own(*new_owner, *new_sink, {3});
  EXPECT_FALSE(custody_.TryBegin(*entry));
  EXPECT_TRUE(custody_.TryBegin(*MakeEntry(new_owner, IdIn(3, 7))));
}

TEST_F(CustodyTest, NeverBeginsOneEntryTwiceAtOnce) {
  auto session = Connect(sink_);
  EntryPtr first = Begun(session, 1);
  EntryPtr second = MakeEntry(session, 1);
  EXPECT_EQ(custody_.Admit(*second), ReturnReason::kLease);
  EXPECT_FALSE(custody_.TryBegin(*second));

  custody_.Report(*first, MakeReport(1));
  EXPECT_TRUE(custody_.TryBegin(*second));
}

TEST_F(CustodyTest, EntryOnceBegunStaysBegunWhenTheLeaseLapses) {
  auto session = Connect(sink_);
  EntryPtr entry = Begun(session, 1);
  clock_.Advance(seconds(60));
  EXPECT_TRUE(custody_.TryBegin(*entry));
}

TEST_F(CustodyTest, InventoryNamesWhatIsBegunAndWhatIsReportedForEveryShard) {
  auto session = Connect(sink_);
  EntryPtr begun = Begun(session, IdIn(1, 5));
  EntryPtr reported = Begun(session, IdIn(2, 6));
  custody_.Report(*reported, MakeReport(IdIn(2, 6)));
  custody_.Close(*session);

  auto next_sink = std::make_shared<FakeSink>();
  custody_.Attach(*custody_.Open(), next_sink);
  ASSERT_EQ(next_sink->writes.size(), 1U);
  ASSERT_TRUE(next_sink->writes[0].inventory.has_value());
  const Inventory& inventory = *next_sink->writes[0].inventory;
  EXPECT_TRUE(inventory.is_complete);
  EXPECT_EQ(inventory.begun, std::vector{QueueEntryId(IdIn(1, 5))});
  EXPECT_EQ(inventory.reported, std::vector{QueueEntryId(IdIn(2, 6))});
}

TEST_F(CustodyTest, LargeInventoryComesInPartsOfWhichTheLastSaysSo) {
  Custody custody(clock_, 100'000);
  auto session = custody.Open();
  session->Renew(clock_.Steady(), seconds(5));
  std::vector<EntryPtr> entries;
  for (int64_t id = 1; id <= 10'001; ++id) {
    entries.push_back(MakeEntry(session, id));
    ASSERT_TRUE(custody.TryBegin(*entries.back()));
  }
  custody.Attach(*session, sink_);
  custody.Written(*session);
  ASSERT_EQ(sink_->writes.size(), 2U);
  EXPECT_EQ(sink_->writes[0].inventory->begun.size(), 10'000U);
  EXPECT_FALSE(sink_->writes[0].inventory->is_complete);
  EXPECT_EQ(sink_->writes[1].inventory->begun.size(), 1U);
  EXPECT_TRUE(sink_->writes[1].inventory->is_complete);
}

TEST_F(CustodyTest, InventoryIsTakenWhenItIsWrittenAndReportsComeAfterIt) {
  auto session = Connect(sink_);
  Own(*session, *sink_, {0});
  EntryPtr entry = Begun(session, 1);
  clock_.Advance(seconds(1));
  custody_.AskContent(*session, MessageId(9));
  custody_.OwnShards(*session, std::array{0});
  custody_.Report(*entry, MakeReport(1));
  ASSERT_EQ(sink_->writes.size(), 1U);

  custody_.Written(*session);
  ASSERT_EQ(sink_->writes.size(), 2U);
  ASSERT_TRUE(sink_->writes[1].inventory.has_value());
  EXPECT_EQ(sink_->writes[1].inventory->reported, std::vector{QueueEntryId(1)});
  custody_.Written(*session);
  clock_.Advance(seconds(1));
  custody_.Flush(*session);
  ASSERT_EQ(sink_->writes.size(), 3U);
  EXPECT_EQ(sink_->writes[2].reports.size(), 1U);
}

TEST_F(CustodyTest, WritesTheFirstReportAtOnceAndTheNextOnesTogether) {
  auto session = Connect(sink_);
  Own(*session, *sink_, {0});
  clock_.Advance(seconds(1));
  std::vector<EntryPtr> entries;
  for (int64_t id = 1; id <= 3; ++id) entries.push_back(Begun(session, id));
  ASSERT_TRUE(sink_->writes.empty());

  custody_.Report(*entries[0], MakeReport(1));
  ASSERT_EQ(sink_->writes.size(), 1U);
  EXPECT_EQ(sink_->writes[0].reports.size(), 1U);
  EXPECT_EQ(sink_->writes[0].begun.size(), 2U) << "the report says what the notice would";

  custody_.Report(*entries[1], MakeReport(2));
  custody_.Written(*session);
  custody_.Report(*entries[2], MakeReport(3));
  EXPECT_EQ(sink_->writes.size(), 1U);
  clock_.Advance(milliseconds(2));
  custody_.Flush(*session);
  ASSERT_EQ(sink_->writes.size(), 2U);
  EXPECT_EQ(sink_->writes[1].reports.size(), 2U);
  EXPECT_EQ(sink_->writes[1].reports[1].number, 3);
}

TEST_F(CustodyTest, NeverHasTwoWritesUnderWay) {
  auto session = Connect(sink_);
  clock_.Advance(seconds(1));
  custody_.AskContent(*session, MessageId(1));
  ASSERT_EQ(sink_->writes.size(), 1U);

  clock_.Advance(seconds(1));
  for (int64_t id = 2; id < 200; ++id) custody_.AskContent(*session, MessageId(id));
  custody_.Flush(*session);
  EXPECT_EQ(sink_->writes.size(), 1U);
  custody_.Written(*session);
  EXPECT_EQ(sink_->writes.size(), 2U);
  EXPECT_EQ(sink_->writes[1].content_needed.size(), 198U);
}

TEST_F(CustodyTest, NoticesOfABeginWaitForAtMostTheFlushInterval) {
  auto session = Connect(sink_);
  clock_.Advance(seconds(1));
  EntryPtr entry = Begun(session, 1);
  ASSERT_EQ(sink_->flushes.size(), 1U);
  EXPECT_EQ(sink_->flushes[0], clock_.Steady() + Custody::kFlushInterval);

  custody_.Flush(*session);
  ASSERT_EQ(sink_->writes.size(), 1U);
  EXPECT_EQ(sink_->writes[0].begun, std::vector{QueueEntryId(1)});
}

TEST_F(CustodyTest, ReportsOfALostSessionGoToTheNextOwnerUnderItsOwnNumbers) {
  auto first = Connect(sink_);
  Own(*first, *sink_, {0});
  EntryPtr entry = Begun(first, 1);
  clock_.Advance(seconds(1));
  custody_.Report(*entry, MakeReport(1, 77));
  ASSERT_EQ(sink_->writes.size(), 1U);
  custody_.Close(*first);
  EXPECT_EQ(custody_.Stats().unacked, 1U);

  auto next_sink = std::make_shared<FakeSink>();
  auto second = Connect(next_sink);
  EXPECT_TRUE(next_sink->writes.empty()) << "nobody has said that it owns the shard";
  EXPECT_EQ(Own(*second, *next_sink, {0}).reported, std::vector{QueueEntryId(1)});
  clock_.Advance(milliseconds(2));
  custody_.Flush(*second);
  ASSERT_EQ(next_sink->writes.size(), 1U);
  ASSERT_EQ(next_sink->writes[0].reports.size(), 1U);
  EXPECT_EQ(next_sink->writes[0].reports[0].number, 1);
  EXPECT_EQ(next_sink->writes[0].reports[0].report->attempt_id, 77U);

  custody_.Settle(*second, 1);
  EXPECT_EQ(custody_.Stats().unacked, 0U);
  EXPECT_EQ(custody_.Stats().held, 0U);
}

TEST_F(CustodyTest, ReturnsToALostSessionAreDropped) {
  auto session = Connect(sink_);
  EntryPtr entry = MakeEntry(session, 1);
  EXPECT_EQ(custody_.Admit(*entry), std::nullopt);
  custody_.Close(*session);
  custody_.Return(*entry, ReturnReason::kLease);
  EXPECT_EQ(custody_.Stats().held, 0U);
  EXPECT_EQ(custody_.Stats().unwritten, 0U);
}

TEST_F(CustodyTest, RefusesMoreThanItMayHold) {
  Custody small(clock_, 2);
  auto session = small.Open();
  EXPECT_EQ(small.Admit(*MakeEntry(session, 1)), std::nullopt);
  EXPECT_EQ(small.Admit(*MakeEntry(session, 2)), std::nullopt);
  EXPECT_EQ(small.Admit(*MakeEntry(session, 3)), ReturnReason::kLease);
}

TEST_F(CustodyTest, DrainBeginsNothingMoreAndLetsReportsThrough) {
  auto session = Connect(sink_);
  Own(*session, *sink_, {0});
  EntryPtr begun = Begun(session, 1);
  clock_.Advance(seconds(1));

  custody_.StartDrain();
  EXPECT_EQ(custody_.Admit(*MakeEntry(session, 2)), ReturnReason::kDrain);
  EXPECT_FALSE(custody_.TryBegin(*MakeEntry(session, 3)));
  custody_.Report(*begun, MakeReport(1));
  ASSERT_EQ(sink_->writes.size(), 1U);
  EXPECT_EQ(sink_->writes[0].reports.size(), 1U);
}

}  // namespace
}  // namespace sluice::egress
