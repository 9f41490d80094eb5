#include "egress/egress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "unit/egress/egress_rig.h"

namespace sluice::egress {
namespace {

using rig::Count;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::Pair;
using std::chrono::seconds;

// The reply to each dot comes late, so that transactions are under way while the test acts.
constexpr char kSlowDot[] = R"(
rules:
  - match: {}
    dot: {delay: 600ms, reply: "250 2.0.0 slow"}
)";

v1::DeliverResponse Batch(uint64_t first, uint64_t count, const std::string& source) {
  v1::DeliverResponse batch;
  for (uint64_t id = first; id < first + count; ++id) AddMessage(batch, id, source);
  return batch;
}

TEST(EgressTest, DeliversFromEachSourceAndReportsEveryEntryOnce) {
  EgressRig rig;
  rig.Begin({SourceAt("ip-11", "127.0.0.11"), SourceAt("ip-12", "127.0.0.12")});
  for (uint64_t i = 0; i < 10; ++i) {
    rig.scheduler().Send(Batch(1 + i * 100, 50, "ip-11"));
    rig.scheduler().Send(Batch(51 + i * 100, 50, "ip-12"));
  }

  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() >= 1000; }));
  const Heard heard = rig.scheduler().heard();
  EXPECT_EQ(heard.CountReports(v1::DISPOSITION_DELIVERED), 1000U);
  std::set<uint64_t> entries;
  int64_t number = 0;
  for (const v1::AttemptReport& report : heard.reports) {
    EXPECT_EQ(report.report_number(), ++number);
    EXPECT_EQ(report.attempt_id(), report.queue_entry_id() + 1'000'000);
    EXPECT_EQ(report.attempt().stage(), v1::STAGE_BODY);
    EXPECT_EQ(report.attempt().mx_address(), "127.0.0.1");
    entries.insert(report.queue_entry_id());
  }
  EXPECT_EQ(entries.size(), 1000U);
  EXPECT_TRUE(heard.returns.empty());
  EXPECT_EQ(rig.sink().Get(Count::kRepliedOk, "127.0.0.11"), 500U);
  EXPECT_EQ(rig.sink().Get(Count::kRepliedOk, "127.0.0.12"), 500U);
  EXPECT_LE(rig.sink().Get(Count::kConnected, "127.0.0.11"), 20U);
}

// One content and `count` entries of it.
v1::DeliverResponse Shared(uint64_t message, uint64_t count, const std::string& source) {
  v1::DeliverResponse batch;
  AddContent(batch, message, "Subject: x\r\n\r\nHello\r\n");
  for (uint64_t id = message; id < message + count; ++id) {
    AddRelease(batch, id, source).set_message_id(message);
  }
  return batch;
}

TEST(EgressTest, RecipientsOfOneMessageShareTransactionsUpToTheLimit) {
  EgressRig rig;
  TrialSource source = SourceAt("ip-11", "127.0.0.11", 1);
  source.recipients_per_transaction = 20;
  rig.Begin({source});
  rig.scheduler().Send(Shared(1, 60, "ip-11"));

  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 60; }));
  const Heard heard = rig.scheduler().heard();
  EXPECT_EQ(heard.CountReports(v1::DISPOSITION_DELIVERED), 60U);
  std::set<uint64_t> entries;
  for (const v1::AttemptReport& report : heard.reports) entries.insert(report.queue_entry_id());
  EXPECT_EQ(entries.size(), 60U) << "each recipient has its own report";
  EXPECT_EQ(rig.sink().Total(Count::kMail), 3U);
  EXPECT_EQ(rig.sink().Total(Count::kRecipientsAccepted), 60U);
}

TEST(EgressTest, EachRecipientOfATransactionHasItsOwnFate) {
  EgressRig rig({.sink_script = R"(
rules:
  - match: {local: "r2"}
    rcpt: "550 5.1.1 No such user"
  - match: {local: "r3"}
    rcpt: "450 4.2.1 Later"
)",
                 .hosts = {}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 1)});
  rig.scheduler().Send(Shared(1, 5, "ip-11"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 5; }));
  std::map<uint64_t, v1::Disposition> fates;
  for (const v1::AttemptReport& report : rig.scheduler().heard().reports) {
    fates[report.queue_entry_id()] = report.attempt().disposition();
  }
  EXPECT_THAT(fates, ElementsAre(Pair(1, v1::DISPOSITION_DELIVERED),
                                 Pair(2, v1::DISPOSITION_BOUNCED), Pair(3, v1::DISPOSITION_DEFERRED),
                                 Pair(4, v1::DISPOSITION_DELIVERED),
                                 Pair(5, v1::DISPOSITION_DELIVERED)));
  EXPECT_EQ(rig.sink().Total(Count::kMail), 1U);
}

