// Whole command lines of sluicectl against the real admin face over stores in memory.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "base/text.h"
#include "ctl/app.h"
#include "ctl/diff.h"
#include "ctl/output.h"
#include "sluice/v1/submission.grpc.pb.h"
#include "unit/admin/fake_scheduler.h"
#include "wire/peer.h"
#include "wire/server.h"
#include "wire/status.h"
#include "wire/unary_reply.h"

namespace sluice::ctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace sluice::testing;

constexpr char kPolicy[] = R"(tenants:
  - {name: shop, streams: [news], sender_domains: [shop.example]}
streams:
  - {name: news}
sources:
  - {name: ip-1, address: 192.0.2.1, ehlo: mta1.example.com}
pools:
  - {name: warm, members: [{source: ip-1}]}
routes:
  - {match: {stream: news}, pool: warm}
)";

// Keeps what was submitted, refuses the recipient `bad@…`.
class FakeIngest final : public v1::SubmissionService::CallbackService {
 public:
  FakeIngest() {
    wire::ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.credentials.plaintext = true;
    server_ = *wire::Server::Start(options, {this});
    server_->SetServing(true);
  }
  const std::string& address() const { return server_->addresses()[0]; }

  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context,
                                   const v1::SubmitRequest* request,
                                   v1::SubmitResponse* response) override {
    auto* const reactor = context->DefaultReactor();
    wire::UnaryReply reply(reactor);
    submission = request->submission();
    key = wire::BearerToken(*context);
    if (key != "slk_good") {
      reply.Finish(absl::UnauthenticatedError("the API key is not known"));
      return reactor;
    }
    response->mutable_result()->set_message_id("0123456789abc");
    for (int i = 0; i < submission.recipients_size(); ++i) {
      if (!submission.recipients(i).address().starts_with("bad@")) continue;
      v1::RecipientVerdict* verdict = response->mutable_result()->add_refused();
      verdict->set_index(i);
      verdict->set_reason("suppressed");
      verdict->set_description("complained\x1b[31m");
    }
    reply.Finish(absl::OkStatus());
    return reactor;
  }

  v1::Submission submission;
  std::string key;

 private:
  std::unique_ptr<wire::Server> server_;
};

class CtlTest : public ::testing::Test {
 protected:
  struct Result {
    int code;
    std::string out, err;
  };
  Result Sluicectl(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), "sluicectl");
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    std::istringstream in(input);
    std::ostringstream out, err;
    const Io io{in, out, err, [this](const char* name) -> const char* {
                  const auto found = env.find(name);
                  return found == env.end() ? nullptr : found->second.c_str();
                }};
    const int code = ctl::Run(static_cast<int>(argv.size()), argv.data(), io);
    return {code, out.str(), err.str()};
  }

  FakeScheduler scheduler;
  std::map<std::string, std::string> env = {{"SLUICE_ADMIN", scheduler.address()}, {"USER", "ada"}};
};

// ---- apply, get, history ----

TEST_F(CtlTest, ApplyShowsWhatChangesAndTheRevision) {
  const Result first = Sluicectl({"apply", "-f", "-", "--reason", "first"}, kPolicy);
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, AllOf(HasSubstr("+ sources:"), HasSubstr("revision 1 applied")));

  std::string changed = kPolicy;
  changed.replace(changed.find("[{source: ip-1}]"), 16, "[{source: ip-1, weight: 3}]");
  const Result second = Sluicectl({"apply", "-f", "-"}, changed);
  EXPECT_EQ(second.out,
            "  pools:\n"
            "- "
            "  - {name: warm, members: [{source: ip-1}]}\n"
            "+ "
            "  - {name: warm, members: [{source: ip-1, weight: 3}]}\n"
            "revision 2 applied\n");
  EXPECT_EQ(scheduler.policies.last.base_revision, 1);
  EXPECT_THAT(scheduler.policies.last.author, StartsWith("ada@"));
}

TEST_F(CtlTest, ApplyingTheSameAgainChangesNothing) {
  ASSERT_EQ(Sluicectl({"apply", "-f", "-"}, kPolicy).code, 0);
  const Result again = Sluicectl({"apply", "-f", "-"}, kPolicy);
  EXPECT_EQ(again.code, 0);
  EXPECT_EQ(again.out, "no change: revision 1 says the same\n");
  EXPECT_EQ(*scheduler.policies.CurrentRevision(), 1);
}

