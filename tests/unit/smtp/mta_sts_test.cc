#include "smtp/mta_sts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(StsRecordTest, GivesTheIdOfTheOneRecord) {
  EXPECT_EQ(FindStsId({"v=STSv1; id=20160831085700Z;"}), "20160831085700Z");
  EXPECT_EQ(FindStsId({"v=spf1 -all", "v=STSv1;id=a1"}), "a1");
  EXPECT_EQ(FindStsId({"v=STSv1 ; x=y ; id = 7 ;"}), "7");
}

TEST(StsRecordTest, TakesNoOrSeveralOrBrokenRecordsForNoMtaSts) {
  EXPECT_EQ(FindStsId({}), std::nullopt);
  EXPECT_EQ(FindStsId({"v=STSv1; id=1", "v=STSv1; id=2"}), std::nullopt);
  EXPECT_EQ(FindStsId({"v=STSv1"}), std::nullopt);
  EXPECT_EQ(FindStsId({"v=STSv1; id="}), std::nullopt);
  EXPECT_EQ(FindStsId({"v=STSv1; id=no spaces"}), std::nullopt);
  EXPECT_EQ(FindStsId({"v=STSv1; id=123456789012345678901234567890123"}), std::nullopt);
  EXPECT_EQ(FindStsId({"v=STSv2; id=1"}), std::nullopt);
}

TEST(StsPolicyTest, ReadsThePolicyOfTheRfc) {
  const auto policy = ParseStsPolicy(
      "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\n"
      "mx: backupmx.example.com\nmax_age: 604800\n");

  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->mode, StsMode::kEnforce);
  EXPECT_THAT(policy->mx, ElementsAre("mail.example.com", "*.example.net", "backupmx.example.com"));
  EXPECT_EQ(policy->max_age, std::chrono::seconds(604800));
}

TEST(StsPolicyTest, IsPatientWithLineEndsUnknownKeysAndRepeats) {
  const auto policy = ParseStsPolicy(
      "version: STSv1\r\nmode:testing\r\nmode: enforce\r\nfuture: x\r\nmx:  A.Example \r\n\r\n"
      "max_age: 9999999999\r\n");

  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->mode, StsMode::kTesting);
  EXPECT_THAT(policy->mx, ElementsAre("a.example"));
  EXPECT_EQ(policy->max_age, kMaxStsAge);
  EXPECT_TRUE(ParseStsPolicy("version: STSv1\nmode: none\nmax_age: 1").ok());
}

TEST(StsPolicyTest, SaysWhatIsWrong) {
  const auto fault = [](std::string_view body) { return ParseStsPolicy(body).status().ToString(); };
  EXPECT_THAT(fault(""), HasSubstr("version"));
  EXPECT_THAT(fault("version: STSv2\nmode: none\nmax_age: 1"), HasSubstr("version"));
  EXPECT_THAT(fault("version: STSv1\nmode: maybe\nmax_age: 1"), HasSubstr("mode"));
  EXPECT_THAT(fault("version: STSv1\nmode: enforce\nmx: a.b\nmax_age: soon"), HasSubstr("max_age"));
  EXPECT_THAT(fault("version: STSv1\nmode: enforce\nmx: a.b\nmax_age: 12345678901"),
              HasSubstr("max_age"));
  EXPECT_THAT(fault("version: STSv1\nmode: enforce\nmax_age: 1"), HasSubstr("no `mx`"));
  EXPECT_THAT(fault("version: STSv1\nmode: enforce\nmx: a.*.b\nmax_age: 1"), HasSubstr("a.*.b"));
  EXPECT_THAT(fault("<html>"), HasSubstr("<html>"));
  EXPECT_THAT(fault(std::string(kMaxStsPolicyBytes + 1, '\n')), HasSubstr("64 KB"));
}

TEST(StsPolicyTest, AWildcardStandsForOneLabel) {
  StsPolicy policy;
  policy.mx = {"mx.example.com", "*.example.net"};
  EXPECT_TRUE(NamesMx(policy, "MX.example.com"));
  EXPECT_TRUE(NamesMx(policy, "a.example.net"));
  EXPECT_FALSE(NamesMx(policy, "example.net"));
  EXPECT_FALSE(NamesMx(policy, "a.b.example.net"));
  EXPECT_FALSE(NamesMx(policy, "other.example.com"));
  EXPECT_FALSE(NamesMx(policy, ".example.net"));
}

}  // namespace
}  // namespace sluice
