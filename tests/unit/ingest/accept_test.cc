#include "ingest/accept.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "unit/ingest/fake_store.h"

namespace sluice::ingest {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::string_view kContent = "From: Shop <news@shop.example>\r\n\r\nBody\r\n";

class AcceptTest : public ::testing::Test {
 protected:
  AcceptTest() {
    Limit({});
    commit_.SetShards({3});
  }

  void Limit(const storage::KeyLimits& limits) {
    PolicyDocument policy;
    policy.tenants = {{.name = "shop", .streams = {"news"}, .sender_domains = {"shop.example"}}};
    policy.streams = {{.name = "news"}};
    storage::ApiKey key;
    key.id = "k1";
    key.tenant = "shop";
    key.secret_hash.assign(secret_.begin(), secret_.end());
    key.limits = limits;
    directory_.Set(MakeDirectory(1, policy, {key}));
  }
  static int Answers(const std::vector<SubmitOutcome>& outcomes) {
    return static_cast<int>(std::count_if(outcomes.begin(), outcomes.end(), [](const SubmitOutcome& outcome) {
      return std::holds_alternative<SubmitAnswer>(outcome);
    }));
  }

  static SubmissionRequest Request(std::string_view recipient, std::string_view key = "") {
    SubmissionRequest request;
    request.idempotency_key = key;
    request.stream = "news";
    request.return_path = "<>";
    request.content = kContent;
    request.recipients.push_back({.address = recipient, .metadata = {}, .merge_values = {}});
    return request;
  }

  std::vector<SubmitOutcome> Run(const std::vector<SubmissionRequest>& submissions) {
    auto admitted = accept_.Admit(secret_, 1000, submissions.size());
    EXPECT_TRUE(std::holds_alternative<Accept::Admitted>(admitted));
    std::promise<std::vector<SubmitOutcome>> done;
    accept_.Run(
        std::get<Accept::Admitted>(std::move(admitted)), submissions,
        [&done](std::vector<SubmitOutcome> outcomes) { done.set_value(std::move(outcomes)); });
    return done.get_future().get();
  }
  static SubmitAnswer Answer(const SubmitOutcome& outcome) {
    const auto* error = std::get_if<SubmitError>(&outcome);
    EXPECT_EQ(error, nullptr) << error->message;
    return error == nullptr ? std::get<SubmitAnswer>(outcome) : SubmitAnswer{};
  }
  static SubmitError Error(const SubmitOutcome& outcome) {
    EXPECT_TRUE(std::holds_alternative<SubmitError>(outcome));
    return std::holds_alternative<SubmitError>(outcome) ? std::get<SubmitError>(outcome)
                                                        : SubmitError{};
  }

