#include "smtp/dkim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "base/base64.h"
#include "base/text.h"
#include "test_keys.h"

namespace sluice {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Hex(const Sha256Digest& digest) {
  std::string out;
  for (const uint8_t byte : digest) {
    for (const int nibble : {byte >> 4, byte & 15}) out += "0123456789abcdef"[nibble];
  }
  return out;
}

std::string_view View(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Sha256Digest BodyHash(std::string_view body, size_t step = 1'000'000) {
  DkimBodyHash hash;
  for (size_t at = 0; at < body.size(); at += step) hash.Update(body.substr(at, step));
  return hash.Finish();
}

std::string Relaxed(std::string_view name, std::string_view value) {
  std::string out;
  AppendRelaxedField(out, name, value);
  return out;
}

// RFC 6376 section 3.4.5.
TEST(DkimCanonicalTest, RelaxedFieldsAsInTheRfc) {
  EXPECT_EQ(Relaxed("A", " X"), "a:X");
  EXPECT_EQ(Relaxed("B ", " Y\t\r\n\tZ  "), "b:Y Z");
  EXPECT_EQ(Relaxed("SUBJECT", ""), "subject:");
  EXPECT_EQ(Relaxed("Subject", " \r\n \r\n a"), "subject:a");
}

TEST(DkimCanonicalTest, RelaxedBodyAsInTheRfc) {
  EXPECT_EQ(BodyHash(" C \r\nD \t E\r\n\r\n\r\n"), Sha256(" C\r\nD E\r\n"));
  // Section 3.4.4: the hash of the empty body.
  EXPECT_EQ(EncodeBase64(View(BodyHash(""))), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  EXPECT_EQ(BodyHash("\r\n\r\n"), Sha256(""));
  EXPECT_EQ(BodyHash(" \t\r\n"), Sha256(""));
  EXPECT_EQ(BodyHash("no end"), Sha256("no end\r\n"));
  EXPECT_EQ(BodyHash("a\r\n\r\nb\r\n \r\n"), Sha256("a\r\n\r\nb\r\n"));
  EXPECT_EQ(BodyHash("\r\na\r\n"), Sha256("\r\na\r\n"));
  EXPECT_EQ(BodyHash("a\rb \rc\r\n"), Sha256("a\rb \rc\r\n"));
}

TEST(DkimCanonicalTest, BodyPartsOfAnySizeHashTheSame) {
  std::string body;
  for (int i = 0; i < 300; ++i) Append(body, "line  ", i, " \t \r\n", i % 7 == 0 ? "\r\n\r\n" : "");
  body += std::string(5000, 'x') + "\xc3\xa4 \xff end  \r\n\r\n";
  const Sha256Digest whole = BodyHash(body);
  for (const size_t step : {1, 2, 3, 7, 8, 9, 4095, 4096, 4097}) {
    EXPECT_EQ(Hex(BodyHash(body, step)), Hex(whole)) << step;
  }
}

// Whole lines are looked at eight bytes at a time, single bytes one by one: blanks, controls and ends at every place of a word.
TEST(DkimCanonicalTest, RandomLinesHashAsByteByByte) {
  constexpr std::string_view kBytes[] = {"a", "b", "\xc3", "\x7f", " ", " ", "  ", "\t", "\r", "\n", "\r\n", "\r\n", "word", "eight by"};
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string body;
    const int parts = static_cast<int>(random() % 24);
    for (int n = 0; n < parts; ++n) body += kBytes[random() % std::size(kBytes)];
    const size_t step = 1 + random() % 40;
    ASSERT_EQ(Hex(BodyHash(body, step)), Hex(BodyHash(body, 1))) << i << " by " << step;
  }
}

TEST(DkimCanonicalTest, FieldsEndAtTheBlankLine) {
  std::vector<HeaderFieldView> fields;
  const HeaderTaken taken =
      TakeHeaderFields("A: 1\r\n 2\r\nB:3\r\n\r\nC: body\r\n", fields);
  EXPECT_TRUE(taken.has_ended);
  EXPECT_EQ(taken.body, "C: body\r\n");
  ASSERT_EQ(fields.size(), 2u);
  EXPECT_EQ(fields[0].value, " 1\r\n 2");
  EXPECT_EQ(fields[1].name, "B");
  EXPECT_FALSE(TakeHeaderFields("D: 1\r\n", fields).has_ended);
}

// ---- RFC 8463 appendix A: the published signatures come out of our parts ----

constexpr std::string_view kRfcFields[][2] = {
    {"from", " Joe SixPack <joe@football.example.com>"},
    {"to", " Suzie Q <suzie@shopping.example.net>"},
    {"subject", " Is dinner ready?"},
    {"date", " Fri, 11 Jul 2003 21:00:37 -0700 (PDT)"},
    {"message-id", " <20030712040037.46341.5F8J@football.example.com>"}};
constexpr std::string_view kRfcBody =
    "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

Sha256Digest RfcDigest(std::string_view signature_value) {
  std::string text;
  for (const auto& field : kRfcFields) Append(text, Relaxed(field[0], field[1]), "\r\n");
  return Sha256(Cat(text, Relaxed("DKIM-Signature", signature_value)));
}

TEST(DkimRfc8463Test, BodyHash) {
  EXPECT_EQ(EncodeBase64(View(BodyHash(kRfcBody))), "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
}

TEST(DkimRfc8463Test, Ed25519Signature) {
  const auto key = DkimPrivateKey::Parse(kRfcEd25519Key, DkimAlgorithm::kEd25519Sha256).value();
  EXPECT_EQ(key->PublicKey(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
  const Sha256Digest digest = RfcDigest(
      " v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; "
      "i=@football.example.com;\r\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject "
      ": date : message-id : from : subject : date;\r\n "
      "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=");
  EXPECT_EQ(EncodeBase64(key->Sign(digest).value()),
            "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus"
            "Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==");
}

TEST(DkimRfc8463Test, RsaSignature) {
  const auto key = DkimPrivateKey::Parse(kRfcRsaKey, DkimAlgorithm::kRsaSha256).value();
  EXPECT_EQ(key->bits(), 1024);
  const Sha256Digest digest = RfcDigest(
      " v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=football.example.com; "
      "i=@football.example.com;\r\n q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n "
      "date : message-id : from : subject : date;\r\n "
      "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=");
  EXPECT_EQ(EncodeBase64(key->Sign(digest).value()),
            "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3"
            "DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz"
            "dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=");
}

// ---- keys ----

std::string KeyError(std::string_view pem, DkimAlgorithm algorithm) {
  return std::string(sluice::View(DkimPrivateKey::Parse(pem, algorithm).status().message()));
}

TEST(DkimKeyTest, WhatIsNoFittingKeyIsRefusedWithItsCure) {
  EXPECT_THAT(KeyError("", DkimAlgorithm::kRsaSha256), HasSubstr("openssl genrsa 2048"));
  EXPECT_THAT(KeyError("-----BEGIN PRIVATE KEY-----\nrubbish\n-----END PRIVATE KEY-----\n",
                       DkimAlgorithm::kRsaSha256),
              HasSubstr("PEM"));
  EXPECT_THAT(KeyError(kRfcEd25519Key, DkimAlgorithm::kRsaSha256),
              HasSubstr("none for rsa-sha256"));
  EXPECT_THAT(KeyError(kRfcRsaKey, DkimAlgorithm::kEd25519Sha256),
              HasSubstr("none for ed25519-sha256"));
  EXPECT_THAT(KeyError(kShortRsaKey, DkimAlgorithm::kRsaSha256), HasSubstr("512 bits"));
}

TEST(DkimKeyTest, AlgorithmsHaveNames) {
  for (const auto one : {DkimAlgorithm::kRsaSha256, DkimAlgorithm::kEd25519Sha256}) {
    EXPECT_EQ(ParseDkimAlgorithm(ToString(one)), one);
  }
  EXPECT_FALSE(ParseDkimAlgorithm("rsa-sha1").has_value());
}

// ---- messages ----

constexpr std::string_view kMessage =
    "From: a@shop.example\r\nTo: b@x.example\r\nSubject: one\r\nX-Other: not signed\r\n\r\nHello\r\n";

class SignTest : public testing::Test {
 protected:
  std::string Sign(std::initializer_list<std::string_view> pieces) const {
    const std::vector<std::string_view> list(pieces);
    return SignDkim(list, signers_, FromMicros(1'528'637'909'000'000)).value();
  }
  const std::shared_ptr<const DkimPrivateKey> ed_ =
      DkimPrivateKey::Parse(kRfcEd25519Key, DkimAlgorithm::kEd25519Sha256).value();
  const std::shared_ptr<const DkimPrivateKey> rsa_ =
      DkimPrivateKey::Parse(kRfcRsaKey, DkimAlgorithm::kRsaSha256).value();
  std::vector<DkimSigner> signers_ = {{"shop.example", "s1", ed_.get()}};
};

TEST_F(SignTest, NamesWhatItSignsAndOnceMore) {
  const std::string field = Sign({kMessage});
  std::string value = field.substr(field.find(" h=") + 3);
  value = value.substr(0, value.find(';'));
  std::erase_if(value, [](char c) { return c == '\r' || c == '\n' || c == '\t'; });
  EXPECT_THAT(value, testing::StartsWith("from:from:sender:reply-to:to:to:cc:subject:subject:date"));
  EXPECT_THAT(value, HasSubstr(":list-unsubscribe:list-unsubscribe-post:"));
  EXPECT_THAT(value, Not(HasSubstr("x-other")));
  EXPECT_THAT(field, HasSubstr("d=shop.example; s=s1;"));
  EXPECT_THAT(field, HasSubstr("t=1528637909;"));
}

TEST_F(SignTest, IsFoldedAndEndsWithCrlf) {
  signers_.push_back({"shop.example", "s2", rsa_.get()});
  const std::string fields = Sign({kMessage});
  size_t count = 0;
  for (size_t at = 0; at < fields.size();) {
    const size_t end = fields.find("\r\n", at);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - at, 78u);
    if (fields[at] != '\t') ++count;
    at = end + 2;
  }
  EXPECT_EQ(count, 2u);
}

TEST_F(SignTest, IsTheSameHoweverTheMessageIsCut) {
  const std::string whole = Sign({kMessage});
  const size_t second = kMessage.find("To:"), body = kMessage.find("Hello");
  EXPECT_EQ(Sign({kMessage.substr(0, second), kMessage.substr(second)}), whole);
  EXPECT_EQ(Sign({kMessage.substr(0, body), kMessage.substr(body, 2), kMessage.substr(body + 2)}),
            whole);
}

TEST_F(SignTest, AnyChangeOfWhatIsSignedChangesIt) {
  const std::string whole = Sign({kMessage});
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string changed(kMessage);
    changed.replace(changed.find(from), from.size(), to);
    return Sign({changed});
  };
  EXPECT_NE(with("one", "two"), whole);
  EXPECT_NE(with("Hello", "Hallo"), whole);
  EXPECT_NE(with("Subject: one", "Subject: one\r\nSubject: one"), whole);
  EXPECT_EQ(with("not signed", "whatever"), whole);
  EXPECT_EQ(with("Subject: one", "SUBJECT:  one "), whole);
}

TEST_F(SignTest, BoundsTheNumberOfSignatures) {
  EXPECT_EQ(SignDkim({}, {}, FromMicros(0)).value(), "");
  const std::vector<DkimSigner> many(kMostDkimSigners + 1, signers_.front());
  const std::string_view message = kMessage;
  EXPECT_EQ(SignDkim({&message, 1}, many, FromMicros(0)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sluice
