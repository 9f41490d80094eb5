// The policies of recipient domains over time: a fake resolver and a fake web, and a clock that is
// set.
#include "net/sts_policies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "net/https_fetch.h"

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;

class FakeDns final : public Resolver {
 public:
  void ResolveMx(std::string_view, MxCallback callback) override { callback(MxAnswer()); }
  void ResolveAddresses(std::string_view host, AddressFamily, AddressCallback callback) override {
    AddressAnswer answer;
    answer.status = DnsStatus::kOk;
    answer.addresses = {address};
    asked.emplace_back(host);
    callback(answer);
  }
  void ResolveTxt(std::string_view name, TextCallback callback) override {
    asked.emplace_back(name);
    if (is_holding) {
      held.push_back(std::move(callback));
      return;
    }
    callback(text);
  }

  TextAnswer text;
  std::string address = "192.0.2.80";
  std::vector<std::string> asked;
  bool is_holding = false;
  std::vector<TextCallback> held;
};

class StsPoliciesTest : public testing::Test {
 protected:
  StsPoliciesTest() {
    Announce("1");
    Publish("enforce");
    options_.most_domains = 2;
    policies_ = std::make_unique<StsPolicies>(
        options_, dns_, clock_, [this](const HttpsRequest& request, const auto& callback) {
          fetched_.push_back(request.host + request.path);
          callback(document_);
        });
  }

  void Announce(const std::string& id) {
    dns_.text = TextAnswer();
    dns_.text.status = DnsStatus::kOk;
    dns_.text.texts = {"v=STSv1; id=" + id};
    dns_.text.ttl = seconds(300);
  }
  void Publish(const std::string& mode, int max_age = 86400) {
    document_ = HttpsAnswer();
    document_.content_type = "text/plain; charset=utf-8";
    document_.body = "version: STSv1\nmode: " + mode +
                     "\nmx: mx.example\nmax_age: " + std::to_string(max_age) + "\n";
  }
  StsPolicies::AnswerPtr Find(std::string_view domain = "example.com") {
    StsPolicies::AnswerPtr got;
    policies_->Find(domain, [&got](StsPolicies::AnswerPtr answer) { got = std::move(answer); });
    return got;
  }
  StsMode ModeNow() {
    const auto answer = Find();
    return answer != nullptr && answer->policy != nullptr ? answer->policy->mode : StsMode::kNone;
  }

  FakeClock clock_;
  FakeDns dns_;
  StsPoliciesOptions options_;
  HttpsAnswer document_;
  std::vector<std::string> fetched_;
  std::unique_ptr<StsPolicies> policies_;
};

TEST_F(StsPoliciesTest, FetchesWhatIsAnnouncedOnce) {
  const auto answer = Find();

  ASSERT_NE(answer, nullptr);
  ASSERT_NE(answer->policy, nullptr);
  EXPECT_EQ(answer->policy->mode, StsMode::kEnforce);
  EXPECT_EQ(answer->id, "1");
  EXPECT_THAT(dns_.asked, ElementsAre("_mta-sts.example.com", "mta-sts.example.com"));
  EXPECT_THAT(fetched_, ElementsAre("mta-sts.example.com/.well-known/mta-sts.txt"));
  Find();
  EXPECT_EQ(fetched_.size(), 1U);
}

TEST_F(StsPoliciesTest, WithoutARecordThereIsNothingAndNobodyIsAskedAgainAtOnce) {
  dns_.text.texts.clear();
  EXPECT_EQ(Find()->policy, nullptr);
  EXPECT_EQ(Find()->policy, nullptr);
  EXPECT_EQ(dns_.asked.size(), 1U);
  EXPECT_TRUE(fetched_.empty());
}

TEST_F(StsPoliciesTest, AnotherIdBringsAnotherPolicyAndTheOldOneRulesMeanwhile) {
  ASSERT_EQ(ModeNow(), StsMode::kEnforce);
  Announce("2");
  Publish("testing");
  EXPECT_EQ(ModeNow(), StsMode::kEnforce);

  clock_.Advance(minutes(6));

  EXPECT_EQ(ModeNow(), StsMode::kEnforce) << "the kept policy answers while it is renewed";
  EXPECT_EQ(ModeNow(), StsMode::kTesting);
}

