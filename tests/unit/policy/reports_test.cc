// SNDS and Postmaster reports in the documented shapes, and in none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/oauth_tokens.h"
#include "policy/postmaster_stats.h"
#include "policy/postmaster_summary.h"
#include "policy/snds_report.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* kNew =
    "Ip Address,Activity period,RCPT commands,DATA commands,Message recipients,Filter result,Complaint rate,Trap message period,"
    "Trap hits,JMR P1 Sender,Comments\r\n"
    "192.0.2.1,6/1/2026 1:00 AM,10,8,8,GREEN,<0.1%,6/1/2026 2:00 AM,0,,\r\n"
    "192.0.2.2,6/1/2026 1:00 AM,\"1,234\",900,900,RED,0.3%,,7,,\"blocked, once\"\r\n";
constexpr const char* kLegacy =
    "192.0.2.1,11/20/2026 12:00 AM,11/21/2026 12:00 AM,120,110,110,YELLOW,0.2%,11/20/2026 1:00 AM,11/20/2026 2:00 AM,2,"
    "mta11.shop.example,news@shop.example,\n";

TEST(SndsReportTest, TheNewShapeIsReadByItsHeading) {
  const auto rows = ParseSndsReport(kNew);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_THAT(*rows, SizeIs(2));
  EXPECT_EQ(rows->at(0).filter, "GREEN");
  EXPECT_DOUBLE_EQ(*rows->at(0).complaint_rate, 0.001);
  EXPECT_EQ(rows->at(1).recipients, 1'234);
  EXPECT_EQ(rows->at(1).traps, 7);
}

TEST(SndsReportTest, ColumnsMayMoveAndNewOnesMayCome) {
  const auto rows = ParseSndsReport("\xef\xbb\xbfIP Address,New Thing,Filter result,DATA commands,RCPT commands\n192.0.2.9,x,RED,3,4\n");
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->at(0).filter, "RED");
  EXPECT_EQ(rows->at(0).messages, 3);
  EXPECT_EQ(rows->at(0).complaint_rate, std::nullopt);
}

TEST(SndsReportTest, TheLegacyShapeHasFourteenColumns) {
  const auto rows = ParseSndsReport(kLegacy);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_THAT(*rows, SizeIs(1));
  EXPECT_EQ(rows->at(0).filter, "YELLOW");
  EXPECT_EQ(rows->at(0).recipients, 120);
  EXPECT_EQ(rows->at(0).messages, 110);
  EXPECT_EQ(rows->at(0).traps, 2);
}

TEST(SndsReportTest, NoDataIsNoRowAndAnythingElseIsAnError) {
  EXPECT_THAT(*ParseSndsReport(""), SizeIs(0));
  EXPECT_THAT(*ParseSndsReport("\r\n"), SizeIs(0));
  for (const char* text : {"<!DOCTYPE html><html>Sign in</html>", "\n <html>", "192.0.2.1,too,short\n", "not an address,a,b,1,1,1,GREEN,,,,0,,,\n",
                           "Ip Address,Comments\n192.0.2.1,x\n", "{\"value\": []}",
                           "192.0.2.1,a,b,many,110,110,GREEN,,,,0,,,\n", "192.0.2.1,a,b,1,1,1,PURPLE,,,,0,,,\n"}) {
    EXPECT_FALSE(ParseSndsReport(text).ok()) << text;
  }
  EXPECT_THAT(std::string(ParseSndsReport("<html>").status().message()), HasSubstr("web page"));
}

