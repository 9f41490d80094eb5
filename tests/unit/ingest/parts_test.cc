// The small parts: admission, directory, idempotency, compression, stored verdicts, added headers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lz4.h>

#include <set>
#include <string>

#include "ingest/added_headers.h"
#include "ingest/admission.h"
#include "ingest/compress.h"
#include "ingest/directory.h"
#include "ingest/idempotency.h"
#include "ingest/stored_text.h"

namespace sluice::ingest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// ---- admission ----

TEST(AdmissionTest, ATenantMayNotTakeTheShareOfOthers) {
  Admission admission({.total_bytes = 100, .tenant_bytes = 60});
  const auto first = admission.Admit("a", 50);
  ASSERT_TRUE(first.has_value());

  EXPECT_FALSE(admission.Admit("a", 11).has_value());
  EXPECT_TRUE(admission.Admit("a", 10).has_value());
  EXPECT_TRUE(admission.Admit("b", 50).has_value());
}

TEST(AdmissionTest, AllTogetherStayWithinTheTotal) {
  Admission admission({.total_bytes = 100, .tenant_bytes = 60});
  const auto a = admission.Admit("a", 60);
  const auto b = admission.Admit("b", 40);
  ASSERT_TRUE(a.has_value() && b.has_value());
  EXPECT_FALSE(admission.Admit("c", 1).has_value());
  EXPECT_EQ(admission.held_bytes(), 100U);
}

TEST(AdmissionTest, WhatATicketHeldIsFreeAtItsEnd) {
  Admission admission({.total_bytes = 100, .tenant_bytes = 60});
  {
    std::optional<Ticket> ticket = admission.Admit("a", 60);
    const Ticket moved = *std::move(ticket);
    EXPECT_FALSE(admission.Admit("a", 1).has_value());
  }
  EXPECT_EQ(admission.held_bytes(), 0U);
  std::optional<Ticket> again = admission.Admit("a", 60);
  ASSERT_TRUE(again.has_value());
  *again = *admission.Admit("b", 40);
  EXPECT_EQ(admission.held_bytes(), 40U);
}

TEST(AdmissionTest, ARequestLargerThanTheShareIsTakenAlone) {
  Admission admission({.total_bytes = 100, .tenant_bytes = 60});
  { EXPECT_TRUE(admission.Admit("a", 500).has_value()); }
  const auto small = admission.Admit("a", 1);
  EXPECT_FALSE(admission.Admit("b", 500).has_value());
}

// ---- directory ----

storage::ApiKey Key(std::string_view secret, std::string tenant) {
  const SecretHash hash = HashSecret(secret);
  storage::ApiKey key;
  key.tenant = std::move(tenant);
  key.secret_hash.assign(hash.begin(), hash.end());
  return key;
}

TEST(DirectoryTest, FindsTheTenantOfAKey) {
  PolicyDocument policy;
  policy.tenants = {{.name = "shop"}, {.name = "bank"}};
  std::vector<storage::ApiKey> keys = {Key("secret", "shop"), Key("orphan", "gone"),
                                       Key("old", "bank")};
  keys[2].revoked_at = FromMicros(1);
  const auto directory = MakeDirectory(7, policy, keys);

  EXPECT_EQ(directory->revision, 7);
  ASSERT_NE(directory->FindTenant(HashSecret("secret")), nullptr);
  EXPECT_EQ(directory->FindTenant(HashSecret("secret"))->name, "shop");
  EXPECT_EQ(directory->FindTenant(HashSecret("Secret")), nullptr);
  EXPECT_EQ(directory->FindTenant(HashSecret("")), nullptr);
  EXPECT_EQ(directory->FindTenant(HashSecret("orphan")), nullptr)
      << "its tenant is not in the policy";
  EXPECT_EQ(directory->FindTenant(HashSecret("old")), nullptr) << "revoked";
}

TEST(DirectoryTest, AKeyForAllEventsIsNoTenantsAndSubmitsNothing) {
  PolicyDocument policy;
  policy.tenants = {{.name = "shop"}};
  std::vector<storage::ApiKey> keys = {Key("secret", "shop"), Key("eye", "*"), Key("old eye", "*")};
  keys[2].revoked_at = FromMicros(1);
  const auto directory = MakeDirectory(7, policy, keys);
  EXPECT_TRUE(directory->ReadsAll(HashSecret("eye")));
  EXPECT_EQ(directory->FindTenant(HashSecret("eye")), nullptr);
  EXPECT_FALSE(directory->ReadsAll(HashSecret("secret")));
  EXPECT_FALSE(directory->ReadsAll(HashSecret("old eye")));
  EXPECT_FALSE(directory->ReadsAll(HashSecret("guess")));
}

TEST(DirectoryTest, KeepsWhatSubmissionsAreCheckedAgainst) {
  PolicyDocument policy;
  policy.streams = {{.name = "alerts", .priority = Priority::kHigh}};
  policy.tag_headers = {"X-Kind"};
  const auto directory = MakeDirectory(1, policy, {});
  EXPECT_EQ(directory->streams.at("alerts").priority, Priority::kHigh);
  EXPECT_THAT(directory->tag_headers, ElementsAre("x-kind"));
}