TEST(EgressTest, WhatAPeerTakesNoMoreOfGoesInTheNextTransactionsAtOnce) {
  EgressRig rig({.sink_script = R"(
rules:
  - match: {}
    every: 3
    rcpt: "452 4.5.3 Too many recipients"
)",
                 .hosts = {}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 1)});
  rig.scheduler().Send(Shared(1, 40, "ip-11"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 40; }));
  // A first recipient that gets 452 is deferred: it may be its verdict.
  EXPECT_GE(rig.scheduler().heard().CountReports(v1::DISPOSITION_DELIVERED), 35U);
  EXPECT_LE(rig.sink().Total(Count::kMail), 40U);
}

TEST(EgressTest, AConnectionLostPastTheDotIsAPossibleDuplicateForAllItsRecipients) {
  EgressRig rig({.sink_script = R"(
rules:
  - match: {}
    dot: {drop: close}
)",
                 .hosts = {}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 1)});
  rig.scheduler().Send(Shared(1, 7, "ip-11"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 7; }));
  for (const v1::AttemptReport& report : rig.scheduler().heard().reports) {
    EXPECT_EQ(report.attempt().disposition(), v1::DISPOSITION_DEFERRED);
    EXPECT_TRUE(report.attempt().possible_duplicate());
  }
}

TEST(EgressTest, AUtf8AddressSharesNoTransactionWithOthers) {
  EgressRig rig({.sink_script = R"(
rules:
  - {without: [SMTPUTF8]}
)",
                 .hosts = {}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 1)});
  v1::DeliverResponse batch = Shared(1, 6, "ip-11");
  batch.mutable_releases(3)->set_recipient("grüße@example.com");
  rig.scheduler().Send(batch);
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 6; }));
  const Heard heard = rig.scheduler().heard();
  EXPECT_EQ(heard.CountReports(v1::DISPOSITION_DELIVERED), 5U);
  EXPECT_EQ(heard.CountReports(v1::DISPOSITION_BOUNCED), 1U);
}

TEST(EgressTest, APeerThatEndsConnectionsAfterSomeMessagesDefersNothing) {
  EgressRig rig({.sink_script = R"(
rules:
  - {messages_per_connection: 4}
)",
                 .hosts = {}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 1)});
  rig.scheduler().Send(Batch(1, 60, "ip-11"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 60; }));
  EXPECT_EQ(rig.scheduler().heard().CountReports(v1::DISPOSITION_DELIVERED), 60U);
  EXPECT_EQ(rig.sink().Total(Count::kConnected), 15U);
  // Learnt after two connections: the others were ended by us.
  EXPECT_GE(rig.sink().Total(Count::kQuit), 10U);
}

TEST(EgressTest, RecipientsOfOtherMessagesNeverShareATransaction) {
  EgressRig rig;
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 1)});
  v1::DeliverResponse batch = Shared(1, 10, "ip-11");
  batch.MergeFrom(Shared(101, 10, "ip-11"));
  // Recipients in turns.
  for (int i = 0; i < 9; ++i) batch.mutable_releases()->SwapElements(i + 1, 19 - i);
  rig.scheduler().Send(batch);
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 20; }));
  EXPECT_EQ(rig.scheduler().heard().CountReports(v1::DISPOSITION_DELIVERED), 20U);
  EXPECT_EQ(rig.sink().Total(Count::kMail), 2U);
}

