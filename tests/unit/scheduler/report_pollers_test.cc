// SNDS and Postmaster Tools asked through a transport that answers as the documents say, or badly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "../storage/fake_reputation_stores.h"
#include "base/base64.h"
#include "scheduler/control/postmaster_poller.h"
#include "scheduler/control/snds_poller.h"
#include "scheduler/control/token_seal.h"

namespace sluice::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr const char* kHead = "Ip Address,Activity period,RCPT commands,DATA commands,Filter result,Complaint rate,Trap hits\n";

HttpsAnswer Ok(std::string body) { return {.status = absl::OkStatus(), .body = std::move(body), .code = 200}; }
HttpsAnswer Code(int code, std::string body = "") {
  return {.status = absl::NotFoundError("the server answered " + std::to_string(code)), .body = std::move(body), .code = code};
}

// The world outside, by the path that is asked; what is not there answers 404.
struct World {
  World() {
    dir = std::filesystem::temp_directory_path() / ("report_pollers_" + std::to_string(::getpid()));
    std::filesystem::create_directories(dir);
    policy.sources = {{.name = "ip-11", .address = "192.0.2.11"}, {.name = "ip-12", .address = "192.0.2.12"}};
    policy.tenants = {{.name = "shop", .sender_domains = {"shop.example"}}};
    EXPECT_TRUE(signals.Load().ok());
  }
  ~World() { std::filesystem::remove_all(dir); }
  std::string File(const char* name, const std::string& text) const {
    std::ofstream(dir / name) << text;
    return dir / name;
  }
  AskHttp Ask() {
    return [this](const HttpQuestion& question) {
      asked.push_back(question);
      const std::string path = question.url.substr(question.url.find('/', 8));
      return answers.contains(path) ? answers[path] : Code(404);
    };
  }
  void Poll(Poller& poller) {
    poller.Poll(policy, signals, clock.Now());
    EXPECT_TRUE(signals.Save().ok());
  }
  storage::StoredSignal At(const char* name, const char* source = "", const char* domain = "", const char* provider = "ms-consumer") {
    const auto* found = signals.Find({.source = source, .sender_domain = domain, .provider = provider, .name = name});
    return found == nullptr ? storage::StoredSignal() : *found;
  }
  storage::StoredSignal Google(const char* name, const char* domain = "shop.example") { return At(name, "", domain, "google"); }
  size_t Count(const std::string& part) const {
    return static_cast<size_t>(std::count_if(asked.begin(), asked.end(), [&](const auto& q) { return q.url.find(part) != std::string::npos; }));
  }

  std::filesystem::path dir;
  FakeClock clock;
  CapturingSink log_text;
  Logger log{log_text, clock, "test"};
  testing::FakeSignalStore store;
  testing::FakeTokenStore tokens;
  SignalKeeper signals{store, clock, log};
  PolicyDocument policy;
  std::map<std::string, HttpsAnswer> answers;
  std::vector<HttpQuestion> asked;
};

struct ByLinks : World {
  SndsPoller poller{{.links_file = File("links", "https://snds.test/data.aspx?key=s3cret\r\nhttps://snds.test/ipStatus.aspx?key=s3cret\n")},
                    nullptr, Ask()};
  HttpsAnswer& data = answers["/data.aspx?key=s3cret"] = Ok("");
  HttpsAnswer& status = answers["/ipStatus.aspx?key=s3cret"] = Ok("");
};

TEST(SndsPollerTest, WhatTheReportSaysOfAnAddressBecomesOpinions) {
  ByLinks world;
  world.data = Ok(std::string(kHead) + "192.0.2.11,6/1/2026 1:00 AM,500,400,RED,0.4%,2\n192.0.2.99,6/1/2026 1:00 AM,1,1,RED,9%,2\n");
  world.status = Ok("192.0.2.12,192.0.2.12,Yes,Blocked due to user complaints\n");
  world.Poll(world.poller);
  EXPECT_EQ(world.At("snds", "ip-11").value, "RED");
  EXPECT_EQ(world.At("snds", "ip-11").verdict, "bad");
  EXPECT_EQ(world.At("snds complaints", "ip-11").verdict, "warning");
  EXPECT_DOUBLE_EQ(world.At("snds complaints", "ip-11").amount, 0.004);
  EXPECT_EQ(world.At("snds traps", "ip-11").word, "snds_traps");
  EXPECT_EQ(world.At("snds", "ip-12").verdict, "") << "no row is no zero";
  EXPECT_EQ(world.At("snds status", "ip-12").word, "snds_blocked");
  EXPECT_EQ(world.At("snds status", "ip-11").verdict, "good");
  EXPECT_THAT(world.At("snds").raw, HasSubstr("192.0.2.99")) << "the answer itself is kept";
  const auto opinions = world.signals.Opinions();
  EXPECT_THAT(opinions.at({.source = "ip-11", .provider = "ms-consumer"}), SizeIs(3));
  EXPECT_THAT(opinions.at({.source = "ip-12", .provider = "ms-consumer"}), SizeIs(1));
}