TEST(DirectoryTest, SecretsAreHashedWithSha256) {
  const SecretHash hash = HashSecret("abc");
  EXPECT_THAT(std::vector<int>(hash.begin(), hash.begin() + 4),
              ElementsAre(0xba, 0x78, 0x16, 0xbf));
}

// ---- idempotency ----

SubmissionRequest SomeRequest() {
  SubmissionRequest request;
  request.stream = "news";
  request.return_path = "a@shop.example";
  request.content = "content";
  request.metadata = {{"a", "1"}, {"b", "2"}};
  request.recipients.push_back(
      {.address = "x@example.com", .metadata = {}, .merge_values = {{"n", "v"}}});
  return request;
}

TEST(IdempotencyTest, AKeyIsTheTenantsOwn) {
  EXPECT_EQ(HashKey("shop", "1"), HashKey("shop", "1"));
  EXPECT_NE(HashKey("shop", "1"), HashKey("bank", "1"));
  EXPECT_NE(HashKey("shop", "11"), HashKey("shop1", "1"));
  // sha256("shop\0" "1"), first bytes: stored keys must stay valid.
  EXPECT_EQ(HashKey("shop", "1").high, 0xc0b7a68ffdeba506U);
}

TEST(IdempotencyTest, MapsHaveNoOrderAndTheKeyDoesNotCount) {
  const SubmissionRequest request = SomeRequest();
  SubmissionRequest other = SomeRequest();
  std::swap(other.metadata[0], other.metadata[1]);
  other.idempotency_key = "k";
  EXPECT_EQ(DigestOf(request), DigestOf(other));
}

TEST(IdempotencyTest, EveryFieldChangesTheDigest) {
  std::vector<SubmissionRequest> all(18, SomeRequest());
  all[1].stream = "other";
  all[2].campaign = "c";
  all[3].return_path = "b@shop.example";
  all[4].content = "Content";
  all[5].first_attempt_at = FromMicros(0);
  all[6].expires_at = FromMicros(0);
  all[7].priority = 2;
  all[8].merge = true;
  all[9].metadata[0].second = "2";
  all[10].list_unsubscribe_url = "https://x";
  all[11].dsn_return = 1;
  all[12].dsn_envelope_id = "e";
  all[13].recipients.push_back({});
  all[14].recipients[0].address = "y@example.com";
  all[15].recipients[0].metadata = {{"n", "v"}};
  all[16].recipients[0].dsn_notify = 1;
  all[17].recipients[0].engagement = 1;
  std::set<storage::Hash128> digests;
  for (const SubmissionRequest& request : all) digests.insert(DigestOf(request));
  EXPECT_EQ(digests.size(), all.size());
}

TEST(IdempotencyTest, TextMovedBetweenFieldsChangesTheDigest) {
  SubmissionRequest one = SomeRequest();
  SubmissionRequest other = SomeRequest();
  one.stream = "ab";
  one.campaign = "c";
  other.stream = "a";
  other.campaign = "bc";
  EXPECT_NE(DigestOf(one), DigestOf(other));
}

// ---- compression ----

std::string Unpacked(const StoredContent& stored, size_t size) {
  if (stored.encoding == kEncodingIdentity) return stored.bytes;
  std::string bytes(size, '\0');
  const int got =
      LZ4_decompress_safe(stored.bytes.data(), bytes.data(), static_cast<int>(stored.bytes.size()),
                          static_cast<int>(size));
  EXPECT_EQ(got, static_cast<int>(size));
  return bytes;
}

TEST(CompressTest, WhatShrinksIsOneLz4Block) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "line of mail " + std::to_string(i * 7919) + "\r\n";
  for (const size_t size : {size_t{100}, size_t{2000}, text.size()}) {
    const StoredContent stored = Compress(text.substr(0, size));
    EXPECT_EQ(stored.encoding, kEncodingLz4) << size;
    EXPECT_LT(stored.bytes.size(), size);
    EXPECT_EQ(Unpacked(stored, size), text.substr(0, size));
  }
}

TEST(CompressTest, WhatDoesNotShrinkStaysAsItIs) {
  std::string noise;
  uint32_t x = 12345;
  for (int i = 0; i < 20'000; ++i) noise += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  for (const std::string& bytes : {noise, std::string("a"), std::string("From: a@b.example\r\n")}) {
    const StoredContent stored = Compress(bytes);
    EXPECT_EQ(stored.encoding, kEncodingIdentity);
    EXPECT_EQ(stored.bytes, bytes);
  }
}

// ---- verdicts and metadata as stored ----