TEST(EgressTest, AsksForContentThatItDoesNotHave) {
  EgressRig rig;
  rig.Begin({SourceAt("ip-11", "127.0.0.11")});
  v1::DeliverResponse release;
  AddRelease(release, 7, "ip-11");
  rig.scheduler().Send(release);
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return !heard.content_needed.empty(); }));
  EXPECT_EQ(rig.scheduler().heard().content_needed, std::vector<uint64_t>{7});

  v1::DeliverResponse content;
  AddContent(content, 7, "Subject: x\r\n\r\nHello\r\n");
  rig.scheduler().Send(content);
  EXPECT_TRUE(rig.scheduler().WaitUntil(
      [](const Heard& heard) { return heard.CountReports(v1::DISPOSITION_DELIVERED) == 1; }));
}

TEST(EgressTest, GivesBackWhatItMayNotBeginOnceTheLeaseHasLapsed) {
  EgressRig rig;
  rig.scheduler().AnswerHeartbeats(true, milliseconds(1));
  rig.Begin({SourceAt("ip-11", "127.0.0.11")});
  rig.scheduler().AnswerHeartbeats(false);
  rig.scheduler().Send(Batch(1, 20, "ip-11"));

  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.returns.size() == 20; }));
  EXPECT_EQ(rig.scheduler().heard().CountReturns("lease"), 20U);
  EXPECT_EQ(rig.sink().Total(Count::kMail), 0U);
}

TEST(EgressTest, CutOffItFinishesWhatItBeganAndBeginsNothing) {
  EgressRig rig({.sink_script = kSlowDot, .hosts = {}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 2)});
  rig.scheduler().Send(Batch(1, 20, "ip-11"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.begun.size() == 2; }));

  rig.scheduler().Cut();
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.deliver_count == 2; }));
  rig.scheduler().Own({0});
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 2; }));
  const Heard heard = rig.scheduler().heard();
  EXPECT_EQ(heard.CountReports(v1::DISPOSITION_DELIVERED), 2U);
  EXPECT_EQ(heard.reports[0].report_number(), 1) << "numbers start anew with the stream";
  EXPECT_EQ(rig.sink().Total(Count::kMail), 2U) << "the other 18 were given up";
  std::set<uint64_t> held;
  const v1::Inventory& inventory = heard.inventories.back();
  held.insert(inventory.begun().begin(), inventory.begun().end());
  held.insert(inventory.reported().begin(), inventory.reported().end());
  EXPECT_EQ(held, heard.begun) << "the inventory names exactly what was begun";
}

TEST(EgressTest, ReportsNotAcknowledgedAreSentAgainAfterReconnecting) {
  EgressRig rig;
  rig.scheduler().Acknowledge(false);
  rig.Begin({SourceAt("ip-11", "127.0.0.11")});
  rig.scheduler().Send(Batch(1, 30, "ip-11"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 30; }));

  rig.scheduler().Acknowledge(true);
  rig.scheduler().Cut();
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.deliver_count == 2; }));
  rig.scheduler().Own({0});
  EXPECT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 60; }));
  EXPECT_EQ(rig.sink().Total(Count::kRepliedOk), 30U);
}

TEST(EgressTest, RecallBringsBackWhatHasNotBegun) {
  EgressRig rig({.sink_script = kSlowDot, .hosts = {}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 2), SourceAt("ip-12", "127.0.0.12", 2)});
  rig.scheduler().Send(Batch(1, 20, "ip-11"));
  rig.scheduler().Send(Batch(101, 2, "ip-12"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.begun.size() == 4; }));

  rig.scheduler().Recall(42, "ip-11");
  ASSERT_TRUE(rig.scheduler().WaitUntil(
      [](const Heard& heard) { return heard.returns.size() == 18 && heard.reports.size() == 4; }));
  EXPECT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.orders_done.back() == 42; }));
  const Heard heard = rig.scheduler().heard();
  EXPECT_EQ(heard.orders_done.back(), 42);
  EXPECT_EQ(heard.CountReturns("recall"), 18U);
  EXPECT_EQ(rig.sink().Total(Count::kMail), 4U);
}

TEST(EgressTest, DrainGivesBackWhatHasNotBegunAndBringsTheRestHome) {
  EgressRig rig({.sink_script = kSlowDot, .hosts = {}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 2)});
  rig.scheduler().Send(Batch(1, 20, "ip-11"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.begun.size() == 2; }));

  rig.egress().Drain();
  const Heard heard = rig.scheduler().heard();
  EXPECT_TRUE(heard.is_draining);
  EXPECT_EQ(heard.CountReturns("drain"), 18U);
  EXPECT_EQ(heard.CountReports(v1::DISPOSITION_DELIVERED), 2U);
  EXPECT_EQ(rig.egress().Stats().held, 0U);
}

