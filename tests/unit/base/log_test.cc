#include "base/log.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(LoggerTest, QuotesWhatWouldBreakALine) {
  CapturingSink sink;
  FakeClock clock(FromMicros(0));
  const Logger logger(sink, clock, "ingest");
  logger.Info("x", {{"plain", "a"}, {"n", 3}, {"reply", "451 \"no\"\r\nyes"}});
  EXPECT_EQ(sink.Text(),
            "ts=1970-01-01T00:00:00.000000Z level=info service=ingest event=x plain=a n=3 "
            "reply=\"451 \\\"no\\\"\\x0d\\nyes\"\n");
}

TEST(LoggerTest, LeavesOutWhatIsBelowItsLevel) {
  CapturingSink sink;
  FakeClock clock;
  const Logger logger(sink, clock, "ingest", LogLevel::kWarn);
  logger.Info("quiet");
  logger.Warn("loud");
  EXPECT_EQ(sink.Text().find("quiet"), std::string::npos);
  EXPECT_NE(sink.Text().find("loud"), std::string::npos);
}

}  // namespace
}  // namespace sluice
