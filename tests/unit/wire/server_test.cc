#include "wire/server.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "sluice/v1/submission.grpc.pb.h"
#include "wire/channel.h"
#include "wire/health.h"
#include "wire/peer.h"
#include "wire/status.h"
#include "wire/unary_reply.h"

namespace sluice::wire {
namespace {

// Answers GetMessage by the id it is asked for.
class FakeSubmission final : public v1::SubmissionService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetMessage(grpc::CallbackServerContext* context,
                                       const v1::GetMessageRequest* request,
                                       v1::GetMessageResponse* response) override {
    auto* const reactor = context->DefaultReactor();
    UnaryReply reply(reactor);
    if (request->message_id() == "drop") return reactor;
    if (request->message_id() == "hang") {
      {
        const std::lock_guard lock(mutex_);
        held_ = std::make_unique<UnaryReply>(std::move(reply));
      }
      changed_.notify_all();
      return reactor;
    }
    response->set_message_id(request->message_id() == "key" ? BearerToken(*context)
                                                            : std::string(request->message_id()));
    reply.Finish(request->message_id() == "bad" ? FieldError("message_id", "no such thing")
                                                : absl::OkStatus());
    return reactor;
  }
  void WaitUntilOneHangs() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return held_ != nullptr; });
  }
  void Release() {
    const std::lock_guard lock(mutex_);
    held_->Finish(absl::OkStatus());
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<UnaryReply> held_;
};

struct Rig {
  explicit Rig(std::string address = "127.0.0.1:0") {
    ServerOptions options;
    options.listen = {std::move(address)};
    options.credentials.plaintext = true;
    options.on_call = [this](const CallRecord& call) {
      const std::lock_guard lock(mutex);
      calls.push_back(Cat(call.method, " ", call.code, " ", call.caller.starts_with("ipv4:127.0.0.1:") ? "loopback" : call.caller));
    };
    auto started = Server::Start(options, {&service});
    EXPECT_TRUE(started.ok()) << View(started.status().message());
    server = *std::move(started);
    ChannelOptions client;
    client.credentials.plaintext = true;
    channel = *MakeChannel(server->addresses()[0], client);
    stub = v1::SubmissionService::NewStub(channel);
  }
  grpc::Status Get(const std::string& id, std::string* answer = nullptr) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    context.AddMetadata("authorization", "bearer slk_x");
    v1::GetMessageRequest request;
    request.set_message_id(id);
    v1::GetMessageResponse response;
    const grpc::Status status = stub->GetMessage(&context, request, &response);
    if (answer != nullptr) *answer = response.message_id();
    return status;
  }
  std::mutex mutex;
  std::vector<std::string> calls;  // as they ended
  FakeSubmission service;
  std::unique_ptr<Server> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::SubmissionService::Stub> stub;
};

TEST(WireServerTest, AnswersCallsOnAFreePort) {
  Rig rig;
  std::string answer;
  ASSERT_TRUE(rig.Get("m1", &answer).ok());
  EXPECT_EQ(answer, "m1");
  ASSERT_TRUE(rig.Get("key", &answer).ok());
  EXPECT_EQ(answer, "slk_x");
}

TEST(WireServerTest, EveryCallIsToldAsItEndsAndHousekeepingIsNot) {
  Rig rig;
  ASSERT_TRUE(rig.Get("m1").ok());
  ASSERT_FALSE(rig.Get("bad").ok());
  EXPECT_TRUE(IsServing(rig.channel, std::chrono::seconds(10)).ok());
  rig.server->Drain(std::chrono::seconds(5));
  EXPECT_EQ(rig.calls, (std::vector<std::string>{"SubmissionService/GetMessage OK loopback",
                                                 "SubmissionService/GetMessage INVALID_ARGUMENT loopback"}));
}

TEST(WireServerTest, ListensOnAUnixSocket) {
  const std::string path = Cat("/tmp/sluice_wire_test_", ::getpid(), ".sock");
  Rig rig("unix:" + path);
  EXPECT_TRUE(rig.Get("m1").ok());
  rig.server.reset();
  ::unlink(path.c_str());
}

TEST(WireServerTest, ErrorsArriveWithTheirDetails) {
  Rig rig;
  const absl::Status status = FromGrpc(rig.Get("bad"));
  ASSERT_EQ(FieldViolationsOf(status).size(), 1U);
  EXPECT_EQ(FieldViolationsOf(status)[0].field, "message_id");
}

TEST(WireServerTest, AForgottenReplyIsAnInternalError) {
  Rig rig;
  EXPECT_EQ(rig.Get("drop").error_code(), grpc::StatusCode::INTERNAL);
}

TEST(WireServerTest, HealthSaysServingOnlyWhenToldTo) {
  Rig rig;
  EXPECT_FALSE(*IsServing(rig.channel, std::chrono::seconds(10)));
  rig.server->SetServing(true);
  EXPECT_TRUE(*IsServing(rig.channel, std::chrono::seconds(10)));
  rig.server->Drain(std::chrono::seconds(1));
  EXPECT_FALSE(IsServing(rig.channel, std::chrono::seconds(1)).ok());
}

TEST(WireServerTest, CarriesTheLargestFrame) {
  Rig rig;
  std::string answer;
  const std::string large(64 * 1024 * 1024, 'x');
  ASSERT_TRUE(rig.Get(large, &answer).ok());
  EXPECT_EQ(answer.size(), large.size());
  EXPECT_EQ(rig.Get(std::string(71 * 1024 * 1024, 'x')).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST(WireServerTest, DrainLetsARunningCallEnd) {
  Rig rig;
  grpc::Status status = grpc::Status(grpc::StatusCode::UNKNOWN, "");
  std::thread caller([&] { status = rig.Get("hang"); });
  rig.service.WaitUntilOneHangs();
  std::thread drain([&] { rig.server->Drain(std::chrono::seconds(10)); });
  rig.service.Release();
  caller.join();
  drain.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(rig.Get("m1").error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(WireServerTest, NamesAnAddressThatIsTaken) {
  Rig rig;
  ServerOptions options;
  options.listen = rig.server->addresses();
  options.credentials.plaintext = true;
  const auto second = Server::Start(options, {});
  ASSERT_FALSE(second.ok());
  EXPECT_NE(View(second.status().message()).find(rig.server->addresses()[0]),
            std::string_view::npos);
}

}  // namespace
}  // namespace sluice::wire