TEST(SndsPollerTest, NoAnswerOfAnyKindChangesMoreThanFreshness) {
  ByLinks world;
  world.data = Ok(std::string(kHead) + "192.0.2.11,6/1/2026 1:00 AM,500,400,RED,,0\n");
  world.Poll(world.poller);
  for (const HttpsAnswer& bad : {Ok("<!DOCTYPE html><title>Sign in</title>"), Code(404), Code(400), Ok("192.0.2.11,half,a row"),
                                 HttpsAnswer{.status = absl::UnavailableError("timeout")}, Ok(std::string("\xff\x00\xfe", 3))}) {
    world.data = bad;
    world.clock.Advance(hours(7));
    world.Poll(world.poller);
    EXPECT_EQ(world.At("snds", "ip-11").value, "RED");
    EXPECT_EQ(world.At("snds", "ip-11").word, "snds_red");
    EXPECT_NE(world.At("snds").failure, "");
    EXPECT_EQ(world.At("snds").verdict, "good") << "what it said last";
    EXPECT_EQ(world.At("snds status").failure, "") << "the other report is answered";
  }
  EXPECT_THAT(world.log_text.Text(), Not(HasSubstr("s3cret")));
  EXPECT_EQ(world.signals.ReportAges().at("ms-consumer"), hours(42));
  world.data = Ok("");
  world.clock.Advance(hours(7));
  world.Poll(world.poller);
  EXPECT_EQ(world.At("snds").failure, "");
  EXPECT_EQ(world.At("snds", "ip-11").word, "snds_red") << "no row is no zero";
  world.clock.Advance(hours(24 * 7));
  world.Poll(world.poller);
  EXPECT_EQ(world.At("snds", "ip-11").word, "") << "but nobody holds it against us for ever";
  EXPECT_EQ(world.At("snds", "ip-11").verdict, "unknown");
  EXPECT_THAT(world.signals.Opinions(), IsEmpty());
}

TEST(SndsPollerTest, ItAsksEverySoOftenAndSoonerAfterAFailure) {
  ByLinks world;
  world.Poll(world.poller);
  ASSERT_EQ(world.Count("data.aspx"), 1u);
  world.clock.Advance(hours(5));
  world.Poll(world.poller);
  EXPECT_EQ(world.Count("data.aspx"), 1u);
  world.clock.Advance(hours(2));
  world.data = Code(404);
  world.Poll(world.poller);
  EXPECT_EQ(world.Count("data.aspx"), 2u);
  world.clock.Advance(minutes(6));
  world.Poll(world.poller);
  EXPECT_EQ(world.Count("data.aspx"), 3u);
  world.clock.Advance(minutes(6));
  world.Poll(world.poller);
  EXPECT_EQ(world.Count("data.aspx"), 3u) << "the wait doubles";
  // Who takes control over goes on from what is known.
  world.data = Ok("");
  world.clock.Advance(hours(7));
  world.Poll(world.poller);
  SndsPoller next({.links_file = world.dir / "links"}, nullptr, world.Ask());
  const size_t before = world.asked.size();
  world.Poll(next);
  EXPECT_EQ(world.asked.size(), before);
}

TEST(PollScheduleTest, JitterIsATenth) {
  std::set<Duration> waits;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    PollSchedule schedule(hours(10), seed);
    schedule.Succeeded(FromMicros(0));
    const Duration wait = schedule.due() - FromMicros(0);
    EXPECT_TRUE(wait >= hours(9) && wait <= hours(11));
    waits.insert(wait);
  }
  EXPECT_GT(waits.size(), 90u);
}