TEST(SndsReportTest, BlockedRangesAreFound) {
  const auto blocks = ParseSndsStatus("192.0.2.0,192.0.2.7,No,\n192.0.2.8,192.0.2.15,Yes,Blocked due to user complaints or other evidence of spamming\n");
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  EXPECT_FALSE(FindSndsBlock(*blocks, "192.0.2.7")->is_blocked);
  EXPECT_TRUE(FindSndsBlock(*blocks, "192.0.2.8")->is_blocked);
  EXPECT_EQ(FindSndsBlock(*blocks, "192.0.2.16"), nullptr);
  EXPECT_EQ(FindSndsBlock(*blocks, "2001:db8::1"), nullptr);
  EXPECT_FALSE(ParseSndsStatus("<html>Sign in</html>").ok());
  EXPECT_FALSE(ParseSndsStatus("192.0.2.0,192.0.2.7,Maybe,\n").ok());
}

TEST(SndsReportTest, TheRowsOfAnAddressAreSummedUp) {
  const auto rows = ParseSndsReport(
      "Ip Address,Activity period,RCPT commands,DATA commands,Filter result,Complaint rate,Trap hits\n"
      "192.0.2.1,1:00 AM,10,8,GREEN,<0.1%,0\n192.0.2.1,2:00 AM,20,16,RED,None,3\n192.0.2.1,3:00 AM,5,5,YELLOW,0.4%,1\n"
      "192.0.2.2,1:00 AM,1,1,GREEN,,0\n");
  ASSERT_TRUE(rows.ok()) << rows.status();
  const auto sum = SumUp(*rows, "192.0.2.1");
  ASSERT_TRUE(sum.has_value());
  EXPECT_EQ(std::make_tuple(sum->recipients, sum->messages, sum->traps, sum->filter), std::make_tuple(35, 29, 4, std::string("RED")));
  EXPECT_DOUBLE_EQ(*sum->complaint_rate, 0.004);
  EXPECT_EQ(SumUp(*rows, "192.0.2.2")->complaint_rate, std::nullopt);
  EXPECT_EQ(SumUp(*rows, "192.0.2.3"), std::nullopt) << "no row is no zero";
}

TEST(PostmasterStatsTest, ValuesOfEveryKindAreReadAndAGapIsNoZero) {
  const auto stats = ParsePostmasterStats(
      R"({"domainStats":[{"metric":"spam_rate","date":{"year":2026,"month":11,"day":1},"value":{"doubleValue":0.0009}},
          {"metric":"spam_rate","date":{"year":2026,"month":11,"day":2}},
          {"metric":"spam_rate","date":{"year":2026,"month":10,"day":31},"value":{"floatValue":0.5}},
          {"metric":"errors","date":{"year":2026,"month":11,"day":1},"value":{"intValue":"17"}},
          {"metric":"ids","value":{"stringList":{"values":["a"]}}}],"nextPageToken":"more"})");
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->gaps, 1);
  ASSERT_THAT(stats->lists, SizeIs(1));
  EXPECT_THAT(stats->lists[0].texts, ::testing::ElementsAre("a"));
  EXPECT_EQ(stats->next_page_token, "more");
  const PostmasterValue* latest = LatestPostmasterValue(*stats, "spam_rate");
  ASSERT_NE(latest, nullptr);
  EXPECT_EQ(latest->date, "2026-11-01");
  EXPECT_DOUBLE_EQ(latest->value, 0.0009);
  EXPECT_DOUBLE_EQ(LatestPostmasterValue(*stats, "errors")->value, 17);
  EXPECT_EQ(LatestPostmasterValue(*stats, "ids"), nullptr);
  EXPECT_THAT(ParsePostmasterStats("{}")->values, SizeIs(0)) << "a domain without data";
}

