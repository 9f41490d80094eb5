#include "mail/content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/text.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kMessage =
    "From: Shop <news@shop.example>\r\n"
    "To: user@example.com\r\n"
    "Subject: Hello\r\n"
    "Date: Mon, 30 Nov 2026 12:00:00 +0000\r\n"
    "Message-ID: <1@shop.example>\r\n"
    "\r\n"
    "Body\r\n";

ContentFacts Facts(std::string_view bytes, const ContentRules& rules = {}) {
  absl::StatusOr<ContentFacts> facts = CheckContent(bytes, rules);
  EXPECT_TRUE(facts.ok()) << facts.status() << "\n" << bytes;
  return facts.ok() ? *std::move(facts) : ContentFacts{};
}

std::string Error(std::string_view bytes, const ContentRules& rules = {}) {
  const absl::StatusOr<ContentFacts> facts = CheckContent(bytes, rules);
  if (facts.ok()) return "accepted";
  EXPECT_EQ(facts.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(facts.status().message().find('\n'), std::string::npos)
      << "hostile input must be quoted";
  return std::string(facts.status().message());
}

std::string With(std::string_view header_lines, std::string_view body = "Body\r\n") {
  return Cat("From: a@shop.example\r\n", header_lines, "\r\n", body);
}

TEST(ContentTest, TellsTheFactsOfAPlainMessage) {
  const ContentFacts facts = Facts(kMessage);

  EXPECT_FALSE(facts.normalised.has_value());
  EXPECT_EQ(facts.Bytes(kMessage), kMessage);
  EXPECT_EQ(facts.size_bytes, kMessage.size());
  EXPECT_EQ(kMessage.substr(facts.body_offset), "Body\r\n");
  ASSERT_EQ(facts.from.size(), 1U);
  EXPECT_EQ(facts.from[0].domain(), "shop.example");
  EXPECT_TRUE(facts.has_date);
  EXPECT_TRUE(facts.has_message_id);
  EXPECT_FALSE(facts.has_8bit_body);
  EXPECT_FALSE(facts.has_utf8_header);
  EXPECT_FALSE(facts.sender.has_value());
}

TEST(ContentTest, AMissingDateOrMessageIdIsToBeAdded) {
  const ContentFacts facts = Facts(With(""));
  EXPECT_FALSE(facts.has_date);
  EXPECT_FALSE(facts.has_message_id);
}

TEST(ContentTest, FlagsWhatNeedsExtensions) {
  EXPECT_TRUE(Facts(With("",
                         "Gr\xfc\xdf"
                         "e\r\n"))
                  .has_8bit_body);
  EXPECT_FALSE(Facts(With("Subject: Grüße\r\n")).has_8bit_body);
  EXPECT_TRUE(Facts(With("Subject: Grüße\r\n")).has_utf8_header);
  EXPECT_FALSE(Facts(With("", "Grüße\r\n")).has_utf8_header);
}

// ---- line ends (scenario 35) ----

TEST(ContentTest, TurnsAMessageOfLinesWithLfIntoCrlf) {
  const ContentFacts facts = Facts("From: a@shop.example\nSubject: x\n\nBody\n.\nend\n");
  ASSERT_TRUE(facts.normalised.has_value());
  EXPECT_EQ(*facts.normalised, "From: a@shop.example\r\nSubject: x\r\n\r\nBody\r\n.\r\nend\r\n");
  EXPECT_EQ(facts.size_bytes, facts.normalised->size());
  EXPECT_EQ(facts.normalised->substr(facts.body_offset), "Body\r\n.\r\nend\r\n");
}

TEST(ContentTest, NormalisesOnlyWhereAllowed) {
  const ContentRules strict = {.normalise_line_ends = false};
  EXPECT_THAT(Error("From: a@shop.example\n\nBody\n", strict),
              HasSubstr("line 1: lines end with LF: end them with CRLF"));
  EXPECT_EQ(Error(kMessage, strict), "accepted");
}

TEST(ContentTest, AddsAMissingLastLineEnd) {
  EXPECT_EQ(Facts(With("", "Body")).normalised, With("", "Body\r\n"));
  EXPECT_EQ(Facts("From: a@shop.example\n\nBody").normalised,
            "From: a@shop.example\r\n\r\nBody\r\n");
  EXPECT_EQ(Facts("From: a@shop.example").normalised, "From: a@shop.example\r\n");
}

TEST(ContentTest, RefusesEveryOtherLineEnd) {
  struct Case {
    std::string bytes;
    std::string why;
  };
  const std::vector<Case> cases = {
      {With("", "a\r\nb\nc\r\n"), "line 4: the line ends with LF where others end with CRLF"},
      {With("", "a\r\n\n.\r\nMAIL FROM:<x@y>\r\n"), "line 4: the line ends with LF"},
      {With("", "a\n.\r\nMAIL FROM:<x@y>\r\n"), "line 3: the line ends with LF"},
      {With("", "a\r.\r\n"), "line 3: there is a CR without LF"},
      {With("", "a\r\r\n"), "line 3: there is a CR without LF"},
      {With("", "a\r\n.\r"), "line 4: there is a CR without LF"},
      {With("", "a\n"), "line 3: the line ends with LF"},
      {With("X: a\rb\r\n"), "line 2: there is a CR without LF"},
      {With("X: a\nBcc: b\r\n"), "line 2: the line ends with LF"},
      {"From: a@shop.example\n\nBody\r\n.\r\n", "line 1: the line ends with LF"},
      {"From: a@shop.example\n\nBody\r", "line 1: the line ends with LF"},
      {"From: a@shop.example\r\rBody\r", "line 1: there is a CR without LF"},
  };
  for (const Case& c : cases) EXPECT_THAT(Error(c.bytes), HasSubstr(c.why)) << Quoted(c.bytes, 300);
}

TEST(ContentTest, RefusesNulAnywhere) {
  EXPECT_THAT(Error(With("", std::string("a\r\nb\0c\r\n", 8))),
              HasSubstr("line 4: there is a NUL byte"));
  EXPECT_THAT(Error(With(std::string("X: \0\r\n", 6))), HasSubstr("line 2: there is a NUL byte"));
}

TEST(ContentTest, RefusesLongLinesNamingThem) {
  const std::string longest(998, 'x');
  EXPECT_EQ(Error(With("", longest + "\r\n")), "accepted");
  EXPECT_THAT(Error(With("", longest + "x\r\n")), HasSubstr("line 3: the line is over 998 bytes"));
  EXPECT_THAT(Error(With("", longest + "x")), HasSubstr("line 3: the line is over 998 bytes"));
  EXPECT_THAT(Error(With("X: " + longest + "\r\n")),
              HasSubstr("line 2: the line is over 998 bytes"));
}

TEST(ContentTest, LinesOfDotsAreFine) {
  EXPECT_EQ(Error(With("", ".\r\n..\r\n...\r\n")), "accepted");
}

// ---- header syntax ----

TEST(ContentTest, ReadsFoldedHeaders) {
  const ContentFacts facts =
      Facts("From: Shop\r\n <news@shop.example>\r\nSubject: a\r\n\tb\r\n\r\nBody\r\n");
  EXPECT_EQ(facts.from[0].ToString(), "news@shop.example");
}

TEST(ContentTest, HeaderNamesHaveAnyCase) {
  EXPECT_TRUE(Facts("fROM: a@shop.example\r\nDATE: x\r\nmessage-id: <1@x>\r\n\r\n").has_date);
  EXPECT_THAT(Error(With("FROM: b@shop.example\r\n")), HasSubstr("stands twice"));
}

TEST(ContentTest, AMessageMayHaveNoBody) {
  EXPECT_EQ(Facts("From: a@shop.example\r\n").body_offset, 22U);
  EXPECT_EQ(Facts("From: a@shop.example\r\n\r\n").body_offset, 24U);
}

TEST(ContentTest, RefusesMalformedHeaders) {
  struct Case {
    std::string bytes;
    std::string why;
  };
  const std::vector<Case> cases = {
      {"", "is empty: give header and body"},
      {"\r\nBody\r\n", "line 1: the message begins with a blank line"},
      {"Hello there\r\n\r\nBody\r\n", "line 1: 'Hello there' is no header field"},
      {With("no colon\r\n folded: x\r\n"), "line 2: 'no colon' is no header field"},
      {With(": x\r\n"), "line 2: a header field has no name"},
      {With("X Y: x\r\n"), "line 2: the header name 'X Y' has ' ' in it"},
      {With("X : x\r\n"), "line 2: the header name 'X ' has ' '"},
      {With("X\t: x\r\n"), "line 2: the header name"},
      {With("X\xc3\xbc: x\r\n"), "line 2: the header name"},
      {" From: a@shop.example\r\n\r\n", "line 1: the first header field begins with a blank"},
      {With("X: a\r\n \r\n b\r\n"), "line 3: a header line holds only blanks"},
      {With("X: a\r\n\t\r\n"), "line 3: a header line holds only blanks"},
      {With("X: a\x01"
            "b\r\n"),
       "line 2: the header 'X' has a control character"},
      {With("X: a\x7f\r\n"), "line 2: the header 'X' has a control character"},
      {With("X: a\x1b[31m\r\n"), "line 2: the header 'X' has a control character"},
      {With("Subject: Gr\xfc\xdf"
            "e\r\n"),
       "line 2: the header 'Subject' is not UTF-8: encode it as RFC 2047"},
      {With("", "") + "From: late@shop.example", "accepted"},  // That is body.
  };
  for (const Case& c : cases) EXPECT_THAT(Error(c.bytes), HasSubstr(c.why)) << Quoted(c.bytes, 300);
}

TEST(ContentTest, FieldsThatMayStandOnceMayNotStandTwice) {
  for (const char* name :
       {"From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Message-ID", "In-Reply-To", "References",
        "Subject", "Date", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
        "List-Unsubscribe", "List-Unsubscribe-Post"}) {
    const std::string twice =
        Cat("X: 1\r\n", name, ": a@shop.example\r\n", name, ": a@shop.example\r\n");
    const std::string bytes = std::string(name) == "From" ? Cat(twice, "\r\n") : With(twice);
    EXPECT_THAT(Error(bytes), HasSubstr(Cat("the header '", name, "' stands twice, first on line")))
        << name;
  }
  EXPECT_EQ(Error(With("Received: a\r\nReceived: b\r\nX-Any: 1\r\nX-Any: 2\r\n")), "accepted");
}

TEST(ContentTest, FromAndSenderFollowRfc5322) {
  struct Case {
    std::string header;
    std::string why;
  };
  const std::vector<Case> cases = {
      {"To: a@shop.example\r\n", "there is no From header: add From:"},
      {"X: 1\r\nFrom: nobody\r\n", "line 2: the header 'From': ' nobody' lacks an address"},
      {"From:\r\n", "line 1: the header 'From'"},
      {"From: a@shop.example, b@shop.example\r\n", "there is no Sender: add Sender"},
      {"From: a@shop.example, b@other.example\r\nSender: a@shop.example\r\n", "accepted"},
      {"From: a@shop.example\r\nSender: a@shop.example, b@shop.example\r\n",
       "'Sender' has several addresses"},
      {"From: a@shop.example\r\nSender: x\r\n", "line 2: the header 'Sender'"},
      {"From: a@shop.example\r\nDate: \r\n", "line 2: the header 'Date' is empty"},
      {"From: a@shop.example\r\nMessage-ID:\r\n", "line 2: the header 'Message-ID' is empty"},
  };
  for (const Case& c : cases)
    EXPECT_THAT(Error(c.header + "\r\nBody\r\n"), HasSubstr(c.why)) << c.header;
}

TEST(ContentTest, TellsAllOriginators) {
  const ContentFacts facts = Facts(
      "From: a@shop.example, B <b@Bücher.example>\r\nSender: \"S\" <s@third.example>\r\n\r\n");
  ASSERT_EQ(facts.from.size(), 2U);
  EXPECT_EQ(facts.from[1].domain(), "xn--bcher-kva.example");
  EXPECT_EQ(facts.sender->ToString(), "s@third.example");
}

// ---- sizes ----

TEST(ContentTest, BoundsTheMessage) {
  const ContentRules rules = {.content_bytes = kMessage.size()};
  EXPECT_EQ(Error(kMessage, rules), "accepted");
  EXPECT_THAT(Error(Cat(kMessage, "x"), rules), HasSubstr("at most"));
  const ContentRules tight = {.content_bytes = kMessage.size() - 1};
  EXPECT_THAT(Error(kMessage.substr(0, kMessage.size() - 2), tight), HasSubstr("at most"))
      << "after normalising";
}

TEST(ContentTest, BoundsTheHeader) {
  std::string many;
  for (size_t i = 0; i < limits::kHeaderFields - 1; ++i) many += "X: y\r\n";
  EXPECT_EQ(Error(With(many)), "accepted");
  EXPECT_THAT(Error(With(many + "X: y\r\n")), HasSubstr("more than 1000 header fields"));
  std::string large;
  while (large.size() < limits::kHeaderBytes) large += Cat("X: ", std::string(900, 'y'), "\r\n");
  EXPECT_THAT(Error(With(large)), HasSubstr("the header is over 262144 bytes"));
}

// ---- real mail ----

TEST(ContentTest, AcceptsTheCorpus) {
  size_t count = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(SLUICE_SOURCE_DIR "/tests/data/mail")) {
    if (file.path().extension() != ".eml") continue;
    std::ifstream stream(file.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    const absl::StatusOr<ContentFacts> facts = CheckContent(bytes, {});
    EXPECT_TRUE(facts.ok()) << file.path() << ": " << facts.status();
    ++count;
  }
  EXPECT_GE(count, 12U);
}

// ---- tags ----

TEST(ContentTest, KeepsTheValuesOfTagHeaders) {
  const std::vector<std::string> names = {"x-kind", "list-id"};
  const ContentRules rules = {.tag_names = names};
  const ContentFacts facts = Facts(
      With("X-Kind:  news\r\n  letter \r\nX-Other: no\r\nX-Kind: second\r\nLIST-ID:\r\n"), rules);
  EXPECT_THAT(facts.tags, ElementsAre(Tag{"x-kind", "news  letter"}, Tag{"list-id", ""}));
}

TEST(ContentTest, CutsLongTagsBetweenCharacters) {
  const std::vector<std::string> names = {"x-kind"};
  const ContentRules rules = {.tag_names = names};
  const std::string value = std::string(limits::kTagBytes - 1, 'x') + "ü";
  EXPECT_EQ(Facts(With("X-Kind: " + value + "\r\n"), rules).tags[0].value,
            std::string(limits::kTagBytes - 1, 'x'));
}

}  // namespace
}  // namespace sluice