TEST(EgressTest, SourceThatCannotBeBoundIsReportedAndNeverReplaced) {
  EgressRig rig;
  rig.Begin({SourceAt("here", "127.0.0.11"), SourceAt("elsewhere", "192.0.2.1")});
  const Heard first = rig.scheduler().heard();
  EXPECT_TRUE(first.assignment_results[0].bound());
  EXPECT_FALSE(first.assignment_results[1].bound());
  EXPECT_THAT(first.assignment_results[1].error(), testing::HasSubstr("192.0.2.1"));

  rig.scheduler().Send(Batch(1, 5, "elsewhere"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.returns.size() == 5; }));
  EXPECT_EQ(rig.scheduler().heard().CountReturns("source_lost"), 5U);
  EXPECT_EQ(rig.sink().Total(Count::kConnected), 0U);
}

TEST(EgressTest, TriesTheNextMxHostWhenTheFirstRefuses) {
  AddressAnswer dead, alive;
  dead.status = alive.status = DnsStatus::kOk;
  dead.addresses = {"127.0.0.99"};
  alive.addresses = {"127.0.0.1"};
  EgressRig rig(
      {.sink_script = {}, .hosts = {{"mx1.example.com", dead}, {"mx2.example.com", alive}}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11")});
  v1::DeliverResponse batch;
  for (uint64_t id = 1; id <= 10; ++id) {
    AddMessage(batch, id, "ip-11", {"mx1.example.com", "mx2.example.com"});
  }
  rig.scheduler().Send(batch);

  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 10; }));
  EXPECT_EQ(rig.scheduler().heard().CountReports(v1::DISPOSITION_DELIVERED), 10U);
  EXPECT_EQ(rig.scheduler().heard().reports[0].attempt().mx_host(), "mx2.example.com");
}

TEST(EgressTest, DefersEveryWaitingEntryWhenNoMxHostCanBeReached) {
  EgressRig rig;
  rig.Begin({SourceAt("ip-11", "127.0.0.11")});
  v1::DeliverResponse batch;
  for (uint64_t id = 1; id <= 50; ++id)
    AddMessage(batch, id, "ip-11", {"127.0.0.98", "127.0.0.99"});
  rig.scheduler().Send(batch);

  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 50; }));
  for (const v1::AttemptReport& report : rig.scheduler().heard().reports) {
    EXPECT_EQ(report.attempt().disposition(), v1::DISPOSITION_DEFERRED);
    EXPECT_EQ(report.attempt().reply().enhanced_status(), "4.4.1");
    EXPECT_EQ(report.attempt().reply_class(), "remote_sys");
    EXPECT_EQ(report.attempt().stage(), v1::STAGE_CONNECT);
  }
}

TEST(EgressTest, RefusesToDeliverToItselfAndDefersWhenOnlySomeHostsLoop) {
  AddressAnswer alias;
  alias.status = DnsStatus::kOk;
  alias.addresses = {"198.51.100.1"};
  alias.is_alias = true;
  EgressRig rig({.sink_script = {}, .hosts = {{"alias.example.com", alias}}, .testing = false});
  rig.Begin({SourceAt("ip-11", "127.0.0.11")});
  v1::DeliverResponse batch;
  AddMessage(batch, 1, "ip-11", {"127.0.0.1", "alias.example.com"});
  AddMessage(batch, 2, "ip-11", {"nowhere.example.com", "127.0.0.1"});
  batch.mutable_releases(1)->set_site("other.example.com");
  rig.scheduler().Send(batch);

  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 2; }));
  for (const v1::AttemptReport& report : rig.scheduler().heard().reports) {
    const bool loops = report.queue_entry_id() == 1;
    EXPECT_EQ(report.attempt().disposition(),
              loops ? v1::DISPOSITION_BOUNCED : v1::DISPOSITION_DEFERRED);
    EXPECT_EQ(report.attempt().reply().enhanced_status(), loops ? "5.4.4" : "4.4.3");
  }
  EXPECT_EQ(rig.sink().Total(Count::kConnected), 0U);
}

