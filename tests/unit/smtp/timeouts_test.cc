#include "smtp/timeouts.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

// RFC 5321 §4.5.3.2: "SHOULD be at least".
TEST(TimeoutsTest, AreNoShorterThanTheRfcAsks) {
  using std::chrono::minutes;
  const SmtpTimeouts timeouts;
  EXPECT_GE(timeouts.banner, minutes(5));
  EXPECT_GE(timeouts.mail, minutes(5));
  EXPECT_GE(timeouts.rcpt, minutes(5));
  EXPECT_GE(timeouts.data, minutes(2));
  EXPECT_GE(timeouts.block, minutes(3));
  EXPECT_GE(timeouts.dot, minutes(10));
}

}  // namespace
}  // namespace sluice
