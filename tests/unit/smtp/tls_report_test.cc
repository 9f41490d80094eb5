#include "smtp/tls_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ReportUrisTest, ReadsTheRecordOfTheRfc) {
  EXPECT_THAT(FindReportUris({"v=TLSRPTv1;rua=mailto:reports@example.com"}),
              ElementsAre("mailto:reports@example.com"));
  EXPECT_THAT(FindReportUris({"v=spf1", "v=TLSRPTv1; rua=https://r.example/v1/t , mailto:a@b.c;"}),
              ElementsAre("https://r.example/v1/t", "mailto:a@b.c"));
}

TEST(ReportUrisTest, TakesNoOrSeveralOrBrokenRecordsForNone) {
  EXPECT_THAT(FindReportUris({}), IsEmpty());
  EXPECT_THAT(FindReportUris({"v=TLSRPTv1; rua=mailto:a@b", "v=TLSRPTv1; rua=mailto:a@b"}),
              IsEmpty());
  EXPECT_THAT(FindReportUris({"v=TLSRPTv2; rua=mailto:a@b"}), IsEmpty());
  EXPECT_THAT(FindReportUris({"v=TLSRPTv1; rua=ftp://x, mailto:a b@c"}), IsEmpty());
  EXPECT_THAT(FindReportUris({"v=TLSRPTv1"}), IsEmpty());
}

TEST(TlsPolicyTypeTest, NamesReadBack) {
  for (const auto type : {TlsPolicyType::kNone, TlsPolicyType::kSts, TlsPolicyType::kTlsa}) {
    EXPECT_EQ(ParseTlsPolicyType(ToString(type)), type);
  }
  EXPECT_EQ(ParseTlsPolicyType("x"), std::nullopt);
}

}  // namespace
}  // namespace sluice
