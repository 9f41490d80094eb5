// Suppressed addresses on a real PostgreSQL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/text.h"
#include "storage/connection_pool.h"
#include "storage/owner.h"
#include "storage/suppression_set.h"
#include "storage/suppression_store.h"

namespace sluice::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using std::chrono::hours;

class SuppressionTest : public OwnerTest {
 protected:
  void SetUp() override {
    OwnerTest::SetUp();
    if (IsSkipped()) return;
    pool_ = std::make_unique<ConnectionPool>(options(), 4);
    store_ = MakeSuppressionStore(*pool_);
  }
  void TearDown() override {
    store_.reset();
    pool_.reset();
    OwnerTest::TearDown();
  }

  static Suppression Make(const std::string& tenant, const std::string& address,
                          std::optional<Instant> expires_at = {}) {
    return {.tenant = tenant,
            .address = address,
            .reason = SuppressionReason::kBounce,
            .detail = "550 5.1.1 no such user",
            .created_at = kNow,
            .expires_at = expires_at};
  }
  int Add(const std::vector<Suppression>& suppressions) {
    const auto added = store_->Add(suppressions);
    EXPECT_TRUE(added.ok()) << added.status();
    return added.value_or(-1);
  }
  std::vector<std::string> Listed(const std::string& tenant = "", const std::string& address = "") {
    std::vector<std::string> out;
    SuppressionMark after;
    while (true) {
      const auto page = store_->List(tenant, address, after, 2);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return out;
      for (const StoredSuppression& one : *page) {
        out.push_back(Cat(one.suppression.tenant, "/", one.suppression.address));
      }
      if (page->size() < 2) return out;
      after = {page->back().suppression.tenant, page->back().suppression.address,
               page->back().hash};
    }
  }

  std::unique_ptr<ConnectionPool> pool_;
  std::unique_ptr<SuppressionStore> store_;
};

TEST_F(SuppressionTest, WhatWasAddedIsListedInOrderPageByPage) {
  EXPECT_EQ(Add({Make("shop", "c@x.example"), Make("", "a@x.example"), Make("shop", "a@x.example"),
                 Make("news", "b@x.example"), Make("shop", "b@x.example")}),
            5);
  EXPECT_THAT(Listed(), ElementsAre("/a@x.example", "news/b@x.example", "shop/a@x.example",
                                    "shop/b@x.example", "shop/c@x.example"));
  EXPECT_THAT(Listed("shop"),
              ElementsAre("shop/a@x.example", "shop/b@x.example", "shop/c@x.example"));
  EXPECT_THAT(Listed("", "a@x.example"), ElementsAre("/a@x.example", "shop/a@x.example"));
  EXPECT_THAT(Listed("shop", "A@X.example"), ElementsAre("shop/a@x.example"));
  const auto found = store_->Find("c@x.example");
  ASSERT_TRUE(found.ok());
  ASSERT_THAT(*found, SizeIs(1));
  EXPECT_EQ(found->at(0).suppression.detail, "550 5.1.1 no such user");
  EXPECT_EQ(found->at(0).suppression.reason, SuppressionReason::kBounce);
  EXPECT_EQ(found->at(0).suppression.created_at, kNow);
  EXPECT_EQ(found->at(0).hash, HashAddress("c@x.example"));
}

TEST_F(SuppressionTest, OneThatIsThereIsOnlyProlonged) {
  EXPECT_EQ(Add({Make("shop", "a@x.example", kNow + hours(2))}), 1);
  EXPECT_EQ(Add({Make("shop", "a@x.example", kNow + hours(1))}), 0) << "shorter";
  EXPECT_EQ(Add({Make("shop", "a@x.example", kNow + hours(3))}), 1);
  EXPECT_EQ(Add({Make("shop", "a@x.example")}), 1) << "for ever";
  EXPECT_EQ(Add({Make("shop", "a@x.example", kNow + hours(9))}), 0);
  EXPECT_EQ(Add({Make("shop", "b@x.example", kNow + hours(1)), Make("shop", "b@x.example")}), 1)
      << "twice in one call: the longer one counts";
  EXPECT_EQ(store_->Find("b@x.example")->at(0).suppression.expires_at, std::nullopt);
}

TEST_F(SuppressionTest, RemovedOnesAreGoneAndMayComeBack) {
  Add({Make("shop", "a@x.example"), Make("", "a@x.example")});
  EXPECT_EQ(*store_->Remove({{"shop", "a@x.example"}, {"shop", "other@x.example"}}, kNow), 1);
  EXPECT_THAT(Listed(), ElementsAre("/a@x.example"));
  EXPECT_EQ(*store_->Remove({{"shop", "a@x.example"}}, kNow), 0);
  EXPECT_EQ(Add({Make("shop", "a@x.example", kNow + hours(1))}), 1);
  EXPECT_THAT(Listed(), SizeIs(2));
}

TEST_F(SuppressionTest, AnErasedAddressStaysSuppressedWithoutItsText) {
  Add({Make("shop", "a@x.example"), Make("", "a@x.example")});
  EXPECT_EQ(*store_->Erase({"a@x.example"}), 2);
  EXPECT_EQ(*store_->Erase({"a@x.example"}), 0);
  EXPECT_THAT(Listed(), ElementsAre("/", "shop/"));
  EXPECT_THAT(Listed("shop", "a@x.example"), ElementsAre("shop/")) << "found by its hash";
  SuppressionSet set;
  ASSERT_TRUE(set.Follow(*store_, SteadyInstant{}).ok());
  EXPECT_TRUE(set.Contains("shop", "a@x.example"));
  EXPECT_EQ(*store_->Remove({{"shop", "a@x.example"}}, kNow), 1) << "and lifted by who knows it";
}

TEST_F(SuppressionTest, WhatExpiredIsRemovedAndFollowersHearOfIt) {
  Add({Make("shop", "a@x.example", kNow + hours(1)), Make("shop", "b@x.example")});
  SuppressionSet set;
  ASSERT_TRUE(set.Follow(*store_, SteadyInstant{}).ok());
  EXPECT_EQ(*store_->Expire(kNow), 0);
  EXPECT_EQ(*store_->Expire(kNow + hours(1)), 1);
  ASSERT_TRUE(set.Follow(*store_, SteadyInstant{}).ok());
  EXPECT_FALSE(set.Contains("shop", "a@x.example"));
  EXPECT_TRUE(set.Contains("shop", "b@x.example"));
  // Tombstones go a day later.
  EXPECT_EQ(Count("suppression"), 2);
  EXPECT_EQ(*store_->Expire(kNow + hours(26)), 0);
  EXPECT_EQ(Count("suppression"), 1);
}

TEST_F(SuppressionTest, FollowersOfConcurrentChangesMissNothing) {
  constexpr int kEach = 150;
  std::vector<std::thread> writers;
  for (int w = 0; w < 3; ++w) {
    writers.emplace_back([this, w] {
      for (int i = 0; i < kEach; ++i) Add({Make("shop", Cat("u", w, "-", i, "@x.example"))});
    });
  }
  SuppressionSet set;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(set.Follow(*store_, SteadyInstant{}).ok());
  for (std::thread& writer : writers) writer.join();
  ASSERT_TRUE(set.Follow(*store_, SteadyInstant{}).ok());
  EXPECT_EQ(set.size(), 3 * kEach);
}

}  // namespace
}  // namespace sluice::storage
