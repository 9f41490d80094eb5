// `sluicectl suppression` against the real admin face over a store in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "ctl/app.h"
#include "ctl/context.h"
#include "unit/admin/fake_scheduler.h"

namespace sluice::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SuppressionCtlTest : public ::testing::Test {
 protected:
  int Ctl(std::vector<std::string> words, const std::string& input = "") {
    std::istringstream in(input);
    out_.str("");
    err_.str("");
    const Io io{in, out_, err_, [](const char*) -> const char* { return nullptr; }};
    words.insert(words.begin(), {"sluicectl", "--admin", scheduler_.address(), "suppression"});
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    return ctl::Run(static_cast<int>(argv.size()), argv.data(), io);
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  testing::FakeScheduler scheduler_;

 private:
  std::ostringstream out_, err_;
};

TEST_F(SuppressionCtlTest, AddsListsAndRemoves) {
  ASSERT_EQ(Ctl({"add", "a@x.example,B@x.example", "--tenant", "shop", "--reason", "complaint"}), kOk)
      << err();
  EXPECT_THAT(out(), HasSubstr("added 2"));
  ASSERT_EQ(Ctl({"list"}), kOk);
  EXPECT_THAT(out(), HasSubstr("b@x.example  shop    complaint"));
  ASSERT_EQ(Ctl({"remove", "a@x.example", "--tenant", "shop"}), kOk);
  EXPECT_THAT(out(), HasSubstr("removed 1"));
  ASSERT_EQ(Ctl({"list", "a@x.example"}), kOk);
  EXPECT_THAT(out(), Not(HasSubstr("a@x.example")));
}

TEST_F(SuppressionCtlTest, AnErasedAddressIsListedByItsHash) {
  ASSERT_EQ(Ctl({"add", "a@x.example"}), kOk);
  ASSERT_EQ(Ctl({"erase", "a@x.example"}), kOk);
  ASSERT_EQ(Ctl({"list"}), kOk);
  EXPECT_THAT(out(), HasSubstr("sha256:"));
  EXPECT_THAT(out(), Not(HasSubstr("a@x.example")));
  ASSERT_EQ(Ctl({"export"}), kOk);
  EXPECT_THAT(err(), HasSubstr("1 erased"));
}

TEST_F(SuppressionCtlTest, WhatWasExportedCanBeImported) {
  ASSERT_EQ(Ctl({"add", "a@x.example", "--detail", "said \"no\", twice", "--expires", "90d"}), kOk)
      << err();
  ASSERT_EQ(Ctl({"add", "b@x.example", "--tenant", "shop", "--reason", "unsubscribe"}), kOk);
  ASSERT_EQ(Ctl({"export"}), kOk);
  const std::string file = out();
  ASSERT_EQ(Ctl({"remove", "a@x.example"}), kOk);
  ASSERT_EQ(Ctl({"remove", "b@x.example", "--tenant", "shop"}), kOk);
  ASSERT_EQ(Ctl({"import", "-"}, file), kOk) << err();
  EXPECT_THAT(out(), HasSubstr("read 2, added 2"));
  const auto stored = scheduler_.suppression_store.List("", "", {}, 10);
  ASSERT_EQ(stored->size(), 2u);
  EXPECT_EQ(stored->at(0).suppression.detail, "said \"no\", twice");
  EXPECT_TRUE(stored->at(0).suppression.expires_at.has_value());
  EXPECT_EQ(stored->at(1).suppression.tenant, "shop");
  EXPECT_EQ(stored->at(1).suppression.reason, SuppressionReason::kUnsubscribe);
}

TEST_F(SuppressionCtlTest, ImportsPlainLinesAndNamesABadOne) {
  ASSERT_EQ(Ctl({"import", "-", "--tenant", "shop"}, "a@x.example\r\n\r\nb@x.example\n"), kOk) << err();
  EXPECT_THAT(out(), HasSubstr("read 2, added 2"));
  EXPECT_EQ(Ctl({"import", "-"}, "a@x.example\nnobody\n"), kRefused);
  EXPECT_THAT(err(), HasSubstr("add[1].address"));
  EXPECT_EQ(Ctl({"import", "-"}, "address,expires_at\na@x.example,tomorrow\n"), kUsage);
  EXPECT_THAT(err(), HasSubstr("-:2:"));
}

}  // namespace
}  // namespace sluice::ctl
