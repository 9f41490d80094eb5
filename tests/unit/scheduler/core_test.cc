#include <gmock/gmock.h>

#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kDelivered = 1, kDeferred = 2, kBounced = 3;

struct CoreTest : ::testing::Test {
  void SetUp() override {
    rig.TakeShard();
    port = rig.Connect();
    rig.Bind();
  }
  CoreRig rig;
  std::shared_ptr<FakePort> port;
};

TEST_F(CoreTest, HandsWhatWasHandedOffToAnEgressAndSettlesItsReport) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(1));
  EXPECT_EQ(port->contents, 1u);
  EXPECT_EQ(port->released[0].payload.recipient, "u@d.test");
  EXPECT_EQ(port->released[0].attempt, 1);
  EXPECT_EQ(port->released[0].pool, "warm");

  rig.Report("egress-1", port->released[0], kDelivered, 1);
  rig.Run();
  EXPECT_THAT(rig.Kinds(), ElementsAre("delivered"));
  EXPECT_EQ(port->settled_through, 1);
  EXPECT_EQ(rig.core.Snapshot().entries, 0);
  EXPECT_EQ(rig.core.Snapshot().content_bytes, 0);
}

TEST_F(CoreTest, WhoWasSuppressedAfterAcceptanceIsNotSentTo) {
  rig.world.suppressed.insert({"shop", "u@d.test"});
  rig.HandOff(rig.Batch(1, 1));
  rig.HandOff(rig.Batch(2, 10, 1, "e.test"));
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(1));
  EXPECT_EQ(port->released[0].payload.recipient, "u@e.test");
  ASSERT_THAT(rig.Kinds(), ElementsAre("suppressed"));
  EXPECT_EQ(rig.world.events[0].change, storage::Settlement::Change::kEnd);
  EXPECT_EQ(rig.core.Snapshot().entries, 1);
  EXPECT_EQ(rig.core.Snapshot().in_flight, 1);
}

TEST_F(CoreTest, AcknowledgesAReportOnlyAfterItsCommit) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  rig.Report("egress-1", port->released[0], kDelivered, 1);
  rig.core.Turn();
  EXPECT_EQ(port->settled_through, 0);
  rig.Commit();
  rig.core.Turn();
  EXPECT_EQ(port->settled_through, 1);
}

TEST_F(CoreTest, ASettlementThatFailedIsTriedAgainAndNothingIsAcknowledgedMeanwhile) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  rig.Report("egress-1", port->released[0], kDelivered, 1);
  rig.core.Turn();
  ASSERT_THAT(rig.world.settling, SizeIs(1));
  rig.world.settling.clear();
  rig.core.OnSettleFailed();
  rig.core.Turn();
  EXPECT_EQ(port->settled_through, 0);
  rig.clock.Advance(std::chrono::seconds(1));
  rig.Run();
  EXPECT_THAT(rig.Kinds(), ElementsAre("delivered"));
  EXPECT_EQ(port->settled_through, 1);
}

TEST_F(CoreTest, IgnoresABatchHandedOffAgainAfterItsEntriesAreLongSettled) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  rig.Report("egress-1", port->released[0], kDelivered, 1);
  rig.Run();

  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(1));
  EXPECT_EQ(rig.core.Snapshot().entries, 0);
}

TEST_F(CoreTest, IgnoresATailThatArrivesAfterItsEntriesAreLongSettled) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  rig.Report("egress-1", port->released[0], kDelivered, 1);
  rig.Run();

  rig.core.OnTailed({{.shard = CoreRig::kShard, .writer = CoreRig::kWriter, .seq = 1,
                      .first_entry_id = rig.Id(1), .last_entry_id = rig.Id(1)}});
  EXPECT_THAT(rig.world.ranges, IsEmpty());
}

TEST_F(CoreTest, TailsWhatWasNeverHandedOff) {
  rig.core.OnTailed({{.shard = CoreRig::kShard, .writer = CoreRig::kWriter, .seq = 1,
                      .first_entry_id = rig.Id(1), .last_entry_id = rig.Id(2)}});
  ASSERT_THAT(rig.world.ranges, SizeIs(1));
  // The hand-off that comes late brings nothing new.
  rig.HandOff(rig.Batch(1, 1, 2));
  rig.Run();
  EXPECT_THAT(port->released, IsEmpty());
}