TEST(VerdictsTest, ReadBackAsWritten) {
  const std::vector<Verdict> verdicts = {{3, "invalid_address", "address 'x' has no @: add it"},
                                         {17, "duplicate", ""}};
  EXPECT_EQ(DecodeVerdicts(EncodeVerdicts(verdicts)), verdicts);
  EXPECT_EQ(EncodeVerdicts({}), "");
  EXPECT_TRUE(DecodeVerdicts("").empty());
}

TEST(VerdictsTest, ForeignBytesGiveNothing) {
  for (const char* bytes :
       {"x", "1 reason", "x reason text\n", "1x reason text\n", "\n", " a b\n"}) {
    EXPECT_TRUE(DecodeVerdicts(bytes).empty()) << bytes;
  }
}

TEST(JsonMapTest, WritesSortedAndEscaped) {
  EXPECT_EQ(EncodeJsonMap({}), "");
  EXPECT_EQ(EncodeJsonMap({{"b", "2"}, {"a", "\"\\\n\x01ü"}}),
            "{\"a\":\"\\\"\\\\\\u000a\\u0001ü\",\"b\":\"2\"}");
}

TEST(JsonMapTest, ReadsBackWhatItWrote) {
  const std::string json = EncodeJsonMap({{"b", "2"}, {"a", "\"\\\n\x01ü"}, {"", ""}});
  EXPECT_THAT(DecodeJsonMap(json),
              ElementsAre(std::pair("", ""), std::pair("a", "\"\\\n\x01ü"), std::pair("b", "2")));
  for (const char* other : {"", "{", "{}", "{\"a\"}", "{\"a\":1}", "{\"a\":\"b\"", "{\"a\":\"b\",}",
                            "{\"a\":\"\\u00g0\"}", "{\"a\":\"\\", "{\"a\":\"b\"}x", "[]"}) {
    EXPECT_TRUE(DecodeJsonMap(other).empty()) << other;
  }
}

TEST(JsonMapTest, TheRecipientsMetadataWins) {
  EXPECT_EQ(EncodeJsonMap(Overlay({{"a", "1"}, {"b", "1"}}, {{"b", "2"}, {"c", "2"}})),
            "{\"a\":\"1\",\"b\":\"2\",\"c\":\"2\"}");
}

// ---- added headers ----

ContentFacts FactsOf(std::string_view header) {
  return CheckContent(Cat("From: a@shop.example\r\n", header, "\r\nx\r\n"), {}).value();
}

std::string Added(const ContentFacts& facts, std::string_view url, MessageIdTokens& tokens,
                  const TenantPolicy& tenant = {}) {
  SubmissionRequest request;
  request.list_unsubscribe_url = url;
  request.campaign = "black friday:2";
  request.stream = "marketing";
  return AddedHeaders(facts, request, tenant, FromMicros(0), tokens);
}

TEST(AddedHeadersTest, PolicyAddsTokenAndFeedbackId) {
  MessageIdTokens tokens;
  const TenantPolicy tenant = {
      .name = "shop", .token_header = "X-Mail-Reference", .feedback_sender = "shopmail"};
  const std::string_view whole = "Date: x\r\nMessage-ID: <1@x>\r\n";
  EXPECT_EQ(Added(FactsOf(whole), "", tokens, tenant),
            "X-Mail-Reference: \x01\r\nFeedback-ID: black_friday_2:shop:marketing:shopmail\r\n");
  EXPECT_EQ(Added(FactsOf(Cat(whole, "Feedback-ID: a:b:c:d\r\n")), "", tokens, tenant),
            "X-Mail-Reference: \x01\r\n");
}

TEST(AddedHeadersTest, AddsWhatIsMissing) {
  MessageIdTokens tokens;
  const std::string headers = Added(FactsOf(""), "", tokens);
  EXPECT_THAT(headers,
              ::testing::MatchesRegex("Date: Thu, 01 Jan 1970 00:00:00 \\+0000\r\nMessage-ID: "
                                      "<[0-9a-z]+\\.0@shop.example>\r\n"));
  EXPECT_EQ(Added(FactsOf("Date: x\r\nMessage-ID: <1@x>\r\n"), "", tokens),
            "");
}

TEST(AddedHeadersTest, OneClickNeedsHttps) {
  MessageIdTokens tokens;
  const ContentFacts facts = FactsOf("Date: x\r\nMessage-ID: <1@x>\r\n");
  EXPECT_EQ(Added(facts, "https://u.example/1", tokens),
            "List-Unsubscribe: <https://u.example/1>\r\nList-Unsubscribe-Post: "
            "List-Unsubscribe=One-Click\r\n");
  EXPECT_EQ(Added(facts, "mailto:u@shop.example", tokens),
            "List-Unsubscribe: <mailto:u@shop.example>\r\n");
}

TEST(AddedHeadersTest, TokensNeverRepeat) {
  MessageIdTokens one;
  MessageIdTokens other;
  std::set<std::string> tokens;
  for (int i = 0; i < 2000; ++i) {
    tokens.insert(one.Next());
    tokens.insert(other.Next());
  }
  EXPECT_EQ(tokens.size(), 4000U);
}

}  // namespace
}  // namespace sluice::ingest
