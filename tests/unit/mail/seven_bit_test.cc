#include "mail/seven_bit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/text.h"
#include "mail/ascii_field.h"
#include "mail/encoded_word.h"
#include "mail/header_section.h"
#include "mail/mime.h"
#include "mail/utf8.h"

namespace sluice {
namespace {

using testing::HasSubstr;
using testing::Not;

// ---- fields ----

std::string Value(const std::string& field) {
  return DecodeWords(Unfold(std::string_view(field).substr(field.find(':') + 1)));
}

TEST(AsciiFieldTest, AsciiKeepsItsBytes) {
  EXPECT_EQ(AsciiField("X-Odd :\tx\r\n y\r\n"), "X-Odd :\tx\r\n y\r\n");
}

TEST(AsciiFieldTest, TextBecomesEncodedWords) {
  const auto subject = AsciiField("Subject: Grüße, =?utf-8?Q?J=C3=BCrgen?=\r\n aus Köln\r\n");
  ASSERT_TRUE(subject.has_value());
  EXPECT_TRUE(IsAscii(*subject));
  EXPECT_EQ(Value(*subject), "Grüße, Jürgen aus Köln");
}

TEST(AsciiFieldTest, LongTextIsFoldedAndNoCharacterCut) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "ü";
  const auto subject = AsciiField(Cat("Subject: ", text, "\r\n"));
  ASSERT_TRUE(subject.has_value());
  EXPECT_EQ(Value(*subject), text);
  for (size_t line = 0; line < subject->size();) {
    const size_t end = subject->find("\r\n", line);
    EXPECT_LE(end - line, 78U);
    line = end + 2;
  }
}

TEST(AsciiFieldTest, DisplayNamesAndCommentsBecomeEncodedWordsAndAddressesStay) {
  EXPECT_EQ(Value(*AsciiField("From: Jürgen Müller <j@shop.example>\r\n")),
            "Jürgen Müller <j@shop.example>");
  EXPECT_EQ(Value(*AsciiField("To: \"Müller, \\\"Jü\\\"\" <j@x.example>, plain@y.example\r\n")),
            "Müller, \"Jü\" <j@x.example>, plain@y.example");
  EXPECT_EQ(Value(*AsciiField("Cc: j@x.example (Jürgen (der Große))\r\n")),
            "j@x.example (Jürgen (der Große))");
  EXPECT_EQ(Value(*AsciiField("To: Käufer: a@x.example, b@x.example;\r\n")),
            "Käufer : a@x.example, b@x.example;");
  EXPECT_EQ(*AsciiField("To: a@bücher.example, <b@bücher.example>\r\n"),
            "To: a@xn--bcher-kva.example, <b@xn--bcher-kva.example>\r\n");
}

TEST(AsciiFieldTest, ManyRecipientsStayInShortLines) {
  std::string list = "Jürgen <j@x.example>";
  for (int i = 0; i < 100; ++i) Append(list, ",\r\n someone", i, "@somewhere.example");
  const auto to = AsciiField(Cat("To: ", list, "\r\n"));
  ASSERT_TRUE(to.has_value());
  for (size_t line = 0; line < to->size();) {
    const size_t end = to->find("\r\n", line);
    EXPECT_LE(end - line, 100U);
    line = end + 2;
  }
  EXPECT_THAT(*to, HasSubstr("someone99@somewhere.example"));
}

TEST(AsciiFieldTest, ParametersAreExtended) {
  EXPECT_EQ(*AsciiField("Content-Disposition: attachment; filename=\"Käse \\\"1\\\".pdf\"; size=3\r\n"),
            "Content-Disposition: attachment;\r\n filename*=utf-8''K%C3%A4se%20%221%22.pdf; size=3\r\n");
  EXPECT_EQ(*AsciiField("Content-Type: application/a-rather-long-name-for-a-type; charset=x-y; name=ä\r\n"),
            "Content-Type: application/a-rather-long-name-for-a-type; charset=x-y;\r\n name*=utf-8''%C3%A4\r\n");
  std::string name;
  for (int i = 0; i < 60; ++i) name += "ä";
  const auto type = AsciiField(Cat("Content-Type: application/pdf; name=\"", name, "\"\r\n"));
  ASSERT_TRUE(type.has_value());
  EXPECT_THAT(*type, HasSubstr(";\r\n name*0*=utf-8''%C3%A4"));
  EXPECT_THAT(*type, HasSubstr(";\r\n name*1*=%"));
}

TEST(AsciiFieldTest, WhatProgramsReadCannotBeWrittenAnew) {
  EXPECT_FALSE(AsciiField("From: jürgen@x.example\r\n"));
  EXPECT_FALSE(AsciiField("From: X <\"jü\"@x.example>\r\n"));
  EXPECT_FALSE(AsciiField("Message-ID: <ü@x.example>\r\n"));
  EXPECT_FALSE(AsciiField("Content-Type: multipart/mixed; boundary=\"ü\"\r\n"));
  EXPECT_FALSE(AsciiField("Größe: 1\r\n"));
  EXPECT_FALSE(AsciiField("Subject: \xff\r\n")) << "not UTF-8";
}

// ---- messages ----

// All leaves, decoded, one after the other.
std::vector<std::string> Leaves(std::string_view message) {
  std::vector<std::string> out;
  const auto leaves = ReadMimeLeaves(message);
  for (const MimeEntity& leaf : leaves.value()) {
    const std::string_view coded = message.substr(leaf.body, leaf.end - leaf.body);
    out.push_back(leaf.encoding == TransferEncoding::kBase64            ? DecodeBase64(coded).value()
                  : leaf.encoding == TransferEncoding::kQuotedPrintable ? DecodeQuotedPrintable(coded).value()
                                                                        : std::string(coded));
  }
  return out;
}

std::string Made(std::string_view message) {
  const SevenBit made = MakeSevenBit(message, true);
  EXPECT_EQ(made.why, "");
  EXPECT_TRUE(IsAscii(made.message));
  EXPECT_EQ(Leaves(made.message), Leaves(message)) << "every part reads as before";
  return made.message;
}

TEST(SevenBitTest, TextIsQuotedAndLabelled) {
  EXPECT_EQ(Made("From: a@b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Transfer-Encoding: 8bit\r\n\r\nHello, dear J\xc3\xbcrgen =\r\n"),
            "From: a@b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\nHello, dear J=C3=BCrgen =3D\r\n");
}

TEST(SevenBitTest, WhatSaysNothingOfItselfIsLabelledAsWhatItIs) {
  EXPECT_EQ(Made("From: a@b\r\n\r\nHello, dear J\xc3\xbcrgen\r\n"),
            "From: a@b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain;\r\n charset=\"utf-8\"\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\nHello, dear J=C3=BCrgen\r\n");
  EXPECT_THAT(Made("From: a@b\r\n\r\nHello, dear J\xfcrgen\r\n"), HasSubstr("charset=\"unknown-8bit\""));
}

TEST(SevenBitTest, MuchOfItIsBase64) {
  const std::string made = Made(
      "From: a@b\r\nContent-Type: text/plain; charset=windows-1251\r\n\r\n\xcf\xf0\xe8\xe2\xe5\xf2\r\n");
  EXPECT_THAT(made, HasSubstr("Content-Transfer-Encoding: base64\r\n"));
  EXPECT_THAT(made, HasSubstr("charset=windows-1251\r\n"));
}

constexpr std::string_view kMixed =
    "From: a@b\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\npreamble\r\n"
    "--o\r\nContent-Type: multipart/alternative; boundary=i\r\nContent-Transfer-Encoding: 8BIT\r\n\r\n"
    "--i\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "Sch\xc3\xb6ne Gr\xc3\xbc\xc3\x9f" "e aus dem sch\xc3\xb6nen K\xc3\xb6ln am Rhein, ganz ohne Umlaute weiter\r\n"
    "--i\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+\r\n"
    "--i--\r\n"
    "--o\r\nContent-Type: application/x-raw\r\nContent-Disposition: attachment; filename=\"\xc3\xa4\"\r\n"
    "Content-Transfer-Encoding: binary\r\n\r\nab\xff\xfe\r\ncd\r\n"
    "--o\r\nContent-Type: text/plain\r\n\r\nplain\r\n"
    "--o--\r\nepilogue\r\n";

TEST(SevenBitTest, EveryPartIsEncodedAsItNeedsAndMultipartsSaySo) {
  const std::string made = Made(kMixed);
  EXPECT_THAT(made, Not(HasSubstr("8bit")));
  EXPECT_THAT(made, Not(HasSubstr("8BIT")));
  EXPECT_THAT(made, Not(HasSubstr("binary")));
  EXPECT_THAT(made, HasSubstr("boundary=o\r\nContent-Transfer-Encoding: 7bit\r\n"));
  EXPECT_THAT(made, HasSubstr("Sch=C3=B6ne"));
  EXPECT_THAT(made, HasSubstr("filename*=utf-8''%C3%A4"));
  EXPECT_THAT(made, HasSubstr("preamble\r\n--o\r\n"));
  EXPECT_THAT(made, HasSubstr("\r\n\r\nplain\r\n--o--\r\nepilogue\r\n"));
  EXPECT_EQ(MakeSevenBit(made, true).message, made) << "once is enough";
}

TEST(SevenBitTest, TheHeaderAloneIsWrittenAnewForHostsThatTake8BitContent) {
  const SevenBit made = MakeSevenBit("Subject: \xc3\xa4\r\n\r\nJ\xc3\xbcrgen\r\n", false);
  EXPECT_EQ(made.message, "Subject: =?utf-8?B?w6Q=?=\r\n\r\nJ\xc3\xbcrgen\r\n");
}

void ExpectRefused(std::string_view message, EnhancedStatus status, std::string_view why) {
  const SevenBit made = MakeSevenBit(message, true);
  EXPECT_EQ(made.message, "");
  EXPECT_EQ(made.status, status);
  EXPECT_THAT(made.why, HasSubstr(std::string(why)));
}

TEST(SevenBitTest, WhatIsSealedIsNeverTouched) {
  const EnhancedStatus status{5, 6, 3};
  const std::string_view inner = "\r\n\r\n--o\r\nContent-Type: text/plain\r\n\r\n\xc3\xa4\r\n--o--\r\n";
  ExpectRefused(Cat("From: a@b\r\nContent-Type: multipart/signed; boundary=o", inner), status, "signed");
  ExpectRefused(Cat("From: a@b\r\nContent-Type: multipart/encrypted; boundary=o", inner), status, "signed");
  ExpectRefused("From: a@b\r\nContent-Type: application/pkcs7-mime\r\n\r\n\xc3\xa4\r\n", status, "pkcs7");
  ExpectRefused("From: a@b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n\xc3\xa4\r\n", status,
                "message/rfc822");
  ExpectRefused("DKIM-Signature: v=1\r\nFrom: a@b\r\n\r\n\xc3\xa4\r\n", status, "signed already");
}

TEST(SevenBitTest, WhatIsSealedAndAsciiGoesAlongUntouched) {
  const std::string sealed =
      "--o\r\nContent-Type: multipart/signed; boundary=s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
      "--s\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\nsigned\r\n"
      "--s\r\nContent-Type: application/pgp-signature\r\n\r\nxyz\r\n--s--\r\n";
  const std::string made = Made(
      Cat("From: a@b\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n", sealed,
          "--o\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xa4\r\n--o--\r\n"));
  EXPECT_THAT(made, HasSubstr(sealed));
  const std::string top = Made(
      "Subject: \xc3\xa4\r\nContent-Type: multipart/signed; boundary=o\r\n\r\n--o\r\n\r\nx\r\n--o--\r\n");
  EXPECT_THAT(top, HasSubstr("\r\n\r\n--o\r\n\r\nx\r\n--o--\r\n"));
}

TEST(SevenBitTest, WhatHasNoPlaceIn7BitsIsRefusedWithTheReason) {
  ExpectRefused("From: j\xc3\xbc@x.example\r\n\r\nx\r\n", {5, 6, 9}, "'from'");
  ExpectRefused("Content-Transfer-Encoding: base64\r\n\r\n\xc3\xa4\r\n", {5, 6, 3}, "no place for");
  ExpectRefused("Content-Type: multipart/mixed\r\n\r\n\xc3\xa4\r\n", {5, 6, 3}, "multipart/mixed");
  ExpectRefused("Content-Type: multipart/mixed; boundary=o\r\n\r\n\xc3\xa4\r\n--o\r\n\r\nx\r\n--o--\r\n",
                {5, 6, 3}, "between its parts");
}

}  // namespace
}  // namespace sluice
