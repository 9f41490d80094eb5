#include "egress/trace.h"

#include <gtest/gtest.h>

namespace sluice::egress {
namespace {

class TraceTest : public ::testing::Test {
 protected:
  TraceHook Hook(const std::string& source, const std::string& domain) {
    return TraceOf(trace_, {.connection = 7, .source = source, .domain = domain, .mx_host = "mx.test",
                            .mx_address = "192.0.2.1"});
  }
  SystemClock clock_;
  Trace trace_{clock_};
  int64_t dropped_ = 0;
};

TEST_F(TraceTest, OnlyDialogsThatSomebodyWatchesAreTold) {
  EXPECT_FALSE(Hook("ip-1", "a.test"));
  trace_.Watch("s1", {{.source = "ip-1", .domain = ""}, {.source = "ip-2", .domain = "b.test"}});
  EXPECT_TRUE(trace_.is_on());
  EXPECT_TRUE(Hook("ip-1", "a.test"));
  EXPECT_FALSE(Hook("ip-2", "a.test"));
  EXPECT_TRUE(Hook("ip-2", "b.test"));
  EXPECT_FALSE(Hook("ip-3", "b.test"));
}

TEST_F(TraceTest, LinesKeepTheirOrderAndWhoseTheyAre) {
  trace_.Watch("s1", {{.source = "", .domain = "a.test"}});
  const TraceHook hook = Hook("ip-1", "a.test");
  hook(TraceDirection::kSent, "MAIL FROM:<x@y>");
  hook(TraceDirection::kReceived, "250 ok\x01");
  const auto lines = trace_.Take(dropped_);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].text, "MAIL FROM:<x@y>");
  EXPECT_EQ(lines[0].subject.connection, 7);
  EXPECT_EQ(lines[0].subject.source, "ip-1");
  EXPECT_EQ(lines[1].direction, TraceDirection::kReceived);
  EXPECT_EQ(lines[1].text.find('\x01'), std::string::npos);
  EXPECT_TRUE(trace_.Take(dropped_).empty());
}

TEST_F(TraceTest, WhatIsTooMuchIsLeftOutAndCounted) {
  trace_.Watch("s1", {{.source = "ip-1", .domain = ""}});
  const TraceHook hook = Hook("ip-1", "a.test");
  for (size_t i = 0; i < Trace::kMostLines + 3; ++i) hook(TraceDirection::kSent, "NOOP");
  hook(TraceDirection::kSent, std::string(2 * Trace::kMostLineBytes, 'x'));
  EXPECT_EQ(trace_.Take(dropped_).size(), Trace::kMostLines);
  EXPECT_EQ(dropped_, 4);
  hook(TraceDirection::kSent, std::string(2 * Trace::kMostLineBytes, 'x'));
  EXPECT_LE(trace_.Take(dropped_).front().text.size(), Trace::kMostLineBytes);
  EXPECT_EQ(dropped_, 0);
}

TEST_F(TraceTest, NothingIsKeptWhenTheLastWatcherHasLeft) {
  trace_.Watch("s1", {{.source = "ip-1", .domain = ""}});
  trace_.Watch("s2", {{.source = "", .domain = "a.test"}});
  const TraceHook hook = Hook("ip-1", "a.test");
  trace_.Watch("s1", {});
  hook(TraceDirection::kSent, "one");
  EXPECT_EQ(trace_.Watchers(), std::vector<std::string>{"s2"});
  trace_.Watch("s2", {});
  EXPECT_FALSE(trace_.is_on());
  hook(TraceDirection::kSent, "two");
  EXPECT_TRUE(trace_.Take(dropped_).empty());
}

}  // namespace
}  // namespace sluice::egress
