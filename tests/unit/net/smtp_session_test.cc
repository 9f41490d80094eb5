// What dialogs over a socket cannot show: how many writes there are, that content is not copied,
// aborts.
#include "net/smtp_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/io_context.hpp>

#include "base/text.h"
#include "net/spawn.h"
#include "unit/net/fake_stream.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kAllOffered =
    "250-mx.example [127.0.0.1]\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-8BITMIME\r\n250 SIZE "
    "100000000\r\n";

class SmtpSessionTest : public testing::Test {
 protected:
  // A session that is ready, over a stream whose peer answers EHLO with `ehlo` and later writes by
  // `peer`.
  void Open(std::string_view ehlo, FakeStream::Peer peer) {
    const auto answer = [ehlo, peer](const FakeStream::Written& written) {
      return written.bytes.starts_with("EHLO") ? std::string(ehlo) : peer(written);
    };
    auto stream =
        std::make_unique<FakeStream>(io_.get_executor(), "220 mx.example ESMTP\r\n", answer);
    log_ = stream->log();
    stream_ = stream.get();
    SmtpSessionOptions options;
    options.ehlo = "client.example";
    options.mx_host = "mx.example";
    options.trace = [this](TraceDirection, std::string_view line) { trace_.emplace_back(line); };
    Spawn(io_.get_executor(), OpenOver(std::move(stream), options), "open");
    Run();
    ASSERT_TRUE(session_ != nullptr);
    log_->writes.clear();
    log_->read_count = 0;
    trace_.clear();
  }

  TransactionResult Send(const std::vector<std::string_view>& recipients,
                         const std::vector<std::string_view>& pieces,
                         std::string_view return_path = "a@x.example") {
    SmtpTransaction transaction;
    transaction.return_path = return_path;
    transaction.recipients = recipients;
    transaction.content.pieces = pieces;
    Spawn(io_.get_executor(), SendOver(transaction), "send");
    Run();
    return result_;
  }

  asio::awaitable<void> OpenOver(std::unique_ptr<Stream> stream, SmtpSessionOptions options) {
    OpenResult opened = co_await SmtpSession::OpenOver(std::move(stream), std::move(options));
    session_ = std::move(opened.session);
  }
  asio::awaitable<void> SendOver(SmtpTransaction transaction) {
    result_ = co_await session_->Send(transaction);
    is_sent_ = true;
  }
  // Until nothing can go on without time passing.
  void Run() {
    io_.restart();
    io_.poll();
  }

  asio::io_context io_;
  std::shared_ptr<FakeStream::Log> log_;
  FakeStream* stream_ = nullptr;
  std::unique_ptr<SmtpSession> session_;
  TransactionResult result_;
  bool is_sent_ = false;
  std::vector<std::string> trace_;
};

std::string ThreeOk(const FakeStream::Written&) {
  return "250 ok\r\n250 ok\r\n250 2.0.0 queued\r\n";
}