TEST_F(CoreTest, ABatchOfAWriterThatIsNotKnownToLiveWaitsForItsCheck) {
  HandedBatch batch = rig.Batch(1, 1);
  batch.writer = 99;
  rig.HandOff(std::move(batch));
  rig.Run();
  EXPECT_THAT(port->released, IsEmpty());
  EXPECT_THAT(rig.world.checks, ::testing::Contains(99));
}

TEST_F(CoreTest, DefersWithBackoffAndPrefersTheSourceOfTheLastAttempt) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  const std::string first = port->released[0].source;
  rig.Report("egress-1", port->released[0], kDeferred, 1, "rcpt");
  rig.Run();
  EXPECT_THAT(rig.Kinds(), ElementsAre("deferred"));
  EXPECT_THAT(port->released, SizeIs(1));

  rig.Pass(std::chrono::minutes(30), {"egress-1"});
  ASSERT_THAT(rig.world.fetches, SizeIs(1)) << "its content was let go";
  Fetched fetched{.request = rig.world.fetches[0], .entry_found = true, .payload = {}, .content = nullptr};
  fetched.payload.recipient = "u@d.test";
  auto content = std::make_shared<Content>();
  content->message_id = rig.Id(1);
  fetched.content = content;
  rig.core.OnFetched({fetched});
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(2));
  EXPECT_EQ(port->released[1].attempt, 2);
  EXPECT_EQ(port->released[1].source, first);
}

TEST_F(CoreTest, TriesAgainWhenThePeerSaysSo) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  const Instant now = rig.clock.Now();
  rig.Report("egress-1", port->released[0], kDeferred, 1, "rcpt", std::chrono::seconds(310));
  rig.Run();
  ASSERT_THAT(rig.world.events, SizeIs(1));
  EXPECT_EQ(rig.world.events[0].due_at, now + std::chrono::seconds(310));
}

TEST_F(CoreTest, ExpiresWhatIsTooOld) {
  rig.Bind({});
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  rig.clock.Advance(std::chrono::hours(25));
  rig.Run();
  EXPECT_THAT(rig.Kinds(), ElementsAre("expired"));
  EXPECT_EQ(rig.core.Snapshot().entries, 0);
}

TEST_F(CoreTest, BouncesAtOnceWhereADomainHasANullMx) {
  rig.HandOff(rig.Batch(1, 1));
  rig.core.Turn();
  MxAnswer answer;
  answer.status = DnsStatus::kOk;
  answer.kind = MxKind::kNull;
  rig.core.OnResolved(rig.world.lookups.at(0).first, answer, {});
  rig.world.lookups.clear();
  rig.Run();
  ASSERT_THAT(rig.Kinds(), ElementsAre("bounced"));
  EXPECT_EQ(rig.world.events[0].enhanced_status, "5.1.10");
}

TEST_F(CoreTest, DnsFailureDefersAndNeverBounces) {
  rig.HandOff(rig.Batch(1, 1));
  rig.core.Turn();
  rig.core.OnResolved(rig.world.lookups.at(0).first, MxAnswer(), {});
  rig.world.lookups.clear();
  rig.Run();
  EXPECT_THAT(rig.Kinds(), ElementsAre("deferred"));
}

TEST_F(CoreTest, ReleasesNothingOnceItsLeaseIsOver) {
  rig.core.OnLeaseExtended(rig.clock.Steady());
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  EXPECT_THAT(port->released, IsEmpty());
  rig.core.OnHeartbeat(rig.sessions["egress-1"], 1);
  EXPECT_EQ(port->valid, Duration(0));

  rig.core.OnLeaseExtended(rig.clock.Steady() + std::chrono::seconds(3));
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(1));
  rig.core.OnHeartbeat(rig.sessions["egress-1"], 2);
  EXPECT_EQ(port->valid, std::chrono::seconds(3));
}

