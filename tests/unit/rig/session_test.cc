#include "rig/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace sluice::rig {
namespace {

using Next = Session::Next;
using testing::HasSubstr;

class SessionTest : public testing::Test {
 protected:
  SessionTest() { Use(""); }

  void Use(std::string_view yaml) {
    auto script = Script::Parse(yaml, "s.yaml");
    ASSERT_TRUE(script.ok()) << script.status();
    context_.script = *script;
    context_.tokens = &ledger_;
    context_.latency = &latency_;
    session_ = std::make_unique<Session>(context_, counters_, kPeer);
    step_ = session_->Greet(now_);
    WriteAll();
  }
  // What the sink says to `text`, all written.
  std::string Say(std::string_view text) {
    said_.clear();
    pending_ += text;
    std::string_view input = pending_;
    step_ = session_->Consume(input, now_);
    pending_ = std::string(input);
    WriteAll();
    return said_;
  }
  void WriteAll() {
    said_ += session_->output();
    session_->Sent(session_->output().size(), now_);
  }
  std::string Codes(std::string_view text) {
    std::istringstream lines(Say(text));
    std::string codes, line;
    while (std::getline(lines, line)) {
      if (line[3] == ' ') Append(codes, codes.empty() ? "" : " ", line.substr(0, 3));
    }
    return codes;
  }
  uint64_t Counted(Count which) const { return counters_.Get(which); }

