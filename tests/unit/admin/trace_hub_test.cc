#include "scheduler/admin/trace_hub.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::scheduler {
namespace {

v1::TraceFilter Of(const std::string& source, const std::string& domain = "") {
  v1::TraceFilter filter;
  filter.set_source(source);
  filter.set_domain(domain);
  return filter;
}

v1::TraceLines Lines(const std::vector<std::pair<std::string, std::string>>& of, int64_t dropped = 0) {
  v1::TraceLines lines;
  for (const auto& [source, domain] : of) {
    lines.add_lines()->set_source(source);
    lines.mutable_lines()->rbegin()->set_domain(domain);
  }
  lines.set_dropped(dropped);
  return lines;
}

struct TraceHubTest : ::testing::Test {
  TraceHubTest() {
    hub.SetTell([this](const v1::TraceOrder& order) { told.push_back(order.filters_size()); });
  }
  TraceHub::Sink Into(std::vector<v1::TraceResponse>& out) {
    return [&out](v1::TraceResponse response) { out.push_back(std::move(response)); };
  }
  TraceHub hub;
  std::vector<int> told;
  std::vector<v1::TraceResponse> first, second;
};

TEST_F(TraceHubTest, EachWatcherGetsItsOwnLines) {
  hub.Watch(Of("ip-1"), Into(first));
  hub.Watch(Of("", "b.test"), Into(second));
  hub.Spread(Lines({{"ip-1", "a.test"}, {"ip-1", "b.test"}, {"ip-2", "b.test"}, {"ip-2", "c.test"}}));
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].lines_size(), 2);
  EXPECT_EQ(second[0].lines_size(), 2);
  EXPECT_EQ(second[0].lines(1).source(), "ip-2");
  hub.Spread(Lines({{"ip-3", "c.test"}}));
  EXPECT_EQ(first.size(), 1U);
  hub.Spread(Lines({}, 5));
  EXPECT_EQ(first.back().dropped(), 5);
}

TEST_F(TraceHubTest, EgressesHearWhatIsWatchedNow) {
  const auto one = hub.Watch(Of("ip-1"), Into(first));
  const auto two = hub.Watch(Of("ip-2"), Into(second));
  hub.Unwatch(*one);
  hub.Unwatch(*one);
  hub.Unwatch(*two);
  EXPECT_EQ(told, (std::vector<int>{1, 2, 1, 0}));
  hub.Spread(Lines({{"ip-1", "a.test"}}));
  EXPECT_TRUE(first.empty());
}

TEST_F(TraceHubTest, WatchersAreBounded) {
  for (size_t i = 0; i < TraceHub::kMostWatchers; ++i) EXPECT_TRUE(hub.Watch(Of("ip-1"), Into(first)));
  EXPECT_FALSE(hub.Watch(Of("ip-1"), Into(first)));
}

}  // namespace
}  // namespace sluice::scheduler
