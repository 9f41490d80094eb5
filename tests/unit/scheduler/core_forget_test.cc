// Names that clients make ever anew are forgotten when no entry refers to them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "base/text.h"
#include "scheduler/facts.h"
#include "scheduler/names.h"
#include "scheduler/text_table.h"
#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

constexpr int kDelivered = 1;
constexpr int kMillion = 1'000'000;

TEST(ForgettingTest, AMillionTextsTakeTheRoomOfThoseInUse) {
  TextTable table;
  std::vector<uint32_t> used;
  uint32_t highest = 0;
  for (int i = 0; i < kMillion; ++i) {
    const std::string text = Cat("d", i, ".example");
    const uint32_t number = table.Number(text);
    ASSERT_EQ(table.Text(number), text);
    ASSERT_EQ(table.Number(text), number);
    highest = std::max(highest, number);
    used.push_back(number);
    if (used.size() < 1000) continue;
    for (size_t at = 0; at < used.size(); at += 2) table.Forget(used[at]);
    for (size_t at = 1; at < used.size(); at += 2) used[at / 2] = used[at];
    used.resize(used.size() / 2);
  }
  EXPECT_LT(highest, 1000U);
  EXPECT_LT(table.size(), 1000U);
}

TEST(ForgettingTest, AMillionKindsOfMailTakeTheRoomOfThoseMarked) {
  Names texts;
  FactsTable facts;
  const uint32_t kept = facts.Number({.campaign = texts.Number("kept")});
  uint32_t highest = 0;
  for (int i = 0; i < kMillion; ++i) {
    highest = std::max(highest, facts.Number({.tenant = 1, .campaign = texts.Number(Cat("campaign ", i))}));
    if (i % 5000 != 4999) continue;
    facts.BeginMarks();
    texts.BeginMarks();
    facts.Mark(kept);
    size_t at = 0;
    while (!facts.ForgetUnmarked(at, 1000, [&](const Facts& f) { texts.Mark(f.campaign); })) {
    }
    at = 0;
    while (!texts.ForgetUnmarked(at, 1000)) {
    }
    ASSERT_EQ(facts.size(), 1U);
    ASSERT_EQ(texts.size(), 1U);
  }
  EXPECT_LT(highest, 5001U);
  EXPECT_EQ(texts.Name(facts[kept].campaign), "kept");
}

class CoreForgetTest : public ::testing::Test {
 protected:
  static CoreOptions Few() {
    CoreOptions options;
    options.most_idle_facts = options.most_idle_domains = 2'000;
    return options;
  }
  void SetUp() override {
    rig.TakeShard();
    port = rig.Connect();
    rig.Bind();
  }
  // `count` messages, each of a campaign and to a domain of its own, both with its number in their names.
  void HandOff(int count, Duration later = {}) {
    HandedBatch batch = rig.Batch(seq++, next, count);
    for (HandedMessage& message : batch.messages) {
      message.campaign = Cat("campaign ", next);
      message.sender_domain = Cat("s", next, ".example");
      message.recipients[0].domain = Cat("d", next, ".test");
      message.recipients[0].payload.recipient = Cat("u@d", next, ".test");
      message.due_at = rig.clock.Now() + later;
      ++next;
    }
    rig.HandOff(std::move(batch));
  }
  void AnswerFetches() {
    std::vector<Fetched> fetched;
    for (const FetchRequest& request : std::exchange(rig.world.fetches, {})) {
      auto content = std::make_shared<Content>();
      content->message_id = request.message_id;
      fetched.push_back({.request = request, .entry_found = true, .payload = EntryPayload(), .content = content});
    }
    if (!fetched.empty()) rig.core.OnFetched(std::move(fetched));
  }
  void Deliver() {
    rig.clock.Advance(std::chrono::milliseconds(100));
    rig.core.OnHeartbeat(rig.sessions["egress-1"], 0);
    rig.Run();
    AnswerFetches();
    rig.Run();
    for (; reported < port->released.size(); ++reported) {
      const ReleasedEntry& entry = port->released[reported];
      const auto number = static_cast<uint32_t>(entry.message_id & 0xffffffff);
      ASSERT_EQ(entry.campaign, Cat("campaign ", number));
      ASSERT_EQ(entry.mx_hosts, std::vector<std::string>{Cat("mx.d", number, ".test")});
      rig.Report("egress-1", entry, kDelivered, static_cast<int64_t>(reported) + 1);
    }
    rig.Run();
  }

  CoreRig rig{true, Few()};
  std::shared_ptr<FakePort> port;
  int64_t seq = 1;
  uint32_t next = 1;
  size_t reported = 0;
};

TEST_F(CoreForgetTest, NamesThatComeAndGoAreBoundedByThoseInUse) {
  constexpr int kRounds = 200, kEach = 400, kWaiting = 300;
  HandOff(kWaiting, std::chrono::minutes(5));
  CoreSnapshot most;
  for (int round = 0; round < kRounds; ++round) {
    HandOff(kEach);
    Deliver();
    const CoreSnapshot now = rig.core.Snapshot();
    ASSERT_LE(now.entries, kWaiting + 2 * kEach);
    most.facts = std::max(most.facts, now.facts);
    most.texts = std::max(most.texts, now.texts);
    most.domains = std::max(most.domains, now.domains);
    most.sites = std::max(most.sites, now.sites);
  }
  for (int i = 0; i < 5; ++i) Deliver();
  EXPECT_EQ(port->released.size(), static_cast<size_t>(kRounds * kEach));
  EXPECT_LT(most.facts, 5'000);
  EXPECT_LT(most.texts, 10'000);
  EXPECT_LT(most.domains, 8'000) << "answers of DNS are kept for a while";
  EXPECT_LT(most.sites, 8'000);
  for (int i = 0; i < 10; ++i) rig.Pass(std::chrono::minutes(1), {"egress-1"});
  for (int i = 0; i < 5; ++i) Deliver();
  EXPECT_EQ(port->released.size(), static_cast<size_t>(kRounds * kEach + kWaiting)) << "those that waited are what they were";
  EXPECT_EQ(rig.core.Snapshot().entries, 0);
}

}  // namespace
}  // namespace sluice::scheduler