  const SecretHash secret_ = HashSecret("secret");
  FakeStore store_;
  FakeClock clock_;
  CapturingSink sink_;
  Logger log_{sink_, clock_, "ingest"};
  DirectoryHolder directory_;
  Admission admission_{{.total_bytes = 10'000, .tenant_bytes = 6'000}};
  GroupCommit commit_{
      {.writers = 1}, [this] { return store_.Open(); }, [](CommittedBatch) {}, clock_, log_};
  storage::SuppressionSet suppressions_;
  PendingQuota quota_;
  Accept accept_{directory_, suppressions_, admission_, quota_, commit_, {}, clock_};
};

TEST_F(AcceptTest, AnswersEachSubmissionInItsPlace) {
  const auto outcomes = Run(
      {Request("a@example.com"), Request("nobody"), Request(kBadRow), Request("b@example.com")});
  ASSERT_THAT(outcomes, SizeIs(4));
  const int64_t first = Answer(outcomes[0]).message_id;
  EXPECT_EQ(ShardOf(MessageId(first)), ShardId(3));
  EXPECT_EQ(Error(outcomes[1]).violations.at(0).field, "recipients[0].address");
  EXPECT_EQ(Error(outcomes[2]).code, absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Error(outcomes[2]).message, HasSubstr("the row is bad"));
  EXPECT_GT(Answer(outcomes[3]).message_id, first);
}

TEST_F(AcceptTest, AKeyAtItsRateIsToldWhenToComeBack) {
  Limit({.messages_per_second = 2});
  // A second's worth, and the request that overdraws it.
  EXPECT_EQ(Answers(Run({Request("a@example.com"), Request("b@example.com"), Request("c@example.com")})), 3);
  const auto refused = accept_.Admit(secret_, 1000, 1);
  ASSERT_TRUE(std::holds_alternative<SubmitError>(refused));
  EXPECT_EQ(std::get<SubmitError>(refused).code, absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::get<SubmitError>(refused).message, HasSubstr("API key k1 is at its limit of 2 messages a second"));
  const Duration wait = std::get<SubmitError>(refused).retry_after;
  EXPECT_GT(wait, Duration(0));
  clock_.Advance(wait);
  EXPECT_EQ(Answers(Run({Request("d@example.com")})), 1);
  EXPECT_EQ(admission_.held_bytes(), 0u) << "a refused request holds no room";
}

TEST_F(AcceptTest, AMessageOverTheKeysSizeIsRefusedAloneNamingTheLimit) {
  Limit({.message_bytes = static_cast<int64_t>(kContent.size())});
  const std::string larger = std::string(kContent) + "x\r\n";
  std::vector<SubmissionRequest> requests = {Request("a@example.com"), Request("b@example.com")};
  requests[1].content = larger;
  const auto outcomes = Run(requests);
  Answer(outcomes[0]);
  const SubmitError error = Error(outcomes[1]);
  EXPECT_EQ(error.code, absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(error.violations.at(0).field, "content");
  EXPECT_THAT(error.message, HasSubstr(Cat("API key k1 takes at most ", kContent.size())));
  EXPECT_EQ(error.retry_after, Duration(0)) << "it would fail again";
}

TEST_F(AcceptTest, NothingIsCommittedWhenAllIsRefused) {
  EXPECT_EQ(Error(Run({Request("nobody")})[0]).code, absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_.tries(), 0);
}

TEST_F(AcceptTest, TheSameKeyAndContentGetTheSameAnswer) {
  std::vector<SubmissionRequest> requests = {Request("a@example.com", "key")};
  requests[0].recipients.push_back({.address = "nobody", .metadata = {}, .merge_values = {}});
  const SubmitAnswer first = Answer(Run(requests)[0]);
  const SubmitAnswer again = Answer(Run(requests)[0]);
  EXPECT_FALSE(first.repeated);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.message_id, first.message_id);
  EXPECT_EQ(again.refused, first.refused);
  EXPECT_THAT(again.refused, SizeIs(1));
  EXPECT_THAT(store_.batches(), SizeIs(1));
}

TEST_F(AcceptTest, TheSameKeyWithOtherContentIsAnError) {
  Run({Request("a@example.com", "key")});
  const SubmitError error = Error(Run({Request("b@example.com", "key")})[0]);
  EXPECT_EQ(error.code, absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(error.message, HasSubstr("idempotency_key"));
}

TEST_F(AcceptTest, ARepeatIsNotTheTimesFault) {
  const std::vector<SubmissionRequest> requests = {Request("a@example.com", "key")};
  Run(requests);
  clock_.Advance(std::chrono::minutes(5));
  EXPECT_TRUE(Answer(Run(requests)[0]).repeated);
}

TEST_F(AcceptTest, TroubleWithTheStoreTellsWhetherToTryAgain) {
  Run({Request("a@example.com")});
  store_.FailNext(absl::UnknownError("lost in COMMIT"));
  const SubmitError in_doubt = Error(Run({Request("a@example.com")})[0]);
  EXPECT_EQ(in_doubt.code, absl::StatusCode::kUnavailable);
  EXPECT_THAT(in_doubt.message, HasSubstr("may or may not be accepted"));
  EXPECT_GT(in_doubt.retry_after, Duration(0));

  store_.FailNext(absl::ResourceExhaustedError("disk full"));
  const SubmitError full = Error(Run({Request("a@example.com")})[0]);
  EXPECT_EQ(full.code, absl::StatusCode::kResourceExhausted);
  EXPECT_GT(full.retry_after, Duration(0));

  store_.FailNext(absl::InternalError("bug"));
  EXPECT_EQ(Error(Run({Request("a@example.com")})[0]).code, absl::StatusCode::kInternal);

  commit_.Stop();
  const SubmitError stopped = Error(Run({Request("a@example.com")})[0]);
  EXPECT_EQ(stopped.code, absl::StatusCode::kUnavailable);
  EXPECT_THAT(stopped.message, HasSubstr("nothing was accepted"));
}

TEST_F(AcceptTest, OnlyAValidKeyIsAdmitted) {
  auto admitted = accept_.Admit(HashSecret("guess"), 10, 1);
  EXPECT_EQ(Error(std::get<SubmitError>(admitted)).code, absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(accept_.TenantOf(HashSecret("guess")), std::nullopt);
  EXPECT_EQ(accept_.TenantOf(secret_), "shop");
}

TEST_F(AcceptTest, BeforeTheKeysAreKnownEverybodyIsAskedToComeBack) {
  directory_.Set(std::make_shared<Directory>());
  const auto admitted = accept_.Admit(secret_, 10, 1);
  ASSERT_TRUE(std::holds_alternative<SubmitError>(admitted));
  EXPECT_EQ(std::get<SubmitError>(admitted).code, absl::StatusCode::kUnavailable);
  EXPECT_GT(std::get<SubmitError>(admitted).retry_after, Duration(0));
}

TEST_F(AcceptTest, RefusesWhatDoesNotFitUntilTheAnswerMadeRoom) {
  store_.Block();
  auto admitted = accept_.Admit(secret_, 2000, 1);
  std::promise<void> done;
  const std::vector<SubmissionRequest> requests = {Request("a@example.com")};
  accept_.Run(std::get<Accept::Admitted>(std::move(admitted)), requests,
              [&](auto) { done.set_value(); });
  store_.WaitForBlocked(1);

  auto refused = accept_.Admit(secret_, 2000, 1);
  ASSERT_TRUE(std::holds_alternative<SubmitError>(refused));
  EXPECT_EQ(std::get<SubmitError>(refused).code, absl::StatusCode::kResourceExhausted);
  EXPECT_GT(std::get<SubmitError>(refused).retry_after, Duration(0));

  store_.Release();
  done.get_future().wait();
  EXPECT_EQ(admission_.held_bytes(), 0U);
  EXPECT_TRUE(std::holds_alternative<Accept::Admitted>(accept_.Admit(secret_, 2000, 1)));
}

}  // namespace
}  // namespace sluice::ingest