TEST(PostmasterStatsTest, WhatIsNoAnswerIsAnError) {
  for (const char* text : {"", "<html>", "[]", "{\"error\":{\"code\":403}}", "{\"domainStats\":{}}", "{\"domainStats\":[{\"value\":{}}]}", "nan"}) {
    EXPECT_FALSE(ParsePostmasterStats(text).ok()) << text;
  }
  EXPECT_FALSE(ParsePostmasterStats(std::string(50'000, '[')).ok());
}

TEST(PostmasterStatsTest, TheQuestionIsTheDocumentedOne) {
  const Instant day = FromMicros(1'793'491'200'000'000);  // 2026-11-01.
  const std::string question = PostmasterQuestion(PostmasterRates(), day, day + std::chrono::hours(24 * 6), "");
  for (const char* part : {R"("standardMetric":"SPAM_RATE")", R"("filter":"auth_type = \"spf\"")", R"("start":{"day":1,"month":11,"year":2026})",
                           R"("end":{"day":7,"month":11,"year":2026})", R"("aggregationGranularity":"DAILY")", R"("pageSize":200)"}) {
    EXPECT_THAT(question, HasSubstr(part));
  }
}

TEST(PostmasterStatsTest, ErrorsAreAskedByTypeAndReasonAndLoopsById) {
  const std::string errors = PostmasterQuestion(PostmasterErrors(), FromMicros(0), FromMicros(0), "next");
  for (const char* part : {R"({"baseMetric":{"standardMetric":"DELIVERY_ERROR_RATE"},"filter":"error_type = \"reject\"","name":"rejected"})",
                           R"({"baseMetric":{"standardMetric":"DELIVERY_ERROR_COUNT"},"filter":"error_type = \"temp_fail\"","name":"deferred_count"})",
                           R"("filter":"error_type = \"reject\" AND error_reason = \"ip_in_rbls\"","name":"rejected_ip_in_rbls")",
                           R"("pageToken":"next")"}) {
    EXPECT_THAT(errors, HasSubstr(part));
  }
  EXPECT_THAT(PostmasterQuestion(PostmasterLoopIds(), FromMicros(0), FromMicros(0), ""), HasSubstr(R"("standardMetric":"FEEDBACK_LOOP_ID")"));
  const std::vector<std::string> ids = {"shop_107"};
  EXPECT_THAT(PostmasterQuestion(PostmasterLoopRates(ids), FromMicros(0), FromMicros(0), ""),
              HasSubstr(R"({"baseMetric":{"standardMetric":"FEEDBACK_LOOP_SPAM_RATE"},"filter":"feedback_loop_id = \"shop_107\"","name":"loop_0"})"));
}

PostmasterStats Errors(std::vector<PostmasterValue> values) { return {.values = std::move(values)}; }

TEST(PostmasterSummaryTest, ErrorsOfTheLatestDayWithWhatTheirNumberAllowsToSay) {
  EXPECT_EQ(LatestPostmasterErrors(Errors({}), "rejected"), std::nullopt) << "no data is no zero";
  const auto day = LatestPostmasterErrors(Errors({{"rejected", "2026-11-01", 0.5}, {"rejected", "2026-11-02", 0.06}, {"rejected_count", "2026-11-02", 120},
                                                  {"rejected_count", "2026-11-01", 7}, {"rejected_other", "2026-11-02", 0.01},
                                                  {"rejected_ip_in_rbls", "2026-11-02", 0.05}, {"rejected_spammy_content", "2026-11-01", 0.5},
                                                  {"rejected_bad_attachment", "2026-11-02", 0}, {"deferred", "2026-11-03", 0.1}}),
                                          "rejected");
  ASSERT_TRUE(day.has_value());
  EXPECT_EQ(day->date, "2026-11-02");
  EXPECT_EQ(day->count, 120);
  EXPECT_EQ(day->reasons, "ip_in_rbls 5.00 %, other 1.00 %");
  EXPECT_NEAR(day->surely, 0.052, 0.001) << "of 2,000";
  for (const auto& few : {Errors({{"rejected", "", 1.0}, {"rejected_count", "", 3}}), Errors({{"rejected", "", 1.0}}),
                          Errors({{"rejected", "", 1.0}, {"rejected_count", "", 1e300}}), Errors({{"rejected", "", 1e-300}, {"rejected_count", "", 50}}),
                          Errors({{"rejected", "", 0.0}, {"rejected_count", "", 50}})}) {
    EXPECT_EQ(LatestPostmasterErrors(few, "rejected")->surely, 0);
  }
  EXPECT_EQ(LatestPostmasterErrors(Errors({{"rejected", "", 17.0}}), "rejected"), std::nullopt) << "that is no share";
}

