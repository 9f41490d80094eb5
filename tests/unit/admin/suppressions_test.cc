#include "scheduler/admin/suppressions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "unit/admin/fakes.h"
#include "unit/storage/fake_suppression_store.h"

namespace sluice::scheduler {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct SuppressionAdminTest : ::testing::Test {
  SuppressionOrder Adding(std::vector<Suppression> add) {
    SuppressionOrder order;
    order.add = std::move(add);
    order.actor = "eva";
    return order;
  }
  std::string Refused(const SuppressionOrder& order) {
    const auto counts = admin.Update(order);
    EXPECT_TRUE(absl::IsInvalidArgument(counts.status())) << counts.status();
    EXPECT_THAT(store.List("", "", {}, 10)->size(), 0u) << "nothing is done";
    return std::string(counts.status().message());
  }

  FakeClock clock;
  CapturingSink sink;
  Logger log{sink, clock, "scheduler"};
  testing::FakeSuppressionStore store;
  testing::FakeLiveState live;
  testing::FakeAuditStore audit_store;
  AuditTrail audit{audit_store, clock, log};
  SuppressionAdmin admin{store, [](const std::string& tenant) { return tenant == "shop"; }, live,
                         audit, clock};
};

TEST_F(SuppressionAdminTest, AddsInCanonicalForm) {
  const auto counts = admin.Update(Adding({{.tenant = "shop", .address = "Anna@Example.COM"}}));
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->added, 1);
  EXPECT_EQ(store.List("", "", {}, 10)->at(0).suppression.address, "anna@example.com");
}

TEST_F(SuppressionAdminTest, NamesTheElementThatIsWrong) {
  EXPECT_THAT(Refused(Adding({{.address = "a@x.example"}, {.address = "nobody"}})),
              HasSubstr("add[1].address"));
  EXPECT_THAT(Refused(Adding({{.tenant = "them", .address = "a@x.example"}})),
              HasSubstr("add[0].tenant"));
  EXPECT_THAT(Refused(Adding({{.address = "a@x.example", .expires_at = clock.Now()}})),
              HasSubstr("add[0].expires_at"));
  EXPECT_THAT(Refused(Adding({{.address = "a@x.example", .detail = std::string(600, 'x')}})),
              HasSubstr("add[0].detail"));
  EXPECT_THAT(Refused(Adding(std::vector<Suppression>(10'001, {.address = "a@x.example"}))),
              HasSubstr("send them in parts"));
  SuppressionOrder erase;
  erase.erase = {"x"};
  EXPECT_THAT(Refused(erase), HasSubstr("erase[0]"));
}

TEST_F(SuppressionAdminTest, OnlyTheControlOwnerTakesOrders) {
  live.control = false;
  EXPECT_TRUE(absl::IsFailedPrecondition(
      admin.Update(Adding({{.address = "a@x.example"}})).status()));
}

TEST_F(SuppressionAdminTest, TheAuditLogHoldsNoAddress) {
  ASSERT_TRUE(admin.Update(Adding({{.address = "a@x.example"}})).ok());
  SuppressionOrder erase;
  erase.erase = {"a@x.example"};
  ASSERT_TRUE(admin.Update(erase).ok());
  ASSERT_THAT(audit_store.entries, SizeIs(2));
  for (const auto& entry : audit_store.entries) {
    EXPECT_EQ(entry.method, "UpdateSuppressions");
    EXPECT_EQ(entry.request.find("example"), std::string::npos) << entry.request;
  }
}

TEST_F(SuppressionAdminTest, ListsInPagesAndRefusesATokenOfItsOwnMaking) {
  std::vector<Suppression> five;
  for (int i = 0; i < 5; ++i) five.push_back({.address = Cat("u", i, "@x.example")});
  ASSERT_TRUE(admin.Update(Adding(five)).ok());
  std::vector<std::string> seen;
  std::string token;
  do {
    const auto page = admin.List("", "", {2, token});
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& one : page->suppressions) seen.push_back(one.suppression.address);
    token = page->next_page_token;
  } while (!token.empty());
  EXPECT_THAT(seen, SizeIs(5));
  for (const char* bad : {"x", "a\nb\nc", "\n\n", "a\nb\nzz"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(admin.List("", "", {2, bad}).status())) << bad;
  }
}

}  // namespace
}  // namespace sluice::scheduler
