#include "rig/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace sluice::rig {
namespace {

using testing::HasSubstr;

std::shared_ptr<const Script> Parsed(std::string_view yaml) {
  auto script = Script::Parse(yaml, "s.yaml");
  EXPECT_TRUE(script.ok()) << script.status();
  return script.ok() ? *script : nullptr;
}

const Peer kPeer{.listener_ip = "127.0.0.5",
                 .listener_port = 2525,
                 .source_ip = "127.0.0.11",
                 .source_port = 40000,
                 .connection_id = 7};

// The reply for one recipient at `stage`; "normal" when no rule acts.
class ScriptTest : public testing::Test {
 protected:
  std::string Ask(const Script& script, Stage stage, std::string recipient,
                  const Peer& peer = kPeer) {
    const Action* action = script.Find(stage, peer, std::span(&recipient, 1), random_);
    return action ? action->reply : "normal";
  }
  std::mt19937_64 random_{1};
};

TEST(GlobTest, MatchesRunsAndSingleBytes) {
  EXPECT_TRUE(GlobMatches("*", ""));
  EXPECT_TRUE(GlobMatches("d?.test", "D1.test"));
  EXPECT_TRUE(GlobMatches("*.l.google.com", "a.b.l.google.com"));
  EXPECT_TRUE(GlobMatches("a*b*c", "axxbyyc"));
  EXPECT_FALSE(GlobMatches("a*b*c", "axxbyy"));
  EXPECT_FALSE(GlobMatches("d?.test", "d.test"));
  EXPECT_FALSE(GlobMatches("", "a"));
}

TEST(GlobTest, TakesNoExponentialTime) {
  EXPECT_FALSE(GlobMatches("*a*a*a*a*a*a*a*a*a*a*a*b", std::string(5000, 'a')));
}

TEST(ReplyToWireTest, WritesEveryLineWithTheCode) {
  EXPECT_EQ(*ReplyToWire("451 4.7.1 Later"), "451 4.7.1 Later\r\n");
  EXPECT_EQ(*ReplyToWire("550-5.1.1 first\n550 second"), "550-5.1.1 first\r\n550 second\r\n");
  EXPECT_EQ(*ReplyToWire("550 first\nsecond\n"), "550-first\r\n550 second\r\n");
  EXPECT_FALSE(ReplyToWire("199 too low").ok());
  EXPECT_FALSE(ReplyToWire("hello").ok());
}

TEST_F(ScriptTest, TakesTheFirstRuleThatMatches) {
  const auto script = Parsed(R"(
rules:
  - match: {domain: full.test, local: "vip*"}
    rcpt: "250 2.1.5 Always"
  - match: {domain: full.test}
    rcpt: "452 4.2.2 Mailbox full"
)");
  EXPECT_EQ(Ask(*script, Stage::kRcpt, "vip1@full.test"), "250 2.1.5 Always\r\n");
  EXPECT_EQ(Ask(*script, Stage::kRcpt, "a@FULL.test"), "452 4.2.2 Mailbox full\r\n");
  EXPECT_EQ(Ask(*script, Stage::kRcpt, "a@other.test"), "normal");
  EXPECT_EQ(Ask(*script, Stage::kDot, "a@full.test"), "normal");
}

TEST_F(ScriptTest, MatchesListenerAndSource) {
  const auto script = Parsed(R"(
rules:
  - {match: {listener: "127.0.0.5:25"}, mail: "451 port"}
  - {match: {source: "127.0.0.1?"}, mail: "451 source"}
)");
  EXPECT_EQ(Ask(*script, Stage::kMail, ""), "451 source\r\n");
  Peer other = kPeer;
  other.source_ip = "127.0.0.2";
  EXPECT_EQ(Ask(*script, Stage::kMail, "", other), "normal");
  other.listener_port = 25;
  EXPECT_EQ(Ask(*script, Stage::kMail, "", other), "451 port\r\n");
}

TEST_F(ScriptTest, ActsTheFirstTimesPerRecipient) {
  const auto script = Parsed("rules: [{first: 2, per: recipient, rcpt: '451 4.7.1 Greylisted'}]");
  for (const char* recipient : {"a@x.test", "b@x.test"}) {
    EXPECT_EQ(Ask(*script, Stage::kRcpt, recipient), "451 4.7.1 Greylisted\r\n");
    EXPECT_EQ(Ask(*script, Stage::kRcpt, recipient), "451 4.7.1 Greylisted\r\n");
    EXPECT_EQ(Ask(*script, Stage::kRcpt, recipient), "normal");
  }
  EXPECT_EQ(script->Uses()[0].fired, 4U);
}

TEST_F(ScriptTest, ActsEveryNthTime) {
  const auto script = Parsed("rules: [{every: 3, dot: '451 now and then'}]");
  std::string seen;
  for (int i = 0; i < 9; ++i) seen += Ask(*script, Stage::kDot, "a@x.test") == "normal" ? '.' : 'x';
  EXPECT_EQ(seen, "..x..x..x");
}

TEST_F(ScriptTest, ActsWithItsProbability) {
  const auto script = Parsed("rules: [{probability: 0.25, dot: '451 sometimes'}]");
  int acted = 0;
  for (int i = 0; i < 4000; ++i) acted += Ask(*script, Stage::kDot, "a@x.test") != "normal";
  EXPECT_NEAR(acted, 1000, 120);
}

TEST_F(ScriptTest, OneMatchingRecipientIsEnoughAtTheDot) {
  const auto script = Parsed("rules: [{match: {domain: drop.test}, dot: {drop: close}}]");
  const std::vector<std::string> recipients = {"a@fine.test", "b@drop.test"};
  const Action* action = script->Find(Stage::kDot, kPeer, recipients, random_);
  ASSERT_TRUE(action);
  EXPECT_EQ(action->drop, Drop::kClose);
}

TEST_F(ScriptTest, LeavesOutExtensionsForItsConnectionsOnly) {
  const auto script = Parsed(R"(
rules:
  - {match: {listener: 127.0.0.5}, without: [PIPELINING, chunking], messages_per_connection: 20}
  - {match: {listener: 127.0.0.6}, without: [STARTTLS]}
)");
  const ConnectionTerms terms = script->TermsFor(kPeer);
  EXPECT_FALSE(terms.extensions.pipelining);
  EXPECT_FALSE(terms.extensions.chunking);
  EXPECT_TRUE(terms.extensions.starttls);
  EXPECT_EQ(terms.messages_per_connection, 20U);
}

TEST_F(ScriptTest, ReadsAWholeAction) {
  const auto script = Parsed(
      "rules: [{data: {reply: '354 go', delay: 250ms, drip: 10ms, drop: mid_data, after_bytes: "
      "4096}}]");
  const std::string recipient = "a@b.test";
  const Action* action = script->Find(Stage::kData, kPeer, std::span(&recipient, 1), random_);
  ASSERT_TRUE(action);
  EXPECT_EQ(action->code, 354);
  EXPECT_EQ(action->delay, std::chrono::milliseconds(250));
  EXPECT_EQ(action->drip, std::chrono::milliseconds(10));
  EXPECT_EQ(action->drop, Drop::kMidData);
  EXPECT_EQ(action->after_bytes, 4096U);
}

struct BadScript {
  std::string yaml;
  std::string complaint;
};
class BadScriptTest : public testing::TestWithParam<BadScript> {};

TEST_P(BadScriptTest, IsRefusedNamingLineAndCure) {
  const auto script = Script::Parse(GetParam().yaml, "s.yaml");
  ASSERT_FALSE(script.ok());
  EXPECT_THAT(std::string(View(script.status().message())), HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    Faults, BadScriptTest,
    testing::Values(
        BadScript{"rules:\n  - rcptt: '451 x'", "s.yaml:2: unknown key in a rule"},
        BadScript{"rules:\n  - rcpt: 'no reply'", "s.yaml:2: 'no reply' is no reply"},
        BadScript{"rules: [{first: 0, rcpt: '451 x'}]", "above 0"},
        BadScript{"rules: [{probability: 2, rcpt: '451 x'}]", "probability is"},
        BadScript{"rules: [{match: {domain: a}, mail: '451 x'}]", "no recipient is known"},
        BadScript{"rules: [{match: {domain: a}, without: [DSN]}]", "hold for a connection"},
        BadScript{"rules: [{without: [XYZ]}]", "unknown extension"},
        BadScript{"rules: [{dot: {drop: mid_data}}]", "drop is"},
        BadScript{"rules: [{dot: {delay: soon}}]", "s.yaml:1"},
        BadScript{"rules: [{per: moon, rcpt: '451 x'}]", "per is"},
        BadScript{"rules: {a: b}", "must be a list"}, BadScript{"rules: [", "s.yaml:"},
        BadScript{"- a", "must be a map"}));

TEST_F(ScriptTest, MayBeEmpty) {
  EXPECT_TRUE(Parsed("")->empty());
  EXPECT_TRUE(Parsed("rules: []")->empty());
}

}  // namespace
}  // namespace sluice::rig