struct ByToken : World {
  ByToken() {
    answers["/token"] = Ok(R"({"access_token":"acc1","refresh_token":"ref2","expires_in":3600})");
    answers["/api/report/data"] = answers["/api/report/status/ip"] = Ok("");
  }
  std::unique_ptr<OauthTokenSource> Tokens() {
    OauthOptions options{.name = "snds", .credentials_file = file, .token_url = "https://login.test/token", .scope = "x y"};
    return std::make_unique<OauthTokenSource>(std::move(options), tokens, Ask(), clock);
  }
  // The refresh token that was sent last.
  std::string Sent() const {
    for (auto it = asked.rbegin(); it != asked.rend(); ++it) {
      if (it->body) return it->body->substr(it->body->find("refresh_token=", 12) + 14, 4);
    }
    return "";
  }
  // What is stored, to who has the file's token.
  std::string Stored(const char* from_file) const {
    const std::string& sealed = tokens.rows.at("snds").refresh_token;
    EXPECT_THAT(sealed, Not(HasSubstr("ref"))) << "it is sealed";
    return OpenToken(sealed, from_file, "snds").value_or("");
  }
  std::string file = File("credentials", R"({"client_id":"me & you","refresh_token":"ref1"})");
  SndsPoller poller{{.url = "https://snds.test"}, Tokens(), Ask()};
};

TEST(OauthTokenSourceTest, ATokenThatRotatesIsStoredAndNothingElseHasIt) {
  ByToken world;
  world.Poll(world.poller);
  EXPECT_EQ(world.At("snds").failure, "");
  EXPECT_EQ(world.asked[0].body, "grant_type=refresh_token&client_id=me%20%26%20you&refresh_token=ref1&scope=x%20y");
  EXPECT_THAT(world.asked[1].headers, ::testing::Contains("Authorization: Bearer acc1"));
  EXPECT_EQ(world.Count("/token"), 1u) << "one access token for both reports";
  EXPECT_EQ(world.Stored("ref1"), "ref2");
  EXPECT_THAT(world.tokens.rows.at("snds").seed, Not(HasSubstr("ref1")));
  world.answers["/token"] = Ok(R"({"access_token":"acc2","expires_in":3600})");
  world.clock.Advance(hours(7));
  world.Poll(world.poller);
  EXPECT_EQ(world.Sent(), "ref2");
  EXPECT_EQ(world.Stored("ref1"), "ref2") << "none was given: the old one stays";
  for (const auto& [key, row] : world.store.rows) EXPECT_THAT(row.value + row.detail + row.raw + row.failure, Not(HasSubstr("ref")));
  EXPECT_THAT(world.log_text.Text(), Not(HasSubstr("ref1")));
}

TEST(OauthTokenSourceTest, WhoTakesControlOverGoesOnFromItAndANewSignInIsWorthMore) {
  ByToken world;
  world.Poll(world.poller);
  auto next = world.Tokens();
  ASSERT_TRUE(next->Header().ok());
  EXPECT_EQ(world.Sent(), "ref2");
  world.File("credentials", R"({"client_id":"me","refresh_token":"new1"})");
  next->Forget();
  ASSERT_TRUE(next->Header().ok());
  EXPECT_EQ(world.Sent(), "new1");
}

TEST(OauthTokenSourceTest, WhatCannotBeOpenedIsWorthNoMoreThanTheFile) {
  ByToken world;
  world.Poll(world.poller);
  for (const char* stored : {"", "ref2", "bm8gc2VhbCBhdCBhbGwgaGVyZSwganVzdCBzb21lIGJ5dGVz"}) {
    world.tokens.rows.at("snds").refresh_token = stored;
    ASSERT_TRUE(world.Tokens()->Header().ok());
    EXPECT_EQ(world.Sent(), "ref1") << stored;
  }
}

