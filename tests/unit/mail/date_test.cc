#include "mail/date.h"

#include <gtest/gtest.h>

#include "mail/message_id_header.h"

namespace sluice {
namespace {

TEST(DateTest, WritesRfc5322InUtc) {
  EXPECT_EQ(FormatDate(FromMicros(0)), "Thu, 01 Jan 1970 00:00:00 +0000");
  EXPECT_EQ(FormatDate(FromMicros(1'796'040'000'999'999)), "Mon, 30 Nov 2026 12:00:00 +0000");
  EXPECT_EQ(FormatDate(FromMicros(1'709'210'096'000'000)), "Thu, 29 Feb 2024 12:34:56 +0000");
}

TEST(DateTest, RoundsDownBeforeTheEpoch) {
  EXPECT_EQ(FormatDate(FromMicros(-1)), "Wed, 31 Dec 1969 23:59:59 +0000");
}

TEST(MessageIdHeaderTest, IsTheTokenAtTheSenderDomain) {
  EXPECT_EQ(MakeMessageIdHeader("0a1b", "shop.example"), "<0a1b@shop.example>");
}

}  // namespace
}  // namespace sluice