TEST(PostmasterSummaryTest, LoopsAreNamedOnceTheLatestFirstAndNoneThatWouldEndTheFilter) {
  const auto stats = ParsePostmasterStats(
      R"({"domainStats":[{"metric":"loop_ids","date":{"year":2026,"month":11,"day":1},"value":{"stringList":{"values":["old","both",7]}}},
          {"metric":"loop_ids","date":{"year":2026,"month":11,"day":2},"value":{"stringList":{"values":["both","new","a\" OR \"b","a b","\u00e4"]}}},
          {"metric":"loop_ids","date":{"year":2026,"month":11,"day":3},"value":{"stringList":{}}},
          {"metric":"loop_ids","date":{"year":2026,"month":11,"day":4}}]})");
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->gaps, 2);
  EXPECT_THAT(PostmasterLoopIdsOf(*stats, 50), ::testing::ElementsAre("both", "new", "old"));
  EXPECT_THAT(PostmasterLoopIdsOf(*stats, 2), SizeIs(2));
  const std::vector<std::string> ids = {"both", "new", "old", "none"};
  const auto loops = PostmasterLoopsOf(Errors({{"loop_0", "2026-11-01", 0.02}, {"loop_0", "2026-11-02", 0.001}, {"loop_2", "2026-11-01", 0.0139},
                                               {"loop_1", "2026-11-01", -1}, {"loop_9", "2026-11-01", 0.5}}), ids);
  ASSERT_THAT(loops, SizeIs(2));
  EXPECT_EQ(loops[0].id, "old");
  EXPECT_DOUBLE_EQ(loops[1].spam_rate, 0.001);
}

TEST(PostmasterStatsTest, UnmetRequirementsAreFoundWhereverTheyStand) {
  const auto unmet = ParsePostmasterCompliance(
      R"({"name":"domains/shop.example/complianceStatus","complianceData":{"rowData":[{"requirement":"SPF","status":{"status":"COMPLIANT"}},
          {"requirement":"DMARC","status":{"status":"NEEDS_WORK"}}],"oneClickUnsubscribeVerdict":{"status":{"status":"NEEDS_WORK"}}}})");
  ASSERT_TRUE(unmet.ok()) << unmet.status();
  ASSERT_THAT(*unmet, SizeIs(2));
  EXPECT_THAT(ParsePostmasterCompliance("{}").value(), SizeIs(0));
  EXPECT_FALSE(ParsePostmasterCompliance("<html>").ok());
}

TEST(OauthTokensTest, AnExpiredRefreshTokenIsNamedAndNoTokenIsInTheError) {
  const auto tokens = ParseOauthTokens(R"({"access_token":"aaa","refresh_token":"rrr","expires_in":3600})");
  ASSERT_TRUE(tokens.ok());
  EXPECT_EQ(tokens->refresh_token, "rrr");
  EXPECT_EQ(tokens->expires_in, std::chrono::hours(1));
  const auto refused = ParseOauthTokens(R"({"error":"invalid_grant","error_description":"token rrr expired"})");
  EXPECT_TRUE(absl::IsPermissionDenied(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("invalid_grant"));
  EXPECT_THAT(std::string(refused.status().message()), ::testing::Not(HasSubstr("rrr")));
  EXPECT_FALSE(ParseOauthTokens("<html>").ok());
  EXPECT_FALSE(ParseOauthTokens("{}").ok());
  EXPECT_FALSE(ParseOauthTokens(R"({"access_token":"a\r\nX-Evil: 1"})").ok()) << "it becomes a header field";
}

}  // namespace
}  // namespace sluice