TEST_F(CtlTest, ApplyNamesWhoHasNotAcknowledged) {
  scheduler.live.missing = {"egress mta2"};
  const Result result = Sluicectl({"apply", "-f", "-"}, kPolicy);
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err, "not acknowledged yet: egress mta2\n");
}

TEST_F(CtlTest, ABadPolicyIsRefusedWithItsLineAndStoresNothing) {
  std::string bad = kPolicy;
  bad.replace(bad.find("pool: warm"), 10, "pool: wram");
  const Result result = Sluicectl({"apply", "-f", "-"}, bad);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("standard input:10: routes[0].pool: there is no pool 'wram'"));
  EXPECT_EQ(*scheduler.policies.CurrentRevision(), 0);
}

TEST_F(CtlTest, AStaleBaseIsRefused) {
  ASSERT_EQ(Sluicectl({"apply", "-f", "-"}, kPolicy).code, 0);
  const std::string changed = Cat(kPolicy, "tag_headers: [X-A]\n");
  const Result result = Sluicectl({"apply", "-f", "-", "--base", "7"}, changed);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("another revision is current"));
}

TEST_F(CtlTest, ADryRunAppliesNothing) {
  const Result result = Sluicectl({"apply", "-f", "-", "--dry-run"}, kPolicy);
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("+ pools:"), Not(HasSubstr("applied"))));
  EXPECT_EQ(*scheduler.policies.CurrentRevision(), 0);
}

TEST_F(CtlTest, WhatGetPrintsCanBeAppliedAgain) {
  ASSERT_EQ(Sluicectl({"apply", "-f", "-", "--author", "grace", "--reason", "why"}, kPolicy).code,
            0);
  const Result got = Sluicectl({"get"});
  EXPECT_EQ(got.code, 0);
  EXPECT_THAT(got.out, AllOf(StartsWith("# revision 1, "), HasSubstr("by grace: why"),
                             HasSubstr("name: ip-1")));
  EXPECT_THAT(Sluicectl({"apply", "-f", "-"}, got.out).out, StartsWith("no change"));
}

