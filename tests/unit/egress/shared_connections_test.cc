// Shares of limits of connections, as one I/O thread keeps them.
#include "egress/shared_connections.h"

#include <gtest/gtest.h>

namespace sluice::egress {
namespace {

using std::chrono::seconds;

const SteadyInstant kStart{seconds(1000)};
const std::string kConnections = "pool=warm connections", kDials = "pool=warm connection_rate per 3600000000us";

LimitBook Book(int connections = 10) {
  ShapingRule rule{.match = {.pool = "warm"}, .connections = connections, .connection_rate = Rate{6, std::chrono::hours(1)}};
  return LimitBook({{.index = 0, .rule = rule}}, {});
}

struct SharedConnectionsTest : ::testing::Test {
  void SetUp() override {
    table.SetBook(book, {"warm"}, kStart);
    limits = table.Find(book, {.source = "ip-1", .provider = "google", .pools = pools});
    ASSERT_EQ(limits.size(), 2U);
  }
  void Give(int64_t most, int64_t target, SteadyInstant at) {
    table.Give({{.limit = kConnections, .most = most, .target = target, .of = 10}, {.limit = kDials, .most = most, .target = target, .of = 6}},
               at + seconds(8), at);
  }
  SharedConnections& Limit(const std::string& key) { return key == kDials ? *Rate() : *Count(); }
  std::shared_ptr<SharedConnections> Rate() { return limits[0]->is_rate() ? limits[0] : limits[1]; }
  std::shared_ptr<SharedConnections> Count() { return limits[0]->is_rate() ? limits[1] : limits[0]; }
  ShareUse UseOf(const std::string& key, SteadyInstant at) {
    for (const ShareUse& use : table.Uses(at)) {
      if (use.limit == key) return use;
    }
    ADD_FAILURE() << key << " is not told";
    return {};
  }

  LimitBook book = Book();
  const std::vector<std::string> pools = {"warm"};
  SharedConnectionTable table;
  SharedConnectionTable::Limits limits;
};

TEST_F(SharedConnectionsTest, NothingIsOpenedBeforeAShareIsThereNorAfterItIsOver) {
  Count()->budget.Join(1);
  EXPECT_TRUE(Count()->budget.IsOver());
  EXPECT_FALSE(Rate()->opened.Fits(1, kStart));
  Give(3, 3, kStart);
  EXPECT_FALSE(Count()->budget.IsOver());
  EXPECT_TRUE(Rate()->opened.Fits(1, kStart));
  table.Tick(kStart + seconds(7));
  EXPECT_FALSE(Count()->budget.IsOver());
  table.Tick(kStart + seconds(8));
  EXPECT_TRUE(Count()->budget.IsOver());
  EXPECT_FALSE(Rate()->opened.Fits(1, kStart + seconds(8)));
  EXPECT_FALSE(Count()->MustEnd(kStart + seconds(30)));
  EXPECT_TRUE(Count()->MustEnd(kStart + seconds(38)));
  Count()->budget.Part(1);
  EXPECT_FALSE(Count()->MustEnd(kStart + seconds(38))) << "there is nothing to end";
}

// A rule that goes and comes back while nobody gives shares: what is open now does not end for what lapsed then.
TEST_F(SharedConnectionsTest, ARuleThatComesBackBeginsAnew) {
  Give(3, 3, kStart);
  Count()->budget.Join(1);
  table.SetBook(LimitBook({}, {}), {"warm"}, kStart);
  table.SetBook(book, {"warm"}, kStart + seconds(100));
  EXPECT_TRUE(Count()->budget.IsOver()) << "it has no share yet";
  EXPECT_FALSE(Count()->MustEnd(kStart + seconds(100)));
}

TEST_F(SharedConnectionsTest, AShareComesDownToTheTargetAsConnectionsEnd) {
  Give(6, 6, kStart);
  Count()->budget.Join(6);
  Give(6, 2, kStart);
  EXPECT_TRUE(Count()->budget.IsOver()) << "what is above the target is not used for more";
  EXPECT_EQ(UseOf(kConnections, kStart).lowered_to, std::nullopt) << "all six are open still";
  Count()->budget.Part(3);
  const ShareUse use = UseOf(kConnections, kStart);
  EXPECT_EQ(use.used, 3);
  EXPECT_EQ(use.lowered_to, 3);
  EXPECT_TRUE(Count()->budget.IsOver());
  Count()->budget.Part(1);
  EXPECT_EQ(UseOf(kConnections, kStart).lowered_to, 2);
  EXPECT_FALSE(Count()->budget.IsOver());
}

TEST_F(SharedConnectionsTest, NewConnectionsMayComeAtOnceAndThenNotForTheInterval) {
  Give(6, 6, kStart);
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(Rate()->opened.Fits(1, kStart)) << i;
    Rate()->opened.HandOut();
    Rate()->opened.Begun(kStart);
  }
  EXPECT_FALSE(Rate()->opened.Fits(1, kStart));
  EXPECT_EQ(UseOf(kDials, kStart).used, 6);
  const SteadyInstant later = kStart + std::chrono::hours(1) + seconds(1);
  Give(6, 6, later);
  EXPECT_TRUE(Rate()->opened.Fits(1, later));
}

TEST_F(SharedConnectionsTest, WhoWaitsIsToldForAWhile) {
  EXPECT_FALSE(UseOf(kConnections, kStart).wants);
  Count()->Want(kStart);
  EXPECT_TRUE(UseOf(kConnections, kStart + seconds(1)).wants);
  EXPECT_FALSE(UseOf(kConnections, kStart + seconds(3)).wants);
}

TEST_F(SharedConnectionsTest, AnEditCutsAtOnceAndARuleThatGoesGivesItsShareBack) {
  Give(10, 10, kStart);
  Count()->budget.Join(4);
  table.SetBook(Book(3), {"warm"}, kStart);
  EXPECT_TRUE(Count()->budget.IsOver()) << "in proportion, before it is shared out anew";
  // No source of the pool is here any more, but connections are.
  table.SetBook(book, {"other"}, kStart);
  Give(10, 10, kStart);
  EXPECT_EQ(UseOf(kConnections, kStart).lowered_to, 4);
  Count()->budget.Part(4);
  EXPECT_EQ(UseOf(kConnections, kStart).lowered_to, 0);
  Give(0, 0, kStart);
  EXPECT_TRUE(table.Uses(kStart).empty()) << "forgotten when nothing is left to give back";
}

}  // namespace
}  // namespace sluice::egress