TEST(EgressTest, EncryptsWhereOfferedAndFallsBackWhenTheHandshakeFails) {
  for (const bool is_broken : {false, true}) {
    EgressRig rig({.sink_script = is_broken ? R"(
rules:
  - match: {}
    starttls: {handshake: bad}
)"
                                            : "",
                   .hosts = {},
                   .use_tls = true});
    rig.Begin({SourceAt("ip-11", "127.0.0.11", 1)});
    rig.scheduler().Send(Batch(1, 3, "ip-11"));
    ASSERT_TRUE(
        rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 3; }));
    for (const v1::AttemptReport& report : rig.scheduler().heard().reports) {
      EXPECT_EQ(report.attempt().disposition(), v1::DISPOSITION_DELIVERED);
      EXPECT_EQ(report.attempt().tls().version().empty(), is_broken);
    }
  }
}

TEST(EgressTest, RefusalsKeepTheirStageAndClassAndHarmNobodyElse) {
  EgressRig rig({.sink_script = R"(
rules:
  - match: {local: "r2"}
    rcpt: "550 5.1.1 No such user"
  - match: {local: "r3"}
    dot: "451 4.3.0 Later"
)",
                 .hosts = {}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 1)});
  rig.scheduler().Send(Batch(1, 5, "ip-11"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 5; }));
  const Heard heard = rig.scheduler().heard();
  EXPECT_EQ(heard.CountReports(v1::DISPOSITION_DELIVERED), 3U);
  for (const v1::AttemptReport& report : heard.reports) {
    if (report.queue_entry_id() == 2) {
      EXPECT_EQ(report.attempt().disposition(), v1::DISPOSITION_BOUNCED);
      EXPECT_EQ(report.attempt().stage(), v1::STAGE_RCPT);
      EXPECT_EQ(report.attempt().reply_class(), "rcpt_bad");
      EXPECT_EQ(report.attempt().reply().code(), 550);
    }
    if (report.queue_entry_id() == 3) {
      EXPECT_EQ(report.attempt().disposition(), v1::DISPOSITION_DEFERRED);
      EXPECT_EQ(report.attempt().stage(), v1::STAGE_BODY);
    }
  }
}

TEST(EgressTest, ConnectionLostBetweenDotAndReplyIsAPossibleDuplicate) {
  EgressRig rig({.sink_script = R"(
rules:
  - match: {}
    dot: {drop: close}
)",
                 .hosts = {}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 1)});
  rig.scheduler().Send(Batch(1, 1, "ip-11"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 1; }));
  const v1::AttemptReport report = rig.scheduler().heard().reports[0];
  EXPECT_EQ(report.attempt().disposition(), v1::DISPOSITION_DEFERRED);
  EXPECT_TRUE(report.attempt().possible_duplicate());
}

TEST(EgressTest, ConnectionLimitsHoldAndEveryMessageIsStillDelivered) {
  EgressRig rig;
  TrialSource source = SourceAt("ip-11", "127.0.0.11", 3);
  source.messages_per_connection = 10;
  rig.Begin({source});
  rig.scheduler().Send(Batch(1, 200, "ip-11"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 200; }));
  EXPECT_EQ(rig.scheduler().heard().CountReports(v1::DISPOSITION_DELIVERED), 200U);
  EXPECT_GE(rig.sink().Total(Count::kConnected), 20U);
}

TEST(EgressTest, IdleConnectionsAreClosedWithQuit) {
  EgressRig rig({.sink_script = {}, .hosts = {}, .idle = milliseconds(50)});
  rig.Begin({SourceAt("ip-11", "127.0.0.11", 1)});
  rig.scheduler().Send(Batch(1, 1, "ip-11"));
  ASSERT_TRUE(
      rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() == 1; }));
  // The wait is for the sink, which has no signal: another message must find the connection gone.
  uint64_t id = 2;
  for (; id < 50 && rig.sink().Total(Count::kQuit) == 0; ++id) {
    rig.scheduler().WaitUntil([](const Heard&) { return false; }, milliseconds(100));
  }
  EXPECT_EQ(rig.sink().Total(Count::kQuit), 1U);
}

}  // namespace
}  // namespace sluice::egress