TEST_F(CoreTest, GivesNothingOfALostEgressAwayBeforeItMustHaveStopped) {
  const auto other = rig.Connect("egress-2");
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(1));
  rig.core.OnEgressGone(rig.sessions["egress-1"]);
  rig.Bind({{"ip-1", "egress-2", true}, {"ip-2", "egress-2", true}});

  rig.Pass(std::chrono::seconds(9), {"egress-2"});
  EXPECT_THAT(other->released, IsEmpty());
  EXPECT_THAT(rig.world.fetches, IsEmpty());
  rig.Pass(std::chrono::seconds(5), {"egress-2"});
  EXPECT_THAT(rig.world.fetches, SizeIs(1)) << "chosen again, its content was let go";
}

TEST_F(CoreTest, ASilentEgressIsTreatedAsLost) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  rig.Pass(std::chrono::seconds(11), {});
  EXPECT_TRUE(port->closed);
  EXPECT_EQ(rig.core.Snapshot().in_flight, 0);
}

TEST_F(CoreTest, AnEgressThatComesBackKeepsWhatItHoldsAndTheRestIsFreeAtOnce) {
  rig.HandOff(rig.Batch(1, 1, 2));
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(2));
  const ReleasedEntry held = port->released[0];
  rig.core.OnEgressGone(rig.sessions["egress-1"]);

  const auto again = rig.Connect("egress-1", 1, {held.entry_id});
  rig.Run();
  ASSERT_THAT(rig.world.fetches, SizeIs(1));
  EXPECT_EQ(rig.world.fetches[0].entry_id, port->released[1].entry_id);
  rig.Report("egress-1", held, kDelivered, 1);
  rig.Run();
  EXPECT_THAT(rig.Kinds(), ElementsAre("delivered"));
}

TEST_F(CoreTest, ARestartedEgressFreesWhatItsOldProcessHeld) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  rig.core.OnEgressGone(rig.sessions["egress-1"]);
  const auto again = rig.Connect("egress-1", 2);
  rig.Run();
  EXPECT_THAT(rig.world.fetches, SizeIs(1));
}

// One egress that ends with everything it had begun, again and again.
class PoisonTest : public CoreTest {
 protected:
  // The egress ends with `entries` begun and is back as a new process; what is due by then is released to it.
  void EndEgressWith(const std::vector<ReleasedEntry>& entries) {
    DeliverInput input;
    for (const ReleasedEntry& entry : entries) input.begun.push_back(entry.entry_id);
    rig.core.OnDeliver(rig.sessions["egress-1"], std::move(input));
    rig.core.OnEgressGone(rig.sessions["egress-1"]);
    port = rig.Connect("egress-1", ++incarnation_);
    Settle();
  }
  void Settle() {
    rig.Run();
    rig.Pass(std::chrono::seconds(20), {"egress-1"});
    for (const FetchRequest& request : std::exchange(rig.world.fetches, {})) {
      auto content = std::make_shared<Content>();
      content->message_id = request.message_id;
      rig.core.OnFetched({{.request = request, .entry_found = true, .payload = {}, .content = content}});
    }
    rig.Run();
  }

 private:
  uint64_t incarnation_ = 1;
};

TEST_F(PoisonTest, MailThatEndsAnEgressThreeTimesIsHeld) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  for (int i = 0; i < 3; ++i) EndEgressWith(port->released);
  EXPECT_THAT(rig.Kinds(), ElementsAre("held"));
  EXPECT_EQ(rig.core.Snapshot().held, 1);
}

TEST_F(PoisonTest, TheCountOutlivesTheScheduler) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  EndEgressWith(port->released);
  ASSERT_THAT(rig.world.events, SizeIs(1));
  EXPECT_EQ(rig.world.events[0].crashes, 1);
  EXPECT_EQ(rig.world.events[0].attempts, 0);
  EXPECT_GT(rig.world.events[0].due_at, rig.world.events[0].occurred_at);
}

TEST_F(PoisonTest, SuspectsGoOneAtATimeAndNobodyElseIsBlamed) {
  rig.HandOff(rig.Batch(1, 1, 2));
  rig.Run();
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(port->released, SizeIs(2));
    EndEgressWith(port->released);
  }
  // Both were there both times; the third time only one of them is sent, beside mail that never did harm.
  rig.HandOff(rig.Batch(2, 3));
  rig.Run();
  ASSERT_THAT(port->released, SizeIs(2));
  const int64_t suspect = port->released[0].entry_id;
  EndEgressWith(port->released);
  EXPECT_THAT(rig.Kinds(), ElementsAre("held"));
  EXPECT_EQ(rig.world.events.back().entry_id, suspect);
  // The innocent one was not counted, and the other suspect has its turn.
  for (const storage::Settlement& event : rig.world.events) EXPECT_NE(event.entry_id, rig.Id(3));
  ASSERT_THAT(port->released, SizeIs(2));
}