TEST_F(SmtpSessionTest, SendsAMessageInOneWriteAndReadsItsRepliesInOne) {
  Open(kAllOffered, ThreeOk);
  const std::string header = "Received: x\r\n";
  const std::string body(10'000, 'x');
  const TransactionResult result = Send({"r@y.example"}, {header, body, "\r\n"});

  EXPECT_TRUE(result.recipients[0].is_delivered());
  ASSERT_EQ(log_->writes.size(), 1U);
  EXPECT_EQ(log_->writes[0].bytes,
            Cat("MAIL FROM:<a@x.example> SIZE=10015\r\nRCPT TO:<r@y.example>\r\n",
                "BDAT 10015 LAST\r\n", header, body, "\r\n"));
  EXPECT_EQ(log_->read_count, 1U);
}

TEST_F(SmtpSessionTest, CopiesNoContent) {
  Open(kAllOffered, ThreeOk);
  const std::string body = "Subject: x\r\n\r\n.dot\r\n";
  Send({"r@y.example"}, {body});
  EXPECT_EQ(log_->writes[0].buffers.back(), body.data());
}

TEST_F(SmtpSessionTest, CopiesNoContentByDataUnlessALineBeginsWithADot) {
  Open("250-mx.example\r\n250 PIPELINING\r\n", [](const FakeStream::Written& written) {
    return written.bytes.starts_with("MAIL") ? "250 ok\r\n250 ok\r\n354 go\r\n" : "250 ok\r\n";
  });
  const std::string body = "Subject: x\r\n\r\nno dot.\r\n";
  EXPECT_TRUE(Send({"r@y.example"}, {body}).recipients[0].is_delivered());
  ASSERT_EQ(log_->writes.size(), 2U);
  EXPECT_EQ(log_->writes[1].buffers.front(), body.data());
  EXPECT_EQ(log_->writes[1].bytes, body + ".\r\n");
}

TEST_F(SmtpSessionTest, GoesOnAfterShortWrites) {
  std::string all;
  Open(kAllOffered, [&all](const FakeStream::Written& written) {
    all += written.bytes;
    return all.ends_with("end\r\n") ? std::string("250 ok\r\n250 ok\r\n250 ok\r\n") : std::string();
  });
  stream_->LimitWrites(7);
  EXPECT_TRUE(Send({"r@y.example"}, {"Subject: x\r\n", "\r\n", "the end\r\n"})
                  .recipients[0]
                  .is_delivered());
  EXPECT_THAT(all, HasSubstr("BDAT 23 LAST\r\nSubject: x\r\n\r\nthe end\r\n"));
}

TEST_F(SmtpSessionTest, SaysWhenTheLastByteOfContentIsOut) {
  Open(kAllOffered, [](const FakeStream::Written&) { return "250 ok\r\n250 ok\r\n"; });
  Send({"r@y.example"}, {"x\r\n"});
  EXPECT_FALSE(is_sent_);
  EXPECT_TRUE(session_->is_past_dot());
}

TEST_F(SmtpSessionTest, AbortEndsATransactionPastTheDotAsUnknown) {
  Open(kAllOffered, [](const FakeStream::Written&) { return "250 ok\r\n250 ok\r\n"; });
  Send({"r@y.example"}, {"x\r\n"});
  session_->Abort();
  Run();
  ASSERT_TRUE(is_sent_);
  EXPECT_EQ(result_.recipients[0].outcome.ending, Ending::kAborted);
  EXPECT_EQ(result_.recipients[0].outcome.stage, Stage::kBody);
  EXPECT_TRUE(result_.recipients[0].unknown_after_dot);
  EXPECT_FALSE(session_->is_past_dot());
  EXPECT_FALSE(session_->is_reusable());
  EXPECT_TRUE(log_->is_closed);
}

TEST_F(SmtpSessionTest, AbortBeforeTheDotIsNotUnknown) {
  Open("250 mx.example\r\n", [](const FakeStream::Written&) { return ""; });
  Send({"r@y.example"}, {"x\r\n"});
  EXPECT_FALSE(session_->is_past_dot());
  session_->Abort();
  Run();
  EXPECT_EQ(result_.recipients[0].outcome.stage, Stage::kMail);
  EXPECT_FALSE(result_.recipients[0].unknown_after_dot);
}

TEST_F(SmtpSessionTest, DecidesABadAddressByItselfAndSendsToTheOthers) {
  Open(kAllOffered, ThreeOk);
  const TransactionResult result = Send({"a b\r\nRCPT TO:<evil@y>", "r@y.example"}, {"x\r\n"});
  EXPECT_EQ(result.recipients[0].outcome.stage, Stage::kLocal);
  EXPECT_EQ(result.recipients[0].outcome.reply.enhanced, (EnhancedStatus{5, 1, 3}));
  EXPECT_TRUE(result.recipients[1].is_delivered());
  EXPECT_THAT(log_->writes[0].bytes, testing::Not(HasSubstr("evil")));
}

TEST_F(SmtpSessionTest, SendsNothingForABadReturnPathOrTooManyRecipients) {
  Open(kAllOffered, ThreeOk);
  EXPECT_EQ(Send({"r@y.example"}, {"x\r\n"}, "a\r\n@x").recipients[0].outcome.stage, Stage::kLocal);
  const std::vector<std::string_view> many(kMaxRecipientsPerTransaction + 1, "r@y.example");
  EXPECT_EQ(Send(many, {"x\r\n"}).recipients.back().outcome.stage, Stage::kLocal);
  EXPECT_TRUE(Send({}, {"x\r\n"}).recipients.empty());
  EXPECT_TRUE(log_->writes.empty());
  EXPECT_TRUE(session_->is_reusable());
}

TEST_F(SmtpSessionTest, TakesUnaskedBytesForAStaleConnection) {
  Open(kAllOffered, [](const FakeStream::Written&) {
    return "250 ok\r\n250 ok\r\n250 ok\r\n421 4.4.2 bye\r\n";
  });
  EXPECT_TRUE(Send({"r@y.example"}, {"x\r\n"}).recipients[0].is_delivered());
  const TransactionResult result = Send({"r@y.example"}, {"x\r\n"});
  EXPECT_TRUE(result.stale_connection);
  EXPECT_EQ(log_->writes.size(), 1U);
}

TEST_F(SmtpSessionTest, TracesLinesButNoContent) {
  Open(kAllOffered, ThreeOk);
  Send({"r@y.example"}, {"secret\r\n"});
  EXPECT_THAT(trace_,
              ElementsAre("MAIL FROM:<a@x.example> SIZE=8", "RCPT TO:<r@y.example>", "BDAT 8 LAST",
                          "content, 8 bytes", "250 ok", "250 ok", "250 2.0.0 queued"));
}

TEST_F(SmtpSessionTest, KeepsWhatThePeerSaidOfItself) {
  Open(kAllOffered, ThreeOk);
  EXPECT_EQ(session_->greeting().text, "mx.example ESMTP");
  EXPECT_THAT(session_->ehlo_reply().text, HasSubstr("[127.0.0.1]"));
  EXPECT_EQ(session_->extensions().max_size_bytes, 100'000'000U);
  EXPECT_EQ(session_->transaction_count(), 0U);
  EXPECT_EQ(session_->tls(), nullptr);
}

TEST_F(SmtpSessionTest, DefersWhenTheEhloNameOfTheSourceIsUnusable) {
  auto stream = std::make_unique<FakeStream>(io_.get_executor(), "220 mx\r\n", ThreeOk);
  SmtpSessionOptions options;
  options.ehlo = "bad name";
  Spawn(io_.get_executor(), OpenOver(std::move(stream), options), "open");
  Run();
  EXPECT_EQ(session_, nullptr);
}

}  // namespace
}  // namespace sluice
