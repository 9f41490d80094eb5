#include "mail/stage_times.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(StageTimesTest, WritesWhatTookTimeAndReadsItBack) {
  StageTimes times;
  EXPECT_EQ(ToString(times), "");
  times.Add(TimedStep::kConnect, Duration(1203));
  times.Add(TimedStep::kBody, Duration(100));
  times.Add(TimedStep::kBody, Duration(40));
  EXPECT_EQ(ToString(times), "connect:1203,body:140");
  EXPECT_EQ(ParseStageTimes("connect:1203,body:140"), times);
}

TEST(StageTimesTest, PassesOverWhatItDoesNotKnow) {
  EXPECT_EQ(ParseStageTimes("x:1,:,tls,tls:-4,mail:z,,"), StageTimes());
}

}  // namespace
}  // namespace sluice