TEST_F(CoreTest, AStaleDeliveryEndsAnEntryThatIsBeingTriedElsewhere) {
  const auto other = rig.Connect("egress-2");
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  const ReleasedEntry first = port->released[0];
  rig.core.OnEgressGone(rig.sessions["egress-1"]);
  rig.Bind({{"ip-1", "egress-2", true}, {"ip-2", "egress-2", true}});
  rig.Pass(std::chrono::seconds(15), {"egress-2"});
  ASSERT_THAT(rig.world.fetches, SizeIs(1));

  // The old egress did deliver it and is back to say so.
  rig.Connect("egress-1", 1, {first.entry_id});
  rig.Report("egress-1", first, kDelivered, 1);
  rig.Run();
  EXPECT_THAT(rig.Kinds(), ElementsAre("delivered"));
  EXPECT_EQ(rig.core.Snapshot().entries, 0);
  EXPECT_THAT(other->recalled, ElementsAre(first.entry_id));
}

TEST_F(CoreTest, EventsAreNumberedOnAfterTheNotesOfTheInbox) {
  rig.world.notes = 3;
  rig.Pass(std::chrono::seconds(1), {"egress-1"});
  rig.Run();
  ASSERT_EQ(rig.world.notes, 0);
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  rig.Report("egress-1", port->released[0], kDelivered, 1);
  while (rig.world.settling.empty()) {
    rig.core.Turn();
    rig.TakeInbox();
  }
  ASSERT_THAT(rig.world.settling_shards, SizeIs(1));
  EXPECT_EQ(rig.world.settling_shards[0].last_seq, 3);
}

TEST_F(CoreTest, ADeliveryReportedForAnEndedEntryIsOnlyALateDelivery) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  rig.Report("egress-1", port->released[0], kDelivered, 1);
  rig.Run();
  ReleasedEntry second = port->released[0];
  second.attempt_id = 12345;
  rig.Report("egress-1", second, kDelivered, 2);
  rig.Run();
  EXPECT_THAT(rig.Kinds(), ElementsAre("delivered", "late_delivery"));
  EXPECT_EQ(rig.world.events[1].change, storage::Settlement::Change::kNone);
  EXPECT_EQ(port->settled_through, 2);
}

TEST_F(CoreTest, ReportsOfAShardThatIsNotOursGoBack) {
  ReleasedEntry foreign;
  foreign.entry_id = foreign.message_id = int64_t{9} << 56 | 1;
  rig.Report("egress-1", foreign, kDelivered, 1);
  rig.Run();
  EXPECT_THAT(port->not_owned, ElementsAre(1));
  EXPECT_THAT(rig.Kinds(), IsEmpty());
  EXPECT_EQ(port->settled_through, 1);
}

TEST_F(CoreTest, CancelsWhatIsNotBegunAndNothingElse) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  HandedBatch later = rig.Batch(2, 2);
  later.messages[0].due_at = rig.clock.Now() + std::chrono::hours(1);
  rig.HandOff(std::move(later));
  rig.Run();
  EXPECT_THAT(rig.core.Cancel(rig.Id(1), {rig.Id(1)}), ElementsAre(std::pair(rig.Id(1), false)));
  EXPECT_THAT(rig.core.Cancel(rig.Id(2), {rig.Id(2)}), ElementsAre(std::pair(rig.Id(2), true)));
  rig.Run();
  EXPECT_THAT(rig.Kinds(), ElementsAre("cancelled"));
  rig.Pass(std::chrono::hours(2), {"egress-1"});
  EXPECT_THAT(port->released, SizeIs(1));
}

