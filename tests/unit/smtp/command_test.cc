#include "smtp/command.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

Extensions AllOffered() {
  Extensions peer;
  peer.size = peer.eight_bit_mime = peer.smtputf8 = true;
  return peer;
}

std::string Mail(std::string_view return_path, const MailParameters& parameters,
                 const Extensions& peer) {
  std::string out;
  EXPECT_TRUE(AppendMail(out, return_path, parameters, peer).ok());
  return out;
}

TEST(CommandTest, WritesNoStrayBlank) {
  EXPECT_EQ(Mail("a@b.example", {}, {}), "MAIL FROM:<a@b.example>\r\n");
  EXPECT_EQ(Mail("", {}, {}), "MAIL FROM:<>\r\n");
}

TEST(CommandTest, SaysEachParameterOnlyIfThePeerOffersIt) {
  const MailParameters all{.size_bytes = 1234, .eight_bit = true, .smtputf8 = true};
  EXPECT_EQ(Mail("a@b.example", all, AllOffered()),
            "MAIL FROM:<a@b.example> SIZE=1234 BODY=8BITMIME SMTPUTF8\r\n");
  EXPECT_EQ(Mail("a@b.example", all, {}), "MAIL FROM:<a@b.example>\r\n");
}

TEST(CommandTest, AsksForNotificationsOnlyWherePeersOfferDsn) {
  Extensions peer;
  const MailParameters mail{.dsn_return = DsnReturn::kHeaders, .dsn_envelope_id = "QQ 314+159"};
  const RcptParameters rcpt{.dsn_notify = kDsnSuccess | kDsnDelay};
  std::string out;
  EXPECT_EQ(Mail("a@b.example", mail, peer), "MAIL FROM:<a@b.example>\r\n");
  EXPECT_TRUE(AppendRcpt(out, "c+d@e.example", rcpt, peer).ok());
  EXPECT_EQ(out, "RCPT TO:<c+d@e.example>\r\n");

  peer.dsn = true;
  out.clear();
  EXPECT_EQ(Mail("a@b.example", mail, peer),
            "MAIL FROM:<a@b.example> RET=HDRS ENVID=QQ+20314+2B159\r\n");
  EXPECT_EQ(Mail("a@b.example", {.dsn_return = DsnReturn::kFull}, peer),
            "MAIL FROM:<a@b.example> RET=FULL\r\n");
  EXPECT_TRUE(AppendRcpt(out, "c+d@e.example", rcpt, peer).ok());
  EXPECT_TRUE(AppendRcpt(out, "f@e.example", {.dsn_notify = kDsnNever | kDsnDelay}, peer).ok());
  EXPECT_TRUE(AppendRcpt(out, "g@e.example", {}, peer).ok());
  EXPECT_TRUE(AppendRcpt(out, "j\xc3\xbc+x@e.example",
                         {.smtputf8 = true, .dsn_notify = kDsnFailure}, peer)
                  .ok());
  EXPECT_EQ(out,
            "RCPT TO:<c+d@e.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+2Bd@e.example\r\n"
            "RCPT TO:<f@e.example> NOTIFY=NEVER ORCPT=rfc822;f@e.example\r\n"
            "RCPT TO:<g@e.example>\r\n"
            "RCPT TO:<j\xc3\xbc+x@e.example> NOTIFY=FAILURE ORCPT=utf-8;j\xc3\xbc\\x{2B}x@e.example"
            "\r\n");
}

TEST(CommandTest, TakesQuotedLocalParts) {
  std::string out;
  EXPECT_TRUE(AppendRcpt(out, "\"a b>c\"@d.example", {.smtputf8 = false}, {}).ok());
  EXPECT_EQ(out, "RCPT TO:<\"a b>c\"@d.example>\r\n");
}

TEST(CommandTest, RefusesWhatWouldEndTheLine) {
  using namespace std::string_view_literals;
  std::string out;
  for (const std::string_view address :
       {"a@b\r\nRCPT TO:<x@y>"sv, "a@b\n"sv, "a@b\r"sv, "a\0@b"sv, "a\x7f@b"sv}) {
    EXPECT_EQ(AppendRcpt(out, address, {.smtputf8 = true}, {}).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(AppendMail(out, address, {}, {}).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(AppendRcpt(out, "", {.smtputf8 = true}, {}).ok());
  EXPECT_FALSE(AppendRcpt(out, std::string(2000, 'a'), {.smtputf8 = true}, {}).ok());
  EXPECT_FALSE(AppendHello(out, "EHLO", "a b").ok());
  EXPECT_FALSE(AppendHello(out, "EHLO", "a\r\nb").ok());
  EXPECT_FALSE(AppendHello(out, "EHLO", "").ok());
  EXPECT_EQ(out, "");
}

TEST(CommandTest, Takes8BitAddressesOnlyWithSmtputf8) {
  std::string out;
  EXPECT_FALSE(AppendRcpt(out, "j\xc3\xbc@b.example", {.smtputf8 = false}, {}).ok());
  EXPECT_TRUE(AppendRcpt(out, "j\xc3\xbc@b.example", {.smtputf8 = true}, {}).ok());
}

}  // namespace
}  // namespace sluice
