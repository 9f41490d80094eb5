#include "ingest/submit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ingest/compress.h"
#include "ingest/idempotency.h"
#include "ingest/stored_text.h"
#include "unit/storage/fake_suppression_store.h"

namespace sluice::ingest {
namespace {

using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::string_view kContent =
    "From: Shop <news@shop.example>\r\nX-Kind: big\r\nSubject: x\r\n\r\nBody\r\n";
constexpr Instant kNow = FromMicros(1'800'000'000'000'000);

class SubmitTest : public ::testing::Test {
 protected:
  SubmitTest() {
    directory_.streams["news"] = {};
    directory_.streams["alerts"] = {
        .name = "alerts", .priority = Priority::kHigh, .expiry = hours(1)};
    directory_.streams["theirs"] = {};
    directory_.tag_headers = {"x-kind"};
    tenant_ = {.name = "shop",
               .streams = {"alerts", "news"},
               .sender_domains = {"shop.example", "xn--bcher-kva.example"}};
    request_.stream = "news";
    request_.return_path = "bounce@mail.shop.example";
    request_.content = kContent;
    request_.recipients.push_back(
        {.address = "user@example.com", .metadata = {}, .merge_values = {}});
  }

  std::variant<CheckedSubmission, SubmitError> Check() {
    return CheckSubmission(request_, tenant_, directory_, suppressions_, rules_, kNow, tokens_);
  }
  CheckedSubmission Accepted() {
    auto checked = Check();
    const auto* error = std::get_if<SubmitError>(&checked);
    EXPECT_EQ(error, nullptr) << error->message;
    return error == nullptr ? std::get<CheckedSubmission>(std::move(checked)) : CheckedSubmission{};
  }
  SubmitError Refused() {
    auto checked = Check();
    EXPECT_TRUE(std::holds_alternative<SubmitError>(checked));
    return std::holds_alternative<SubmitError>(checked) ? std::get<SubmitError>(checked)
                                                        : SubmitError{};
  }
  // The one violation there is, as "CODE field: description".
  std::string Violation() {
    const SubmitError error = Refused();
    EXPECT_THAT(error.violations, SizeIs(1)) << error.message;
    return Cat(absl::StatusCodeToString(error.code), " ", error.message);
  }
  void AddRecipient(std::string_view address) {
    request_.recipients.push_back({.address = address, .metadata = {}, .merge_values = {}});
  }

  void Suppress(const std::string& tenant, const std::string& address) {
    ASSERT_TRUE(suppression_store_.Add({{.tenant = tenant, .address = address}}).ok());
    ASSERT_TRUE(suppressions_.Follow(suppression_store_, SteadyInstant{}).ok());
  }

  testing::FakeSuppressionStore suppression_store_;
  storage::SuppressionSet suppressions_;
  Directory directory_;
  TenantPolicy tenant_;
  SubmitRules rules_;
  SubmissionRequest request_;
  MessageIdTokens tokens_;
};

TEST_F(SubmitTest, ASuppressedRecipientIsAVerdictAndTheOthersAreSentTo) {
  Suppress("shop", "user@example.com");
  Suppress("other", "second@example.com");
  AddRecipient("second@example.com");
  const CheckedSubmission checked = Accepted();
  ASSERT_THAT(checked.message.recipients, SizeIs(1));
  EXPECT_EQ(checked.message.recipients[0].address, "second@example.com");
  ASSERT_THAT(checked.refused, SizeIs(1));
  EXPECT_EQ(checked.refused[0].index, 0);
  EXPECT_EQ(checked.refused[0].reason, "suppressed");
  ASSERT_THAT(checked.message.suppressed, SizeIs(1)) << "what becomes an event";
  EXPECT_EQ(checked.message.suppressed[0].address, "user@example.com");
}

TEST_F(SubmitTest, AMessageWhoseLastRecipientIsSuppressedIsAcceptedAndHasNobodyLeft) {
  Suppress("", "user@example.com");
  AddRecipient("not an address");
  const CheckedSubmission checked = Accepted();
  EXPECT_THAT(checked.message.recipients, SizeIs(0));
  EXPECT_TRUE(checked.message.content.empty());
  EXPECT_THAT(checked.refused, SizeIs(2));
  EXPECT_EQ(DecodeVerdicts(checked.message.verdicts), checked.refused);
}

TEST_F(SubmitTest, ANormalSubmissionIsFilledIn) {
  request_.campaign = "spring";
  const CheckedSubmission checked = Accepted();

  const storage::AcceptedMessage& message = checked.message;
  EXPECT_EQ(message.tenant, "shop");
  EXPECT_EQ(message.stream, "news");
  EXPECT_EQ(message.campaign, "spring");
  EXPECT_EQ(message.return_path, "bounce@mail.shop.example");
  EXPECT_EQ(message.sender_domain, "shop.example");
  EXPECT_EQ(message.tags, "x-kind=big\n");
  EXPECT_EQ(message.priority, 1);
  EXPECT_EQ(message.accepted_at, kNow);
  EXPECT_EQ(message.due_at, kNow);
  EXPECT_EQ(message.expires_at, kNow + hours(120));
  EXPECT_THAT(message.prepended_headers, HasSubstr("Date: "));
  EXPECT_THAT(message.prepended_headers, HasSubstr("Message-ID: <"));
  EXPECT_EQ(message.content, kContent);
  EXPECT_EQ(message.encoding, kEncodingIdentity);
  EXPECT_EQ(message.size_bytes, static_cast<int32_t>(kContent.size()));
  EXPECT_EQ(message.flags, 0);
  EXPECT_FALSE(message.key_hash.has_value());
  ASSERT_THAT(message.recipients, SizeIs(1));
  EXPECT_EQ(message.recipients[0].address, "user@example.com");
  EXPECT_EQ(message.recipients[0].domain, "example.com");
  EXPECT_EQ(message.recipients[0].metadata_json, "");
  EXPECT_EQ(message.verdicts, "");
}

TEST_F(SubmitTest, TheStreamGivesPriorityAndExpiry) {
  request_.stream = "alerts";
  EXPECT_EQ(Accepted().message.priority, 2);
  EXPECT_EQ(Accepted().message.expires_at, kNow + hours(1));

  request_.priority = 1;
  request_.expires_at = kNow + hours(2);
  EXPECT_EQ(Accepted().message.priority, 1);
  EXPECT_EQ(Accepted().message.expires_at, kNow + hours(2));
}

TEST_F(SubmitTest, AKeyBringsItsHashAndTheDigest) {
  request_.idempotency_key = "k";
  EXPECT_EQ(Accepted().message.key_hash, HashKey("shop", "k"));
  EXPECT_EQ(Accepted().message.digest, DigestOf(request_));
}

TEST_F(SubmitTest, ContentIsNormalisedBeforeItIsStored) {
  request_.content = "From: a@shop.example\n\nBody";
  EXPECT_EQ(Accepted().message.content, "From: a@shop.example\r\n\r\nBody\r\n");
  EXPECT_EQ(Accepted().message.size_bytes, 30);
}

TEST_F(SubmitTest, FlagsTellWhatThePeerMustSupport) {
  request_.content = "From: a@shop.example\r\n\r\n\xff\r\n";
  EXPECT_EQ(Accepted().message.flags, 1);
  request_.content = "From: a@shop.example\r\nSubject: ü\r\n\r\n\r\n";
  EXPECT_EQ(Accepted().message.flags, 2);
  request_.content = kContent;
  request_.return_path = "bücher@shop.example";
  EXPECT_EQ(Accepted().message.flags, 2);
}

TEST_F(SubmitTest, MetadataOfMessageAndRecipientMeet) {
  request_.metadata = {{"order", "1"}, {"kind", "m"}};
  AddRecipient("second@example.com");
  request_.recipients[1].metadata = {{"kind", "r"}};
  const CheckedSubmission checked = Accepted();
  EXPECT_EQ(checked.message.recipients[0].metadata_json, R"({"kind":"m","order":"1"})");
  EXPECT_EQ(checked.message.recipients[1].metadata_json, R"({"kind":"r","order":"1"})");
}

// ---- recipients ----

TEST_F(SubmitTest, ABadRecipientGetsItsVerdictAndSinksNobody) {
  AddRecipient("nobody");
  AddRecipient("USER@EXAMPLE.COM");
  AddRecipient("user@Example.com.");
  AddRecipient("bob@bücher.example");
  const CheckedSubmission checked = Accepted();

  ASSERT_THAT(checked.message.recipients, SizeIs(3));
  EXPECT_EQ(checked.message.recipients[1].address, "USER@example.com");
  EXPECT_EQ(checked.message.recipients[2].domain, "xn--bcher-kva.example");
  ASSERT_THAT(checked.refused, SizeIs(2));
  EXPECT_EQ(checked.refused[0].index, 1);
  EXPECT_EQ(checked.refused[0].reason, "invalid_address");
  EXPECT_THAT(checked.refused[0].description, HasSubstr("has no @: add the domain"));
  EXPECT_EQ(checked.refused[1].index, 3);
  EXPECT_EQ(checked.refused[1].reason, "duplicate");
  EXPECT_EQ(DecodeVerdicts(checked.message.verdicts), checked.refused);
}

TEST_F(SubmitTest, FailsWhenNoRecipientIsLeft) {
  request_.recipients[0].address = "nobody";
  AddRecipient("a@b@c");
  const SubmitError error = Refused();
  EXPECT_EQ(error.code, absl::StatusCode::kInvalidArgument);
  ASSERT_THAT(error.violations, SizeIs(2));
  EXPECT_EQ(error.violations[0].field, "recipients[0].address");
  EXPECT_EQ(error.violations[1].field, "recipients[1].address");
}

TEST_F(SubmitTest, AddressLiteralsNeedARule) {
  request_.recipients[0].address = "user@[192.0.2.1]";
  EXPECT_THAT(Violation(), HasSubstr("not allowed here"));
  rules_.allow_address_literals = true;
  EXPECT_EQ(Accepted().message.recipients[0].domain, "[192.0.2.1]");
}

TEST_F(SubmitTest, RecipientsAreOneToAThousand) {
  request_.recipients.clear();
  EXPECT_THAT(Violation(), HasSubstr("recipients: there is none: give at least one"));
  std::vector<std::string> addresses;
  for (int i = 0; i < 1001; ++i) addresses.push_back(Cat("u", i, "@example.com"));
  for (const std::string& address : addresses) AddRecipient(address);
  EXPECT_THAT(Violation(), HasSubstr("recipients: there are 1001: at most 1000"));
  request_.recipients.pop_back();
  EXPECT_THAT(Accepted().message.recipients, SizeIs(1000));
}

// ---- who may send as whom ----

TEST_F(SubmitTest, ATenantSendsAsItsOwnDomainsOnly) {
  request_.content = "From: a@bank.example\r\n\r\n";
  EXPECT_THAT(Violation(),
              HasSubstr("PERMISSION_DENIED content: the header 'From' names 'a@bank.example'"));
  request_.content = "From: a@shop.example, b@bank.example\r\nSender: a@shop.example\r\n\r\n";
  EXPECT_THAT(Violation(), HasSubstr("'bank.example' is no sender domain of tenant 'shop'"));
  request_.content = "From: a@shop.example\r\nSender: a@bank.example\r\n\r\n";
  EXPECT_THAT(Violation(), HasSubstr("the header 'Sender'"));
  request_.content = "From: \"a@shop.example\" <a@bank.example>\r\n\r\n";
  EXPECT_THAT(Violation(), HasSubstr("PERMISSION_DENIED"));
  request_.content = "From: a@workshop.example\r\n\r\n";
  EXPECT_THAT(Violation(), HasSubstr("PERMISSION_DENIED"));
  request_.content = "From: a@BÜCHER.example\r\n\r\n";
  EXPECT_EQ(Accepted().message.sender_domain, "xn--bcher-kva.example");
}

TEST_F(SubmitTest, TheReturnPathIsTheTenantsOrNull) {
  request_.return_path = "b@bank.example";
  EXPECT_THAT(Violation(),
              HasSubstr("PERMISSION_DENIED return_path: 'bank.example' is no sender domain"));
  request_.return_path = "";
  EXPECT_THAT(Violation(), HasSubstr("INVALID_ARGUMENT return_path: it is missing"));
  request_.return_path = "bounce";
  EXPECT_THAT(Violation(), HasSubstr("return_path: address 'bounce' has no @"));
  request_.return_path = "<>";
  EXPECT_EQ(Accepted().message.return_path, "");
}

TEST_F(SubmitTest, StreamsAreTheTenantsOwn) {
  request_.stream = "";
  EXPECT_THAT(Violation(),
              HasSubstr("INVALID_ARGUMENT stream: it is missing: give one of alerts, news"));
  request_.stream = "nwes";
  EXPECT_THAT(
      Violation(),
      HasSubstr("INVALID_ARGUMENT stream: there is no stream 'nwes': give one of alerts, news"));
  request_.stream = "theirs";
  EXPECT_THAT(Violation(),
              HasSubstr("PERMISSION_DENIED stream: tenant 'shop' may not use 'theirs'"));
}

// ---- everything else ----

TEST_F(SubmitTest, ContentErrorsNameTheFieldAndTheLine) {
  request_.content = "From: a@shop.example\r\nX: a\nBcc: b\r\n\r\n";
  EXPECT_THAT(Violation(), HasSubstr("INVALID_ARGUMENT content: line 2: "));
  request_.content = "";
  EXPECT_THAT(Violation(), HasSubstr("content: the message is empty"));
  request_.content = kContent;
  rules_.content_bytes = 10;
  EXPECT_THAT(Violation(), HasSubstr("content: the message has"));
}

TEST_F(SubmitTest, TimesHaveBounds) {
  request_.first_attempt_at = kNow - hours(1);
  EXPECT_EQ(Accepted().message.due_at, kNow);
  request_.first_attempt_at = kNow + hours(10);
  EXPECT_EQ(Accepted().message.due_at, kNow + hours(10));
  EXPECT_EQ(Accepted().message.expires_at, kNow + hours(130));
  request_.expires_at = kNow + hours(10);
  EXPECT_THAT(Violation(),
              HasSubstr("expires_at: 2027-01-15T18:00:00.000000Z is not after first_attempt_at"));
  request_.expires_at = kNow;
  EXPECT_THAT(Violation(), HasSubstr("is in the past"));
  request_.expires_at = kNow + hours(10 + 30 * 24 + 1);
  EXPECT_THAT(Violation(), HasSubstr("is too late"));
  request_.expires_at.reset();
  request_.first_attempt_at = kNow + hours(30 * 24 + 1);
  EXPECT_THAT(Violation(), HasSubstr("first_attempt_at: "));
}

TEST_F(SubmitTest, SizesHaveBounds) {
  const std::string long_text(1025, 'x');
  const auto text = [&](size_t size) { return std::string_view(long_text).substr(0, size); };
  const SubmissionRequest good = request_;
  const auto violation_of = [&](auto change) {
    request_ = good;
    change();
    const std::string violation = Violation();
    request_ = good;
    return violation;
  };
  EXPECT_THAT(violation_of([&] { request_.idempotency_key = text(201); }),
              HasSubstr("idempotency_key: it has 201 bytes"));
  EXPECT_THAT(violation_of([&] { request_.campaign = text(129); }),
              HasSubstr("campaign: it has 129 bytes"));
  EXPECT_THAT(violation_of([&] { request_.campaign = "a\nb"; }),
              HasSubstr("campaign: it has a control"));
  EXPECT_THAT(violation_of([&] {
                request_.metadata = {{text(65), "v"}};
              }),
              HasSubstr("has 65 bytes: at most 64"));
  EXPECT_THAT(violation_of([&] {
                request_.metadata = {{"n", text(1025)}};
              }),
              HasSubstr("metadata: the value of 'n' has 1025"));
  EXPECT_THAT(violation_of([&] {
                request_.metadata = {{"", "v"}};
              }),
              HasSubstr("metadata: a name in it is empty"));
  EXPECT_THAT(violation_of([&] {
                request_.recipients[0].metadata = {{"n", text(1025)}};
              }),
              HasSubstr("recipients[0].metadata: the value"));
  EXPECT_THAT(violation_of([&] {
                request_.metadata = Pairs(33, {"a", "b"});
              }),
              HasSubstr("it has 33 entries: at most 32"));
  EXPECT_THAT(violation_of([&] { request_.recipients[0].engagement = 101; }),
              HasSubstr("recipients[0].engagement: 101"));
  EXPECT_THAT(violation_of([&] { request_.recipients[0].engagement = -1; }),
              HasSubstr("give 0 to 100"));
  EXPECT_THAT(
      violation_of([&] { request_.recipients[0].dsn_notify = kNotifyNever | kNotifyDelay; }),
      HasSubstr("NEVER"));
  EXPECT_THAT(violation_of([&] { request_.dsn_envelope_id = "a b"; }),
              HasSubstr("dsn_envelope_id: "));
  EXPECT_THAT(violation_of([&] { request_.dsn_envelope_id = text(101); }),
              HasSubstr("dsn_envelope_id: "));
  for (const char* url :
       {"ftp://x", "https://x y", "https://x>,<mailto:y", "https://x\r\nBcc: y", "x"}) {
    EXPECT_THAT(violation_of([&] { request_.list_unsubscribe_url = url; }),
                HasSubstr("list_unsubscribe_url: "))
        << url;
  }
}

TEST_F(SubmitTest, MetadataOfManyRecipientsIsBounded) {
  const std::string value(1024, 'x');
  const std::vector<std::string> names = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
  for (const std::string& name : names) request_.metadata.emplace_back(name, value);
  std::vector<std::string> addresses;
  for (int i = 0; i < 999; ++i) addresses.push_back(Cat("u", i, "@example.com"));
  for (const std::string& address : addresses) AddRecipient(address);
  EXPECT_THAT(Violation(), HasSubstr("split them over several submissions"));
}

TEST_F(SubmitTest, ListUnsubscribeIsAddedOnce) {
  request_.list_unsubscribe_url = "https://shop.example/u";
  EXPECT_THAT(Accepted().message.prepended_headers,
              HasSubstr("List-Unsubscribe: <https://shop.example/u>\r\n"));
  request_.content = "From: a@shop.example\r\nList-Unsubscribe: <mailto:x@y>\r\n\r\n";
  EXPECT_THAT(Violation(), HasSubstr("leave out one of the two"));
}

TEST_F(SubmitTest, AllThatIsWrongIsNamedAtOnceWithinBounds) {
  request_.stream = "nwes";
  request_.return_path = "b@bank.example";
  request_.content = "";
  const SubmitError error = Refused();
  EXPECT_EQ(error.code, absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(error.violations, SizeIs(3));

  request_.metadata = Pairs(32, {"", ""});
  EXPECT_THAT(Refused().violations, SizeIs(kMostViolations));
  EXPECT_THAT(Refused().message, HasSubstr("; and 25 more"));
}

TEST_F(SubmitTest, AnErrorFitsGrpcsTrailers) {
  request_.recipients.clear();
  const std::vector<std::string> addresses(20, std::string(200, '\x01'));
  for (const std::string& address : addresses) AddRecipient(address);
  const SubmitError error = Refused();
  size_t bytes = error.message.size();
  for (const FieldViolation& violation : error.violations)
    bytes += violation.field.size() + violation.description.size();
  EXPECT_LT(bytes, 5000U);
}

TEST_F(SubmitTest, HoldingARequestCostsMoreThanItsBytes) {
  EXPECT_GT(HeldBytes(10'000, 1), 10'000U);
  EXPECT_GT(HeldBytes(10'000, 2), HeldBytes(10'000, 1));
  EXPECT_GT(HeldBytes(0, 0), 0U);
}

}  // namespace
}  // namespace sluice::ingest