TEST_F(CtlTest, GetBeforeTheFirstPolicySaysHowToApplyOne) {
  const Result result = Sluicectl({"get"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("no policy was applied yet"));
}

TEST_F(CtlTest, HistoryIsNewestFirst) {
  ASSERT_EQ(Sluicectl({"apply", "-f", "-", "--reason", "one"}, kPolicy).code, 0);
  ASSERT_EQ(
      Sluicectl({"apply", "-f", "-", "--reason", "two"}, Cat(kPolicy, "tag_headers: [X-A]\n")).code,
      0);
  const Result result = Sluicectl({"history"});
  EXPECT_LT(result.out.find("two"), result.out.find("one"));
  EXPECT_THAT(Sluicectl({"history", "--limit", "1"}).out, Not(HasSubstr("one")));
  EXPECT_THAT(Sluicectl({"history", "--json"}).out, HasSubstr("\"reason\": \"two\""));
}

TEST_F(CtlTest, ValidateAsksNobody) {
  env["SLUICE_ADMIN"] = "127.0.0.1:1";
  EXPECT_EQ(Sluicectl({"validate", "-f", "-"}, kPolicy).code, 0);
  EXPECT_EQ(Sluicectl({"validate", "-f", "-"}, "poolz: []").code, 1);
}

// ---- keys ----

TEST_F(CtlTest, KeysAreCreatedListedAndRevoked) {
  const Result created = Sluicectl({"key", "create", "--tenant", "shop", "--label", "web"});
  EXPECT_EQ(created.code, 0) << created.err;
  EXPECT_THAT(created.out, ::testing::MatchesRegex("slk_[a-z0-9]{10}_[A-Za-z0-9_-]{43}\n"));
  const std::string id = created.out.substr(4, 10);
  EXPECT_THAT(Sluicectl({"key", "list"}).out, AllOf(HasSubstr(id), HasSubstr("web")));
  EXPECT_THAT(Sluicectl({"key", "list", "--tenant", "other"}).out, Not(HasSubstr(id)));
  EXPECT_EQ(Sluicectl({"key", "revoke", id}).code, 0);
  EXPECT_TRUE(scheduler.key_store.keys.at(id).revoked_at.has_value());
  EXPECT_EQ(Sluicectl({"key", "revoke", "nobody"}).code, 1);
}

TEST_F(CtlTest, AKeyAsJsonHasItsSecret) {
  const Result created = Sluicectl({"key", "create", "--tenant", "shop", "--json"});
  EXPECT_THAT(created.out, HasSubstr("\"secret\": \"slk_"));
}

TEST_F(CtlTest, AKeyOfAnUnknownTenantIsRefusedByField) {
  const Result result = Sluicectl({"key", "create", "--tenant", "shpo"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("sluicectl: tenant: there is no tenant 'shpo'"));
}

// ---- status ----

TEST_F(CtlTest, StatusShowsWhoHoldsWhat) {
  FakeIngest ingest;
  env["SLUICE_INGEST"] = ingest.address();
  ASSERT_EQ(Sluicectl({"apply", "-f", "-"}, kPolicy).code, 0);
  scheduler.leases = {{storage::kControlShard, "sched-1", "", 1, {}, false},
                      {0, "sched-1", "", 1, {}, false},
                      {1, "sched-1", "", 1, {}, false},
                      {2, "", "", 1, {}, true}};
  scheduler.live.snapshot.policy_revision = 1;
  scheduler.nodes.nodes = {{"in/77", "ingest", "h:1", 1, {}},
                           {"sched-2/5", "scheduler", "h:2", 1, {}},
                           {"sched-2/6", "scheduler", "h:3", 0, {}}};
  scheduler.live.snapshot.egresses = {{"mta1", "0.1.0", true, 4, {}}};
  scheduler.assignments.assignments = {{"ip-1", "mta1", 3, {}, {}, "bound", "", false}};
  scheduler.entries.groups = {{"google", 1'234, scheduler.clock.Now(), {}}};
  const Result result = Sluicectl({"status"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, ::testing::ContainsRegex("ingest at 127.0.0.1:[0-9]+: serving"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("scheduler +sched-1 +control +1 +0 +0 +0-1"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("ingest +in +alive +1"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("scheduler +sched-2/5 +standby +1 +- +- +-"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("egress +mta1 +connected +- +4"));
  EXPECT_THAT(result.out,
              ::testing::ContainsRegex("ip-1 +192.0.2.1 +mta1.example.com +mta1 +bound"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("google +1234"));
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("shards that nobody owns: 2"), HasSubstr("waiting: 1234")));
  EXPECT_THAT(Sluicectl({"status", "--json"}).out, HasSubstr("\"source\": \"ip-1\""));
}

TEST_F(CtlTest, AServiceThatIsAwayIsNamed) {
  const Result result = Sluicectl({"--admin", "127.0.0.1:1", "status"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("cannot reach the scheduler (--admin, SLUICE_ADMIN) at 127.0.0.1:1"));
}

// ---- who takes orders ----

TEST_F(CtlTest, OrdersFollowTheControlLease) {
  FakeScheduler standby;
  standby.live.control = false;
  standby.live.endpoint = scheduler.address();
  env["SLUICE_ADMIN"] = standby.address();
  EXPECT_EQ(Sluicectl({"key", "create", "--tenant", "shop"}).code, 0);
  EXPECT_EQ(scheduler.key_store.keys.size(), 1U);
  EXPECT_EQ(standby.key_store.keys.size(), 0U);
}

TEST_F(CtlTest, TwoThatSendUsInCirclesAreGivenUp) {
  FakeScheduler other;
  scheduler.live.control = other.live.control = false;
  scheduler.live.endpoint = other.address();
  other.live.endpoint = scheduler.address();
  const Result result = Sluicectl({"key", "create", "--tenant", "shop"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("does not hold the control lease"));
}

TEST_F(CtlTest, WaitsForSomebodyToTakeControl) {
  scheduler.live.control = false;
  const Result given_up = Sluicectl({"--timeout", "300ms", "key", "create", "--tenant", "shop"});
  EXPECT_EQ(given_up.code, 1);
  EXPECT_THAT(given_up.err, HasSubstr("no scheduler holds the control lease now"));
}

// ---- send ----

constexpr char kMessage[] =
    "To: x@example.com\r\nFrom: Shop\r\n <news@shop.example>\r\nSubject: hi\r\n\r\nFrom: "
    "not@this.example\r\n";

TEST_F(CtlTest, SendTakesTheReturnPathFromTheMessage) {
  FakeIngest ingest;
  env["SLUICE_INGEST"] = ingest.address();
  env["SLUICE_KEY"] = "slk_good";
  const Result result = Sluicectl({"send", "-", "--to", "a@example.com,b@example.com", "--to",
                                   "c@example.com", "--stream", "news", "--campaign", "spring"},
                                  kMessage);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "0123456789abc\n");
  EXPECT_EQ(ingest.submission.return_path(), "news@shop.example");
  EXPECT_EQ(ingest.submission.recipients_size(), 3);
  EXPECT_EQ(ingest.submission.stream(), "news");
  EXPECT_EQ(ingest.submission.campaign(), "spring");
  EXPECT_EQ(ingest.submission.content(), kMessage);
}

TEST_F(CtlTest, SendNamesARefusedRecipientAndSaysSoInItsCode) {
  FakeIngest ingest;
  env["SLUICE_INGEST"] = ingest.address();
  const Result result = Sluicectl({"send", "-", "--to", "a@example.com", "--to", "bad@example.com",
                                   "--stream", "news", "--from", "<>", "--key", "slk_good"},
                                  kMessage);
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(ingest.submission.return_path(), "<>");
  EXPECT_EQ(result.err, "not sent to bad@example.com: suppressed: complained?[31m\n");
}

TEST_F(CtlTest, SendNeedsAKeyThatIsKnown) {
  FakeIngest ingest;
  env["SLUICE_INGEST"] = ingest.address();
  EXPECT_EQ(Sluicectl({"send", "-", "--to", "a@example.com", "--stream", "news"}, kMessage).code,
            2);
  const Result result = Sluicectl(
      {"send", "-", "--to", "a@example.com", "--stream", "news", "--key", "slk_x"}, kMessage);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("the API key is not known"), Not(HasSubstr("slk_x"))));
}

TEST_F(CtlTest, SendWithoutAFromFieldAsksForAReturnPath) {
  const Result result =
      Sluicectl({"send", "-", "--to", "a@example.com", "--stream", "news", "--key", "k"},
                "Subject: x\r\n\r\n");
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("give --from"));
}

// ---- usage ----

TEST_F(CtlTest, WrongUsageIsTwo) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"fly"},
                                             {"apply"},
                                             {"key"},
                                             {"key", "create"},
                                             {"send", "x"},
                                             {"status", "--bogus"},
                                             {"status", "--timeout", "soon"},
                                             {"apply", "-f", "/nonexistent"},
                                             {"history", "--limit", "0"}}) {
    EXPECT_EQ(Sluicectl(arguments).code, 2) << ::testing::PrintToString(arguments);
  }
  EXPECT_EQ(Sluicectl({"--help"}).code, 0);
  EXPECT_THAT(Sluicectl({"--version"}).out, StartsWith("sluicectl "));
}

TEST_F(CtlTest, PlainTextIsNotSentBeyondThisHostUnasked) {
  const Result result = Sluicectl(
      {"--admin", "192.0.2.1:1", "--cert", "/nonexistent", "--cert-key", "/nonexistent", "status"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("cert: cannot read"));
}

// ---- parts ----

TEST(DiffTest, ShowsTheSectionOfEachChange) {
  EXPECT_EQ(Diff("a:\n  x\n  y\nb:\n  z\n", "a:\n  x\nb:\n  z\n  w\n"),
            "  a:\n-   y\n  b:\n+   w\n");
  EXPECT_EQ(Diff("a\n", "a\n"), "");
  EXPECT_EQ(Diff("", "a:\n  x\n"), "+ a:\n+   x\n");
  EXPECT_EQ(Diff("a:\n  x\n", ""), "- a:\n-   x\n");
}

TEST(DiffTest, HugeTextsEnd) {
  std::string before, after;
  for (int i = 0; i < 20'000; ++i) {
    Append(before, "  b", i, "\n");
    Append(after, "  a", i, "\n");
  }
  EXPECT_GT(Diff(before, after).size(), 300'000U);
}

TEST(TableTest, AlignsAndKeepsControlCharactersOut) {
  Table table({"A", "LONGER"});
  table.Add({"ü", ""});
  table.Add({"three", "x\x1b"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(), "A      LONGER\nü      -\nthree  x?\n");
}

}  // namespace
}  // namespace sluice::ctl
