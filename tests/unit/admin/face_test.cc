// The admin face over the wire.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <thread>

#include "sluice/v1/admin.grpc.pb.h"
#include "unit/admin/fake_scheduler.h"
#include "wire/channel.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Rig {
  Rig() {
    wire::ChannelOptions options;
    options.credentials.plaintext = true;
    stub = v1::AdminService::NewStub(*wire::MakeChannel(scheduler.address(), options));
  }
  template <class Method, class Request, class Response>
  absl::Status Call(Method method, const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    return wire::FromGrpc((stub.get()->*method)(&context, request, response));
  }
  testing::FakeScheduler scheduler;
  std::unique_ptr<v1::AdminService::Stub> stub;
};

TEST(AdminFaceTest, WarmupIsAnsweredInPages) {
  Rig rig;
  for (const char* provider : {"google", "yahoo"}) {
    rig.scheduler.warmup_store.states.push_back(
        {.address = "192.0.2.1", .provider = provider, .source = "ip-1", .plan = "p", .plan_version = 1, .phase = "warming", .stage = 2});
  }
  rig.scheduler.warmup_store.plans = {{.name = "p", .version = 1, .stages = "*=10\n*=20"}};
  v1::GetWarmupRequest request;
  request.set_page_size(1);
  std::vector<std::string> providers;
  do {
    v1::GetWarmupResponse response;
    const absl::Status status = rig.Call(&v1::AdminService::Stub::GetWarmup, request, &response);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(response.states_size(), 1);
    providers.push_back(response.states(0).provider());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(providers, ElementsAre("google", "yahoo"));
}

TEST(AdminFaceTest, APolicyWithErrorsIsRefusedFieldByField) {
  Rig rig;
  v1::ApplyPolicyRequest request;
  request.mutable_policy()->add_pools()->set_name("warm");
  request.mutable_policy()->add_streams()->set_expiry("soon");
  v1::ApplyPolicyResponse response;
  const absl::Status status = rig.Call(&v1::AdminService::Stub::ApplyPolicy, request, &response);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  std::vector<std::string> fields;
  for (const auto& violation : wire::FieldViolationsOf(status)) fields.push_back(violation.field);
  EXPECT_THAT(fields,
              ::testing::UnorderedElementsAre("policy.streams[0].expiry", "policy.streams[0].name",
                                              "policy.pools[0].members"));
  EXPECT_EQ(*rig.scheduler.policies.CurrentRevision(), 0);
}

TEST(AdminFaceTest, ValidateAnswersFindingsAndStoresNothing) {
  Rig rig;
  v1::ValidatePolicyRequest request;
  request.mutable_policy()->add_pools()->set_name("warm");
  v1::ValidatePolicyResponse response;
  ASSERT_TRUE(rig.Call(&v1::AdminService::Stub::ValidatePolicy, request, &response).ok());
  ASSERT_EQ(response.findings_size(), 1);
  EXPECT_TRUE(response.findings(0).error());
  EXPECT_EQ(*rig.scheduler.policies.CurrentRevision(), 0);
}

TEST(AdminFaceTest, SuspendResumeAndExplainTellOneStory) {
  Rig rig;
  v1::ApplyPolicyRequest apply;
  v1::Policy& policy = *apply.mutable_policy();
  v1::Tenant& tenant = *policy.add_tenants();
  tenant.set_name("shop");
  tenant.add_streams("news");
  tenant.add_sender_domains("shop.example");
  policy.add_streams()->set_name("news");
  v1::Source& source = *policy.add_sources();
  source.set_name("ip-1");
  source.set_address("192.0.2.1");
  source.set_ehlo("a.shop.example");
  v1::Pool& pool = *policy.add_pools();
  pool.set_name("warm");
  pool.add_members()->set_source("ip-1");
  policy.add_routes()->set_pool("warm");
  v1::ApplyPolicyResponse applied;
  ASSERT_TRUE(rig.Call(&v1::AdminService::Stub::ApplyPolicy, apply, &applied).ok());

  v1::SuspendRequest suspend;
  suspend.mutable_scope()->set_stream("nonesuch");
  v1::SuspendResponse suspended;
  EXPECT_TRUE(absl::IsInvalidArgument(
      rig.Call(&v1::AdminService::Stub::Suspend, suspend, &suspended)));
  suspend.mutable_scope()->set_stream("news");
  suspend.set_reason("test");
  ASSERT_TRUE(rig.Call(&v1::AdminService::Stub::Suspend, suspend, &suspended).ok());
  EXPECT_EQ(suspended.constraint().value(), "suspend");

  v1::ExplainRouteRequest explain;
  explain.set_tenant("shop");
  explain.set_stream("news");
  explain.set_to("someone@gmail.com");
  v1::ExplainRouteResponse told;
  ASSERT_TRUE(rig.Call(&v1::AdminService::Stub::ExplainRoute, explain, &told).ok());
  EXPECT_EQ(told.provider(), "google");
  EXPECT_EQ(told.pool(), "warm");
  EXPECT_THAT(told.waits_for(), HasSubstr("on stream=news, test"));
  ASSERT_EQ(told.members_size(), 1);
  EXPECT_EQ(told.members(0).source(), "ip-1");

  v1::ResumeRequest resume;
  resume.mutable_scope()->set_stream("news");
  v1::ResumeResponse resumed;
  ASSERT_TRUE(rig.Call(&v1::AdminService::Stub::Resume, resume, &resumed).ok());
  EXPECT_EQ(resumed.lifted_count(), 1);
  EXPECT_TRUE(
      absl::IsNotFound(rig.Call(&v1::AdminService::Stub::Resume, resume, &resumed)));

  rig.scheduler.assignments.assignments = {{.source = "ip-1", .egress = "egress-1", .state = "bound"}};
  ASSERT_TRUE(rig.Call(&v1::AdminService::Stub::ExplainRoute, explain, &told).ok());
  EXPECT_EQ(told.waits_for(), "");
  rig.scheduler.down_paths = {{"ip-1", std::chrono::seconds(12)}};
  ASSERT_TRUE(rig.Call(&v1::AdminService::Stub::ExplainRoute, explain, &told).ok());
  EXPECT_EQ(told.waits_for(), "no member of the pool can send");
  EXPECT_THAT(told.members(0).reason(), AllOf(HasSubstr("cannot connect to"), HasSubstr("in 12 s")));
}

TEST(AdminFaceTest, ManyCallsAtOnceAreAllAnswered) {
  Rig rig;
  std::atomic<int> answered = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      for (int n = 0; n < 25; ++n) {
        v1::GetStatusResponse response;
        if (rig.Call(&v1::AdminService::Stub::GetStatus, v1::GetStatusRequest(), &response).ok())
          ++answered;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(answered, 200);
}

}  // namespace
}  // namespace sluice::scheduler