TEST(TokenSealTest, OpensForTheSameSecretAndNameAlone) {
  const std::string token(2'000, 't');
  const std::string sealed = SealToken(token, "secret", "snds");
  EXPECT_EQ(*OpenToken(sealed, "secret", "snds"), token);
  EXPECT_EQ(*OpenToken(SealToken("", "secret", "snds"), "secret", "snds"), "");
  EXPECT_NE(SealToken(token, "secret", "snds"), sealed) << "another nonce";
  EXPECT_TRUE(absl::IsDataLoss(OpenToken(sealed, "Secret", "snds").status()));
  EXPECT_TRUE(absl::IsDataLoss(OpenToken(sealed, "secret", "postmaster").status()));
  std::string bytes = *DecodeBase64(sealed);
  for (const size_t at : {size_t{0}, size_t{12}, bytes.size() - 1}) {
    std::string changed = bytes;
    changed[at] ^= 1;
    EXPECT_TRUE(absl::IsDataLoss(OpenToken(EncodeBase64(changed), "secret", "snds").status())) << at;
  }
  for (const std::string& none : {std::string(), std::string("clear text"), EncodeBase64(bytes.substr(0, 27)), EncodeBase64(std::string(70'000, 'x'))}) {
    EXPECT_TRUE(absl::IsDataLoss(OpenToken(none, "secret", "snds").status()));
  }
}

TEST(OauthTokenSourceTest, ARefusedRefreshTokenAsksForAPersonAndNamesNoSecret) {
  ByToken world;
  world.answers["/token"] = Code(400, R"({"error":"invalid_grant","error_description":"ref1 has expired"})");
  world.Poll(world.poller);
  EXPECT_THAT(world.At("snds").failure, HasSubstr("invalid_grant; sign in again"));
  EXPECT_THAT(world.At("snds").failure + world.log_text.Text(), Not(HasSubstr("ref1")));
  EXPECT_EQ(world.Count("/api/"), 0u);
  EXPECT_THAT(world.tokens.rows, IsEmpty());
  world.answers["/token"] = Code(503, "<html>busy</html>");
  world.clock.Advance(hours(7));
  world.Poll(world.poller);
  EXPECT_THAT(world.At("snds").failure, HasSubstr("503"));
}

TEST(OauthTokenSourceTest, WithoutTheStoreNothingRotatesAndWhatHasRotatedIsKeptUntilItIsBack) {
  ByToken world;
  auto tokens = world.Tokens();
  world.tokens.failure = absl::UnavailableError("down");
  EXPECT_FALSE(tokens->Header().ok());
  EXPECT_THAT(world.asked, IsEmpty()) << "a token that rotates now would be lost";
  world.tokens.failure = absl::OkStatus();
  world.tokens.put_failure = absl::UnavailableError("went down");
  EXPECT_FALSE(tokens->Header().ok());
  EXPECT_EQ(world.asked.size(), 1u);
  EXPECT_THAT(world.tokens.rows, IsEmpty());
  world.tokens.put_failure = absl::OkStatus();
  ASSERT_TRUE(tokens->Header().ok());
  EXPECT_EQ(world.Stored("ref1"), "ref2");
  EXPECT_EQ(world.asked.size(), 1u) << "the access token is still good";
}

TEST(OauthTokenSourceTest, ATokenThatIsNotTakenIsAskedForAnew) {
  ByToken world;
  world.answers["/api/report/data"] = Code(401);
  world.Poll(world.poller);
  EXPECT_EQ(world.Count("/token"), 2u) << "the second report has a new one";
  EXPECT_NE(world.At("snds").failure, "");
  EXPECT_EQ(world.At("snds status").failure, "");
}

struct AtGoogle : World {
  AtGoogle() {
    answers["/token"] = Ok(R"({"access_token":"acc1","expires_in":3600})");
    answers["/v2/domains/shop.example/complianceStatus"] = Ok("{}");
  }
  HttpsAnswer& stats(const std::string& domain = "shop.example") { return answers["/v2/domains/" + domain + "/domainStats:query"]; }
  std::string file = File("google", R"({"client_id":"me","client_secret":"sec","refresh_token":"ref1"})");
  PostmasterPoller poller{{.url = "https://google.test"},
                          std::make_unique<OauthTokenSource>(
                              OauthOptions{.name = "postmaster", .credentials_file = file, .token_url = "https://login.test/token"}, tokens, Ask(), clock),
                          Ask()};
};

std::string Row(const char* metric, int day, const std::string& value) {
  return std::string(R"({"metric":")") + metric + R"(","date":{"year":2026,"month":11,"day":)" + std::to_string(day) + "}" + value + "}";
}
std::string Value(double value) { return R"(,"value":{"doubleValue":)" + std::to_string(value) + "}"; }

TEST(PostmasterPollerTest, TheLatestDayWithAValueCountsAndAGapIsNoZero) {
  AtGoogle world;
  world.stats() = Ok(R"({"domainStats":[)" + Row("spam_rate", 1, Value(0.002)) + "," + Row("spam_rate", 2, "") + "," + Row("dmarc", 1, Value(0.9)) + "]}");
  world.answers["/v2/domains/shop.example/complianceStatus"] = Ok(R"({"rows":[{"requirement":"DMARC","status":"NEEDS_WORK"}]})");
  world.Poll(world.poller);
  EXPECT_EQ(world.Google("postmaster spam_rate").value, "0.20 %");
  EXPECT_EQ(world.Google("postmaster spam_rate").detail, "of 2026-11-01");
  EXPECT_EQ(world.Google("postmaster spam_rate").verdict, "warning");
  EXPECT_EQ(world.Google("postmaster dmarc").word, "google_unauthenticated");
  EXPECT_NEAR(world.Google("postmaster dmarc").amount, 0.1, 1e-9);
  EXPECT_EQ(world.Google("postmaster tls").verdict, "") << "nothing was said";
  EXPECT_EQ(world.Google("postmaster").value, "2 values, 1 gaps");
  EXPECT_THAT(world.Google("postmaster compliance").detail, HasSubstr("DMARC NEEDS_WORK"));
  EXPECT_THAT(world.signals.Opinions().at({.sender_domain = "shop.example", .provider = "google"}), SizeIs(3));
  world.stats() = Ok("{}");
  world.clock.Advance(hours(27));
  world.Poll(world.poller);
  EXPECT_EQ(world.Google("postmaster spam_rate").value, "0.20 %") << "no data in a week is no zero";
  EXPECT_THAT(world.Google("postmaster").detail, HasSubstr("no data in a week"));
  EXPECT_EQ(world.Google("postmaster").failure, "");
  world.clock.Advance(hours(24 * 15));
  world.Poll(world.poller);
  EXPECT_EQ(world.Google("postmaster spam_rate").word, "");
}

TEST(PostmasterPollerTest, ErrorsAndLoopsAreShownAndJudgedByWhatTheirNumbersAllow) {
  AtGoogle world;
  std::string rows;
  for (const auto& [metric, value] : {std::pair("rejected", Value(0.09)), std::pair("rejected_count", std::string(R"(,"value":{"intValue":"300"})")),
                                      std::pair("rejected_low_ip_reputation", Value(0.08)), std::pair("deferred", Value(0.2)),
                                      std::pair("loop_ids", std::string(R"(,"value":{"stringList":{"values":["shop_7","shop_8"]}})")),
                                      std::pair("loop_0", Value(0.0139)), std::pair("loop_1", Value(0.001))}) {
    rows += (rows.empty() ? "" : ",") + Row(metric, 3, value);
  }
  world.stats() = Ok(R"({"domainStats":[)" + rows + "]}");
  world.Poll(world.poller);
  EXPECT_EQ(world.Google("postmaster rejected").value, "9.00 %, 300 messages");
  EXPECT_EQ(world.Google("postmaster rejected").detail, "of 2026-11-03; low_ip_reputation 8.00 %");
  EXPECT_EQ(world.Google("postmaster rejected").verdict, "warning");
  EXPECT_THAT(world.Google("postmaster rejected").raw, HasSubstr("rejected_count"));
  EXPECT_EQ(world.Google("postmaster deferred").value, "20.00 %");
  EXPECT_EQ(world.Google("postmaster deferred").word, "") << "it is only shown";
  EXPECT_EQ(world.Google("postmaster loops").value, "shop_7 1.39 %");
  EXPECT_EQ(world.Google("postmaster loops").detail, "of 2026-11-03; then shop_8 0.10 %");
  EXPECT_EQ(world.Google("postmaster loops").word, "google_loop_spam_rate");
  EXPECT_THAT(*world.asked[4].body, HasSubstr(R"(feedback_loop_id = \"shop_8\")"));
  EXPECT_EQ(world.Count("domainStats"), 4u);
  world.stats() = Ok("{}");
  world.clock.Advance(hours(27));
  world.Poll(world.poller);
  EXPECT_EQ(world.Google("postmaster loops").value, "shop_7 1.39 %") << "no data is no zero";
  EXPECT_EQ(world.Google("postmaster rejected").word, "google_rejects");
  world.clock.Advance(hours(24 * 15));
  world.Poll(world.poller);
  EXPECT_THAT(world.signals.Opinions(), IsEmpty());
}

TEST(PostmasterPollerTest, APartThatFailsTakesNothingFromTheOthers) {
  AtGoogle world;
  const auto fails_for = [&world](const char* part) {
    return PostmasterPoller({.url = "https://google.test"},
                            std::make_unique<OauthTokenSource>(
                                OauthOptions{.name = "p", .credentials_file = world.file, .token_url = "https://login.test/token"}, world.tokens,
                                world.Ask(), world.clock),
                            [&world, part](const HttpQuestion& question) {
                              if (question.body && question.body->find(part) != std::string::npos) return Code(400, "bad metric");
                              return world.Ask()(question);
                            });
  };
  world.stats() = Ok(R"({"domainStats":[)" + Row("spam_rate", 1, Value(0.002)) + "," + Row("rejected", 1, Value(0.1)) + "]}");
  PostmasterPoller without_errors = fails_for("DELIVERY_ERROR_RATE");
  world.Poll(without_errors);
  EXPECT_EQ(world.Google("postmaster spam_rate").value, "0.20 %");
  EXPECT_THAT(world.Google("postmaster").failure, HasSubstr("delivery errors: "));
  EXPECT_EQ(world.Google("postmaster rejected").value, "");
  PostmasterPoller without_rates = fails_for("\"SPAM_RATE\"");
  world.clock.Advance(hours(27));
  world.Poll(without_rates);
  EXPECT_EQ(world.Google("postmaster rejected").value, "10.00 %");
  EXPECT_EQ(world.Google("postmaster").failure.find("delivery errors"), std::string::npos);
  EXPECT_NE(world.Google("postmaster").failure, "");
}

TEST(PostmasterPollerTest, ADomainThatIsNotVerifiedFailsAlone) {
  AtGoogle world;
  world.policy.tenants[0].sender_domains.push_back("other.example");
  world.stats() = Ok(R"({"domainStats":[)" + Row("spam_rate", 1, Value(0.0)) + "]}");
  world.stats("other.example") = Code(403, R"({"error":{"code":403}})");
  world.Poll(world.poller);
  EXPECT_THAT(world.Google("postmaster", "other.example").failure, HasSubstr("not verified"));
  EXPECT_EQ(world.Google("postmaster spam_rate").value, "0.00 %");
  EXPECT_EQ(world.Google("postmaster", "").value, "1 domains answered, 1 not");
  EXPECT_EQ(world.signals.ReportAges().at("google"), Duration());
}

TEST(PostmasterPollerTest, WithoutATokenNobodyElseIsAsked) {
  AtGoogle world;
  for (int i = 0; i < 50; ++i) world.policy.tenants[0].sender_domains.push_back("d" + std::to_string(i) + ".example");
  world.answers["/token"] = Code(400, R"({"error":"invalid_grant"})");
  world.Poll(world.poller);
  EXPECT_EQ(world.asked.size(), 1u);
  EXPECT_THAT(world.Google("postmaster", "").failure, HasSubstr("invalid_grant"));
  EXPECT_THAT(world.Google("postmaster", "").failure, Not(HasSubstr("sec")));
}

TEST(PostmasterPollerTest, ManyDomainsAreAskedAFewAtATime) {
  AtGoogle world;
  for (int i = 0; i < 11; ++i) world.policy.tenants[0].sender_domains.push_back("d" + std::to_string(i) + ".example");
  world.stats() = Ok("{}");
  world.Poll(world.poller);
  EXPECT_EQ(world.Count("domainStats"), 5u) << "who is not verified is asked once";
  world.Poll(world.poller);
  world.Poll(world.poller);
  EXPECT_EQ(world.Count("domainStats"), 14u);
  world.Poll(world.poller);
  EXPECT_EQ(world.Count("domainStats"), 14u) << "the round is over";
}

TEST(PostmasterPollerTest, PagesAreFollowedToAnEnd) {
  AtGoogle world;
  world.stats() = Ok(R"({"domainStats":[)" + Row("spam_rate", 1, Value(0.0)) + R"(],"nextPageToken":"more"})");
  world.Poll(world.poller);
  EXPECT_EQ(world.Count("domainStats"), 60u) << "a server that always has more does not hold us";
  EXPECT_THAT(*world.asked[2].body, HasSubstr(R"("pageToken":"more")"));
}

}  // namespace
}  // namespace sluice::scheduler
