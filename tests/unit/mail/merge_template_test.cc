#include "mail/merge_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/text.h"
#include "mail/encoded_word.h"
#include "mail/mime.h"
#include "mail/utf8.h"

namespace sluice {
namespace {

using testing::HasSubstr;

class MergeTest : public testing::Test {
 protected:
  MergeTemplate::Values Values() const {
    return [this](std::string_view name) -> std::optional<std::string_view> {
      const auto found = values_.find(std::string(name));
      if (found == values_.end()) return std::nullopt;
      return found->second;
    };
  }
  std::string Render(std::string_view message) const {
    return MergeTemplate::Compile("", message).value().Render(Values()).value();
  }
  std::string CompileError(std::string_view message) const {
    return std::string(View(MergeTemplate::Compile("", message).status().message()));
  }
  std::string CheckError(std::string_view message) const {
    const auto compiled = MergeTemplate::Compile("", message);
    return std::string(View(compiled.value().Check(Values(), 1'000'000).message()));
  }
  std::map<std::string, std::string> values_ = {
      {"name", "Zo\xc3\xab"}, {"plain", "Bob"}, {"html", "<b>&"}, {"lines", "a\nb\r\nc"},
      {"address", "bob@x.example"}};
};

TEST_F(MergeTest, WhatHoldsNoFieldKeepsItsBytes) {
  const std::string_view message =
      "From:  a@shop.example\r\nX-Odd : folded\r\n\tline\r\n\r\nbody } { }}\r\n";
  EXPECT_EQ(Render(message), message);
}

TEST_F(MergeTest, HeadersAreEncodedAnew) {
  EXPECT_EQ(Render("Subject: Hi {{plain}}\r\n\r\nx\r\n"), "Subject: Hi Bob\r\n\r\nx\r\n");
  const std::string coded = Render("Subject: =?utf-8?Q?=C3=A4?= {{name}}\r\n\r\nx\r\n");
  EXPECT_TRUE(IsAscii(coded));
  EXPECT_EQ(DecodeWords(coded.substr(9, coded.find("\r\n") - 9)), "\xc3\xa4 Zo\xc3\xab");
}

TEST_F(MergeTest, DisplayNamesAreQuotedOrEncoded) {
  values_["name"] = "Smith, \"Bob\"";
  EXPECT_EQ(Render("To: {{name}} <{{address}}>\r\n\r\n"),
            "To: \"Smith, \\\"Bob\\\"\" <bob@x.example>\r\n\r\n");
  EXPECT_EQ(Render("To: \"Dear {{name}}\" <a@b.example>\r\n\r\n"),
            "To: \"Dear Smith, \\\"Bob\\\"\" <a@b.example>\r\n\r\n");
  EXPECT_EQ(Render("To: {{address}}\r\n\r\n"), "To: bob@x.example\r\n\r\n");
  values_["name"] = "Zo\xc3\xab";
  EXPECT_EQ(Render("To: {{name}} <a@b.example>\r\n\r\n"),
            "To: =?utf-8?B?Wm/Dqw==?= <a@b.example>\r\n\r\n");
}

TEST_F(MergeTest, PlainPartsBecomeQuotedPrintableUtf8) {
  EXPECT_EQ(Render("Subject: x\r\n\r\nHi {{name}}={{lines}}\r\n"),
            "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain;\r\n charset=\"utf-8\"\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\nHi Zo=C3=AB=3Da\r\nb\r\nc\r\n");
}

TEST_F(MergeTest, HtmlIsEscapedUnlessRaw) {
  const std::string out = Render(
      "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{{html}} {{&html}} {{ "
      "plain }}\r\n");
  EXPECT_THAT(out, HasSubstr("&lt;b&gt;&amp; <b>& Bob\r\n"));
}

TEST_F(MergeTest, PartsAreFoundBehindTheirEncodings) {
  const std::string out = Render(
      "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain; "
      "charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FC {{=\r\n"
      "plain}}\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n{{plain}}\r\n--b\r\n"
      "Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\n{{plain}}\r\n--b--\r\n");
  EXPECT_THAT(out, HasSubstr("\r\n\r\n=C3=BC Bob\r\n--b\r\n"));
  EXPECT_THAT(out, HasSubstr("octet-stream\r\n\r\n{{plain}}\r\n--b"));
  EXPECT_THAT(out, HasSubstr("attachment\r\n\r\n{{plain}}\r\n--b--\r\n"));
}

TEST_F(MergeTest, ABackslashKeepsTheBraces) {
  EXPECT_EQ(Render("Subject: \\{{x}}\r\n\r\n"), "Subject: {{x}}\r\n\r\n");
}

TEST_F(MergeTest, WhatIsNoFieldIsRefusedWithItsPlace) {
  EXPECT_THAT(CompileError("Subject: {{#if x}}\r\n\r\n"), HasSubstr("the header 'Subject'"));
  EXPECT_THAT(CompileError("Subject: x\r\n\r\n{{name\r\n"), HasSubstr("part 1 (text/plain)"));
  EXPECT_THAT(CompileError("Subject: x\r\n\r\n{{{name}}}\r\n"), HasSubstr("{{&name}}"));
  EXPECT_THAT(CompileError("Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n"
                           "{{name}}\r\n--b--\r\n"),
              HasSubstr("signed"));
}

TEST_F(MergeTest, ValuesThatDoNotFitAreRefused) {
  EXPECT_THAT(CheckError("Subject: {{none}}\r\n\r\n"), HasSubstr("none"));
  EXPECT_THAT(CheckError("Subject: {{lines}}\r\n\r\n"), HasSubstr("line end"));
  EXPECT_EQ(CheckError("Subject: x\r\n\r\n{{lines}}"), "");
  EXPECT_THAT(CheckError("To: <{{html}}>\r\n\r\n"), HasSubstr("angle brackets"));
  EXPECT_THAT(CheckError("List-Unsubscribe: <https://x/{{name}}>\r\n\r\n"), HasSubstr("ASCII"));
  values_["plain"] = "\xff";
  EXPECT_THAT(CheckError("Subject: {{plain}}\r\n\r\n"), HasSubstr("UTF-8"));
  values_["plain"] = std::string(400'000, 'x');
  EXPECT_THAT(CheckError("Subject: x\r\n\r\n{{plain}}{{plain}}"), HasSubstr("shorten"));
}

TEST(MimeTest, QuotedPrintableThereAndBack) {
  std::string text = "tab \t\r\nend \r\n=\xc3\xa4";
  for (int i = 0; i < 300; ++i) text += static_cast<char>(' ' + i % 90);
  text += "\r\n";
  std::string coded;
  AppendQuotedPrintable(coded, text);
  EXPECT_EQ(DecodeQuotedPrintable(coded).value(), text);
  for (size_t at = 0, end = 0; (end = coded.find("\r\n", at)) != std::string::npos; at = end + 2) {
    EXPECT_LE(end - at, 76u);
    EXPECT_NE(coded[end - 1], ' ');
  }
  EXPECT_FALSE(DecodeQuotedPrintable("=G1").has_value());
}

TEST(MimeTest, QuotedPrintableWritesNoBoundary) {
  for (const std::string& text : {std::string("--b"), std::string("a\r\n--b\r\n-- \r\n"),
                                  std::string(75, 'x') + "--b" + std::string(80, 'y') + "--"}) {
    std::string coded;
    AppendQuotedPrintable(coded, text);
    EXPECT_EQ(DecodeQuotedPrintable(coded), text);
    EXPECT_FALSE(coded.starts_with("--"));
    EXPECT_EQ(coded.find("\n--"), std::string::npos) << coded;
  }
}

TEST(MimeTest, DepthAndNumberOfPartsAreBounded) {
  std::string deep, wide = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (int i = 0; i < 40; ++i) {
    Append(deep, "Content-Type: multipart/mixed; boundary=b", i, "\r\n\r\n--b", i, "\r\n");
  }
  for (int i = 0; i < 1000; ++i) wide += "--b\r\n\r\nx\r\n";
  EXPECT_FALSE(ReadMimeLeaves(deep).ok());
  EXPECT_FALSE(ReadMimeLeaves(wide).ok());
}

}  // namespace
}  // namespace sluice