TEST_F(CoreTest, TheFirstAttemptIsNotEarly) {
  HandedBatch batch = rig.Batch(1, 1);
  batch.messages[0].due_at = rig.clock.Now() + std::chrono::minutes(10);
  rig.HandOff(std::move(batch));
  rig.Run();
  rig.Pass(std::chrono::minutes(10) - std::chrono::seconds(1), {"egress-1"});
  EXPECT_THAT(rig.world.lookups, IsEmpty());
  rig.Pass(std::chrono::seconds(3), {"egress-1"});
  EXPECT_THAT(rig.world.lookups, SizeIs(1));
}

TEST_F(CoreTest, HandsOverInPeaceAfterEverythingIsBack) {
  rig.HandOff(rig.Batch(1, 1, 2));
  rig.Run();
  rig.core.BeginHandover();
  EXPECT_EQ(port->recalls, 1);
  EXPECT_FALSE(rig.core.HandoverDone());
  DeliverInput input;
  input.returns = {{port->released[0].entry_id, port->released[0].attempt_id, "recall", ""}};
  rig.core.OnDeliver(rig.sessions["egress-1"], std::move(input));
  rig.Report("egress-1", port->released[1], kBounced, 1, "rcpt");
  rig.Run();
  EXPECT_TRUE(rig.core.HandoverDone());
  EXPECT_THAT(port->released, SizeIs(2)) << "nothing is released any more";
  EXPECT_THAT(rig.HandOff(rig.Batch(2, 9)).not_owned, ElementsAre(CoreRig::kShard));
}

TEST_F(CoreTest, StopsReleasingWhileSettlingLags) {
  rig.HandOff(rig.Batch(1, 1));
  rig.Run();
  rig.Report("egress-1", port->released[0], kDelivered, 1);
  rig.core.Turn();  // The transaction hangs.
  rig.clock.Advance(std::chrono::seconds(3));
  rig.HandOff(rig.Batch(2, 2));
  rig.core.Turn();
  rig.AnswerDns();
  rig.core.Turn();
  EXPECT_THAT(port->released, SizeIs(1));
  rig.Run();
  EXPECT_THAT(port->released, SizeIs(2));
}

TEST_F(CoreTest, WeightsHoldWhileEveryMemberIsOnlyBusy) {
  PolicyDocument policy = CoreRig::Policy();
  policy.pools[0].members[0].weight = 2;
  rig.core.SetPolicy(2, policy);
  rig.HandOff(rig.Batch(1, 1, 300));
  rig.Run();
  size_t reported = 0;
  while (reported < port->released.size()) {
    // One at a time: the path's window is full nearly always.
    rig.Report("egress-1", port->released[reported], kDelivered, static_cast<int64_t>(reported) + 1);
    ++reported;
    rig.Run();
  }
  ASSERT_THAT(port->released, SizeIs(300));
  const auto first = std::count_if(port->released.begin(), port->released.end(),
                                   [](const ReleasedEntry& entry) { return entry.source == "ip-1"; });
  EXPECT_EQ(first, 200);
}

TEST_F(CoreTest, AMemberWhosePathFailsLeavesItsTurnsToTheOthers) {
  rig.HandOff(rig.Batch(1, 1, 300));
  rig.Run();
  int64_t number = 0;
  size_t reported = 0;
  while (reported < port->released.size()) {
    const ReleasedEntry entry = port->released[reported++];
    // ip-1 answers nothing at first, then only that it cannot connect; ip-2 delivers.
    if (entry.source == "ip-1") continue;
    rig.Report("egress-1", entry, kDelivered, ++number);
    rig.Run();
  }
  const auto held = std::count_if(port->released.begin(), port->released.end(),
                                  [](const ReleasedEntry& entry) { return entry.source == "ip-1"; });
  ASSERT_LT(port->released.size(), 300u) << "its turn is waited for while it is only busy";
  for (const ReleasedEntry& entry : std::vector<ReleasedEntry>(port->released)) {
    if (entry.source == "ip-1") rig.Report("egress-1", entry, kDeferred, ++number, "connect");
  }
  rig.Run();
  while (reported < port->released.size()) {
    const ReleasedEntry entry = port->released[reported++];
    rig.Report("egress-1", entry, entry.source == "ip-1" ? kDeferred : kDelivered, ++number,
               entry.source == "ip-1" ? "connect" : "body");
    rig.Run();
  }
  EXPECT_EQ(port->released.size(), 300u);
  EXPECT_GT(held, 0);
}

}  // namespace
}  // namespace sluice::scheduler