  const Peer kPeer{.listener_ip = "127.0.0.5",
                   .listener_port = 2525,
                   .source_ip = "127.0.0.11",
                   .source_port = 40000,
                   .connection_id = 7};
  SessionContext context_;
  TokenLedger ledger_{1000};
  LatencyHistogram latency_;
  Counters counters_;
  Instant now_ = FromMicros(1'800'000'000'000'000);
  std::unique_ptr<Session> session_;
  Session::Step step_;
  std::string pending_, said_;
};

constexpr std::string_view kHello = "EHLO mta.example\r\n";
constexpr std::string_view kEnvelope = "MAIL FROM:<a@shop.example>\r\nRCPT TO:<b@d1.test>\r\n";

TEST_F(SessionTest, AnswersAPipelinedGroupInOnePiece) {
  EXPECT_EQ(Codes(Cat(kHello, kEnvelope, "DATA\r\n")), "250 250 250 354");
  EXPECT_EQ(Codes(Cat("X-Rig-Token: 00ff\r\n\r\nhello\r\n.\r\n", kEnvelope, "BDAT 3 LAST\r\nabc")),
            "250 250 250 250");
  EXPECT_EQ(Counted(Count::kDotReceived), 2U);
  EXPECT_EQ(Counted(Count::kRepliedOk), 2U);
  EXPECT_EQ(ledger_.Times("00ff", "b@d1.test"), 1U);
}

TEST_F(SessionTest, SaysTheSameHoweverItsInputIsCut) {
  const std::string dialog = Cat(kHello, kEnvelope, "DATA\r\nSubject: x\r\n\r\n..\r\n.\r\n",
                                 kEnvelope, "BDAT 4\r\n.\r\nxBDAT 0 LAST\r\nNOOP\r\nQUIT\r\n");
  std::string all;
  for (const char c : dialog) all += Say(std::string_view(&c, 1));
  SetUp();
  Use("");
  pending_.clear();
  EXPECT_EQ(all, Say(dialog));
  EXPECT_THAT(all, HasSubstr("221 2.0.0"));
  EXPECT_EQ(Counted(Count::kRepliedOk), 4U);
}

TEST_F(SessionTest, OffersWhatItDoes) {
  EXPECT_EQ(
      Say(kHello),
      "250-sink.test Hello mta.example [127.0.0.11]\r\n250-PIPELINING\r\n250-CHUNKING\r\n"
      "250-SIZE 67108864\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n"
      "250 STARTTLS\r\n");
}

TEST_F(SessionTest, LeavesOutWhatTheScriptSays) {
  Use("rules: [{without: [DSN, STARTTLS, CHUNKING, ENHANCEDSTATUSCODES]}]");
  EXPECT_EQ(
      Say(kHello),
      "250-sink.test Hello mta.example [127.0.0.11]\r\n250-PIPELINING\r\n250-SIZE 67108864\r\n"
      "250-8BITMIME\r\n250 SMTPUTF8\r\n");
  EXPECT_EQ(Say("MAIL FROM:<a@b>\r\n"), "250 OK\r\n");
  EXPECT_EQ(Codes("RCPT TO:<a@b> NOTIFY=NEVER\r\nBDAT 3 LAST\r\n"), "555 501");
  EXPECT_EQ(step_.next, Next::kClose);
}

TEST_F(SessionTest, RefusesParametersNotOffered) {
  Use("rules: [{without: [SMTPUTF8, 8BITMIME]}]");
  Say(kHello);
  EXPECT_EQ(Codes("MAIL FROM:<a@b> SMTPUTF8\r\n"), "555");
  EXPECT_EQ(Codes("MAIL FROM:<a@b> BODY=8BITMIME\r\n"), "555");
  EXPECT_EQ(Codes("MAIL FROM:<\xc3\xa4@b>\r\n"), "553");
  EXPECT_EQ(Codes("MAIL FROM:<a@b> SIZE=67108865\r\n"), "552");
  EXPECT_EQ(Codes("MAIL FROM:<a@b> SIZE=67108864 RET=HDRS ENVID=x\r\n"), "250");
}

TEST_F(SessionTest, HoldsTheOrderOfCommands) {
  EXPECT_EQ(Codes("MAIL FROM:<a@b>\r\n"), "503");
  EXPECT_EQ(Codes(Cat(kHello, "RCPT TO:<a@b>\r\nDATA\r\n")), "250 503 503");
  EXPECT_EQ(Codes("MAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\nDATA\r\n"), "250 503 554");
  EXPECT_EQ(Codes("RSET\r\nRCPT TO:<a@b>\r\n"), "250 503");
}

TEST_F(SessionTest, ReadsPastTheChunkOfARefusedTransaction) {
  Use("rules: [{rcpt: '550 5.1.1 No such user'}]");
  EXPECT_EQ(Codes(Cat(kHello, kEnvelope, "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")),
            "250 250 550 554 250");
  EXPECT_EQ(Counted(Count::kDataBegun), 0U);
}

TEST_F(SessionTest, DecidesAtTheDotByAnyRecipient) {
  Use("rules: [{match: {local: bad}, dot: '554 5.6.0 Spam'}]");
  Say(kHello);
  EXPECT_EQ(Codes(Cat(kEnvelope, "RCPT TO:<bad@d1.test>\r\nBDAT 1 LAST\r\nx")), "250 250 250 554");
  EXPECT_EQ(Codes(Cat(kEnvelope, "BDAT 1 LAST\r\nx")), "250 250 250");
  EXPECT_EQ(Counted(Count::kRefusedAfterDot), 1U);
  EXPECT_EQ(Counted(Count::kRepliedOk), 1U);
}

TEST_F(SessionTest, ADropInPlaceOfTheReplyToTheDotLeavesItUnanswered) {
  Use("rules: [{dot: close}]");
  Say(kHello);
  EXPECT_EQ(Codes(Cat(kEnvelope, "DATA\r\nX-Rig-Token: 0a\r\n\r\n.\r\n")), "250 250 354");
  EXPECT_EQ(step_.next, Next::kAbort);
  session_->Ended(now_);
  EXPECT_EQ(Counted(Count::kDotReceived), 1U);
  EXPECT_EQ(Counted(Count::kDroppedAfterDot), 1U);
  EXPECT_EQ(ledger_.totals().unanswered, 1U);
  EXPECT_EQ(ledger_.Times("0a", "b@d1.test"), 1U);
}

TEST_F(SessionTest, AReplyNotWrittenWholeIsNoReply) {
  Say(kHello);
  std::string input = Cat(kEnvelope, "BDAT 1 LAST\r\nx");
  std::string_view view = input;
  session_->Consume(view, now_);
  session_->Sent(session_->output().size() - 1, now_);
  EXPECT_EQ(Counted(Count::kRepliedOk), 0U);
  session_->Ended(now_);
  EXPECT_EQ(Counted(Count::kDroppedAfterDot), 1U);
}

TEST_F(SessionTest, DropsInMidData) {
  Use("rules: [{data: {drop: mid_data, after_bytes: 5}}]");
  Say(kHello);
  EXPECT_EQ(Codes(Cat(kEnvelope, "DATA\r\n")), "250 250 354");
  Say("abc");
  EXPECT_EQ(step_.next, Next::kRead);
  Say("de");
  EXPECT_EQ(step_.next, Next::kAbort);
  session_->Ended(now_);
  EXPECT_EQ(Counted(Count::kDataBegun), 1U);
  EXPECT_EQ(Counted(Count::kDotReceived), 0U);
}

TEST_F(SessionTest, WaitsBeforeADelayedReplyAndGoesOnAfterIt) {
  Use("rules: [{match: {local: slow}, rcpt: {delay: 2s}}]");
  Say(kHello);
  EXPECT_EQ(Codes("MAIL FROM:<a@b>\r\nRCPT TO:<slow@b>\r\nRCPT TO:<c@b>\r\n"), "250");
  EXPECT_EQ(step_.next, Next::kPause);
  EXPECT_EQ(step_.pause, std::chrono::seconds(2));
  said_.clear();
  step_ = session_->Resume(now_);
  EXPECT_EQ(step_.next, Next::kRead);
  EXPECT_EQ(Codes(""), "250 250");
}

TEST_F(SessionTest, DripsAReplyByteByByte) {
  Use("rules: [{dot: {reply: '250 ok', drip: 10ms}}]");
  Say(kHello);
  EXPECT_EQ(Say(Cat(kEnvelope, "BDAT 1 LAST\r\nx")), "250 2.1.0 OK\r\n250 2.1.5 OK\r\n2");
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(step_.next, Next::kPause);
    EXPECT_EQ(Counted(Count::kRepliedOk), 0U);
    step_ = session_->Resume(now_);
    WriteAll();
  }
  EXPECT_THAT(said_, testing::EndsWith("250 ok\r\n"));
  EXPECT_EQ(step_.next, Next::kRead);
  EXPECT_EQ(Counted(Count::kRepliedOk), 1U);
}

TEST_F(SessionTest, SendsAwayAfterItsMessagesPerConnection) {
  Use("rules: [{messages_per_connection: 2}]");
  Say(kHello);
  EXPECT_EQ(Codes(Cat(kEnvelope, "BDAT 0 LAST\r\n", kEnvelope, "BDAT 0 LAST\r\n")),
            "250 250 250 250 250 250");
  EXPECT_EQ(Codes("MAIL FROM:<a@b>\r\n"), "421");
  EXPECT_EQ(step_.next, Next::kClose);
}

TEST_F(SessionTest, ForgetsTheHelloUnderTls) {
  Say(kHello);
  EXPECT_EQ(Codes("STARTTLS\r\n"), "220");
  EXPECT_EQ(step_.next, Next::kStartTls);
  session_->TlsStarted(now_);
  EXPECT_EQ(Codes("MAIL FROM:<a@b>\r\n"), "503");
  EXPECT_EQ(Say(kHello).find("STARTTLS"), std::string::npos);
}

TEST_F(SessionTest, CountsHowFarEachGot) {
  Say(kHello);
  Say("MAIL FROM:<a@b>\r\nRSET\r\n");
  Say(Cat(kEnvelope, "RSET\r\n"));
  Say(Cat(kEnvelope, "DATA\r\nhalf"));
  session_->Ended(now_);
  EXPECT_EQ(Counted(Count::kConnected), 1U);
  EXPECT_EQ(Counted(Count::kMail), 3U);
  EXPECT_EQ(Counted(Count::kRcpt), 2U);
  EXPECT_EQ(Counted(Count::kDataBegun), 1U);
  EXPECT_EQ(Counted(Count::kDotReceived), 0U);
  EXPECT_EQ(Counted(Count::kDroppedAfterDot), 0U);
}

TEST_F(SessionTest, MeasuresFromTheTokensTimeToTheDot) {
  Say(kHello);
  const std::string token = MakeToken(now_ - std::chrono::milliseconds(5), 1);
  Say(Cat(kEnvelope, "DATA\r\nX-Rig-Token: ", token, "\r\n\r\n.\r\n"));
  EXPECT_EQ(latency_.count(), 1U);
  EXPECT_EQ(latency_.max(), std::chrono::milliseconds(5));
}

TEST_F(SessionTest, RefusesBareLfAndEndlessLines) {
  Say(kHello);
  EXPECT_EQ(Codes("NOOP\n"), "500");
  EXPECT_EQ(Counted(Count::kBareLf), 1U);
  EXPECT_EQ(Codes(std::string(Session::kMaxLine + 1, 'x')), "500");
  EXPECT_EQ(step_.next, Next::kClose);
}

TEST_F(SessionTest, CutsOffContentWithoutEnd) {
  context_.max_size = 10;
  Say(kHello);
  EXPECT_EQ(Codes(Cat(kEnvelope, "BDAT 15 LAST\r\n123456789012345")), "250 250 552");
  EXPECT_EQ(Codes(Cat(kEnvelope, "DATA\r\n1234567890123456789012345")), "250 250 354");
  EXPECT_EQ(step_.next, Next::kAbort);
}

TEST_F(SessionTest, NotesPipeliningItDidNotOffer) {
  Use("rules: [{without: [PIPELINING]}]");
  Say(kHello);
  Say("MAIL FROM:<a@b>\r\n");
  EXPECT_EQ(Counted(Count::kUnofferedPipelining), 0U);
  Say("RSET\r\nNOOP\r\n");
  EXPECT_EQ(Counted(Count::kUnofferedPipelining), 1U);
}

class RecordTest : public SessionTest {
 protected:
  RecordTest() : path_(testing::TempDir() + "rig_record_XXXXXX"), fd_(mkstemp(path_.data())) {}
  ~RecordTest() override {
    close(fd_);
    unlink(path_.c_str());
  }
  std::string path_;
  int fd_;
};

TEST_F(RecordTest, HasALinePerTransaction) {
  TransactionLog log(fd_, Recording::kDigest);
  context_.log = &log;
  context_.recording = Recording::kDigest;
  Use("rules: [{match: {local: no}, rcpt: '550 5.1.1 No'}]");
  Say(kHello);
  Say(Cat(kEnvelope, "RCPT TO:<no@d1.test>\r\nBDAT 3 LAST\r\nabc"));
  Say("MAIL FROM:<\"q\\\"\"@b>\r\nRSET\r\n");
  log.Flush();
  std::ostringstream text;
  text << std::ifstream(path_).rdbuf();
  const std::string digest = DigestText(XXH3_128bits("abc", 3));
  EXPECT_EQ(
      text.str(),
      Cat(R"({"t":1800000000.000000,"src":"127.0.0.11:40000","dst":"127.0.0.5:2525","ehlo":"mta.example",)",
          R"("tls":false,"from":"a@shop.example","to":["b@d1.test"],"refused":["no@d1.test"],)",
          R"("reached":"replied","code":250,"size":3,"xxh3":")", digest, "\"}\n",
          R"({"t":1800000000.000000,"src":"127.0.0.11:40000","dst":"127.0.0.5:2525","ehlo":"mta.example",)",
          R"("tls":false,"from":"\"q\\\"\"@b","to":[],"refused":[],"reached":"mail","code":0,"size":0})",
          "\n"));
}

TEST(JsonStringTest, StaysJsonWhateverComes) {
  std::string out;
  AppendJsonString(out, "a\"\\\n\x7f\xff\xc3\xa4\xed\xa0\x80");
  EXPECT_EQ(out, "\"a\\\"\\\\\\u000a\\u007f\\u00ff\xc3\xa4\\u00ed\\u00a0\\u0080\"");
}

}  // namespace
}  // namespace sluice::rig