TEST_F(StsPoliciesTest, FailuresLeaveTheKeptPolicyInForceUntilItsTimeIsOver) {
  ASSERT_EQ(ModeNow(), StsMode::kEnforce);
  Announce("2");
  document_.status = absl::UnavailableError("down");
  clock_.Advance(hours(2));
  ModeNow();
  EXPECT_EQ(ModeNow(), StsMode::kEnforce);

  dns_.text = TextAnswer();  // the record is gone, or was stripped
  clock_.Advance(hours(2));
  ModeNow();
  EXPECT_EQ(ModeNow(), StsMode::kEnforce);

  clock_.Advance(hours(24));
  EXPECT_EQ(ModeNow(), StsMode::kNone);
}

TEST_F(StsPoliciesTest, AFetchThatFailedIsNotTriedForSomeMinutesAndToldMeanwhile) {
  document_.status = absl::FailedPreconditionError("certificate");
  EXPECT_EQ(Find()->failure, TlsFailure::kStsWebpkiInvalid);
  clock_.Advance(minutes(2));
  Find();
  EXPECT_EQ(fetched_.size(), 1U);

  Publish("enforce");
  clock_.Advance(minutes(6));
  EXPECT_EQ(ModeNow(), StsMode::kEnforce);
}

TEST_F(StsPoliciesTest, WhatIsNoPolicyIsToldFromWhatCannotBeHad) {
  document_.body = "<html>";
  EXPECT_EQ(Find("a.example")->failure, TlsFailure::kStsPolicyInvalid);
  Publish("enforce");
  document_.content_type = "text/html";
  EXPECT_EQ(Find("b.example")->failure, TlsFailure::kStsPolicyFetchError);
}

TEST_F(StsPoliciesTest, APolicyHostOnThisHostIsNotAsked) {
  dns_.address = "127.0.0.1";
  EXPECT_EQ(Find()->failure, TlsFailure::kStsPolicyFetchError);
  EXPECT_TRUE(fetched_.empty());
}

TEST_F(StsPoliciesTest, APolicyIsFetchedAgainWhenHalfOfItsTimeIsOver) {
  Find();
  clock_.Advance(hours(11));
  Find();
  EXPECT_EQ(fetched_.size(), 1U);
  clock_.Advance(hours(2));
  Find();
  EXPECT_EQ(fetched_.size(), 2U);
}

TEST_F(StsPoliciesTest, TheLongestUnusedDomainIsForgotten) {
  Find("a.example");
  Find("b.example");
  Find("a.example");
  Find("c.example");
  EXPECT_EQ(fetched_.size(), 3U);
  Find("a.example");
  EXPECT_EQ(fetched_.size(), 3U);
  Find("b.example");
  EXPECT_EQ(fetched_.size(), 4U);
}

TEST_F(StsPoliciesTest, ThoseWhoAskMeanwhileWaitForTheSameAnswer) {
  dns_.is_holding = true;
  int answered = 0;
  for (int i = 0; i < 3; ++i) {
    policies_->Find("example.com", [&answered](const StsPolicies::AnswerPtr& answer) {
      answered += answer->policy != nullptr ? 1 : 0;
    });
  }
  ASSERT_EQ(dns_.held.size(), 1U);
  EXPECT_EQ(answered, 0);

  dns_.held.front()(dns_.text);

  EXPECT_EQ(answered, 3);
}

TEST_F(StsPoliciesTest, AnAnswerAfterItsEndIsForgotten) {
  dns_.is_holding = true;
  policies_->Find("example.com", [](const StsPolicies::AnswerPtr&) { FAIL(); });
  policies_.reset();
  dns_.held.front()(dns_.text);
}

}  // namespace
}  // namespace sluice
