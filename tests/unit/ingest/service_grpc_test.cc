// The public faces over a real gRPC connection, with stores in memory.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <thread>

#include "ingest/event_service.h"
#include "ingest/submission_service.h"
#include "sluice/v1/events.grpc.pb.h"
#include "sluice/v1/submission.grpc.pb.h"
#include "unit/ingest/fake_store.h"
#include "unit/ingest/fake_tables.h"
#include "wire/channel.h"
#include "wire/server.h"
#include "wire/status.h"

namespace sluice::ingest {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr auto kDeadline = std::chrono::seconds(20);

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    PolicyDocument policy;
    policy.tenants = {{.name = "shop", .streams = {"news"}, .sender_domains = {"shop.example"}}};
    policy.streams = {{.name = "news"}};
    storage::ApiKey key;
    key.tenant = "shop";
    const SecretHash hash = HashSecret("secret");
    key.secret_hash.assign(hash.begin(), hash.end());
    directory_.Set(MakeDirectory(1, policy, {key}));
    commit_.SetShards({3});

    wire::ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.credentials.plaintext = true;
    server_ = wire::Server::Start(options, {&submissions_->service(), &events_->service()}).value();
    wire::ChannelOptions channel_options;
    channel_options.credentials.plaintext = true;
    channel_ = wire::MakeChannel(server_->addresses().front(), channel_options).value();
    stub_ = v1::SubmissionService::NewStub(channel_);
    event_stub_ = v1::EventService::NewStub(channel_);
  }
  ~ServiceTest() override {
    store_.Release();
    submissions_->EndStreams();
    events_->EndStreams();
    server_->Drain(std::chrono::seconds(5));
    commit_.Stop();
  }

  static std::unique_ptr<grpc::ClientContext> Context(const std::string& key = "secret") {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + kDeadline);
    if (!key.empty()) context->AddMetadata("authorization", "Bearer " + key);
    return context;
  }
  static v1::Submission Submission(const std::string& recipient) {
    v1::Submission submission;
    submission.set_stream("news");
    submission.set_return_path("bounce@shop.example");
    submission.set_content("From: a@shop.example\r\n\r\nBody\r\n");
    submission.add_recipients()->set_address(recipient);
    return submission;
  }
  absl::StatusOr<v1::SubmitResult> Submit(const v1::Submission& submission,
                                          const std::string& key = "secret") {
    v1::SubmitRequest request;
    *request.mutable_submission() = submission;
    v1::SubmitResponse response;
    const grpc::Status status = stub_->Submit(Context(key).get(), request, &response);
    if (!status.ok()) return wire::FromGrpc(status);
    return response.result();
  }

  FakeStore store_;
  FakeEntries entries_;
  FakeEvents event_store_;
  SystemClock clock_;
  CapturingSink sink_;
  Logger log_{sink_, clock_, "ingest"};
  telemetry::Metrics registry_;
  IngestMetrics metrics_{registry_};
  DirectoryHolder directory_;
  Admission admission_{{}};
  GroupCommit commit_{{}, [this] { return store_.Open(); }, [](CommittedBatch) {}, clock_, log_};
  storage::SuppressionSet suppressions_;
  PendingQuota quota_;
  Accept accept_{directory_, suppressions_, admission_, quota_, commit_, {}, clock_};
  Lookup lookup_{entries_, event_store_, [](MessageId, const std::vector<int64_t>& ids) {
                   std::vector<std::pair<int64_t, bool>> answers;
                   for (const int64_t id : ids) answers.emplace_back(id, true);
                   return absl::StatusOr<std::vector<std::pair<int64_t, bool>>>(std::move(answers));
                 }};
  ThreadPool workers_{2};
  ThreadPool queries_{2};
  std::unique_ptr<SubmissionFace> submissions_ =
      MakeSubmissionFace({accept_, lookup_, workers_, queries_, metrics_, clock_});
  std::unique_ptr<EventFace> events_ = MakeEventFace({.accept = accept_,
                                                      .events = event_store_,
                                                      .queries = queries_,
                                                      .metrics = metrics_,
                                                      .poll_interval = std::chrono::milliseconds(5),
                                                      .most_subscribers = 2});
  std::unique_ptr<wire::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::SubmissionService::Stub> stub_;
  std::unique_ptr<v1::EventService::Stub> event_stub_;
};

// ---- Submit ----

TEST_F(ServiceTest, SubmitAnswersWithTheIdOnceItIsStored) {
  v1::Submission submission = Submission("user@example.com");
  submission.add_recipients()->set_address("nobody");
  submission.mutable_recipients(0)->mutable_metadata()->insert({"order", "7"});
  const auto result = Submit(submission);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->message_id(), SizeIs(13));
  ASSERT_EQ(result->refused_size(), 1);
  EXPECT_EQ(result->refused(0).index(), 1);
  EXPECT_EQ(result->refused(0).reason(), "invalid_address");
  ASSERT_THAT(store_.batches(), SizeIs(1));
  EXPECT_EQ(store_.batches()[0].messages[0].recipients[0].metadata_json, R"({"order":"7"})");
}

TEST_F(ServiceTest, ErrorsNameFieldAndCure) {
  v1::Submission submission = Submission("user@example.com");
  submission.set_stream("nwes");
  const absl::Status status = Submit(submission).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const auto violations = wire::FieldViolationsOf(status);
  ASSERT_THAT(violations, SizeIs(1));
  EXPECT_EQ(violations[0].field, "stream");
  EXPECT_THAT(violations[0].description, HasSubstr("give one of news"));

  submission = Submission("user@example.com");
  submission.set_return_path("b@bank.example");
  const absl::Status denied = Submit(submission).status();
  EXPECT_EQ(denied.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(wire::FieldViolationsOf(denied).at(0).field, "return_path");
}

TEST_F(ServiceTest, WithoutAValidKeyNothingIsTaken) {
  EXPECT_EQ(Submit(Submission("user@example.com"), "").status().code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Submit(Submission("user@example.com"), "guess").status().code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(store_.tries(), 0);
}

TEST_F(ServiceTest, AStoreThatIsDownAsksForARetry) {
  store_.FailOpen(absl::UnavailableError("connection refused"));
  const absl::Status status = Submit(Submission("user@example.com")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(wire::RetryDelayOf(status).has_value());
}

TEST_F(ServiceTest, AnErrorWithManyViolationsArrives) {
  v1::Submission submission = Submission(std::string(200, '\x01'));
  for (int i = 0; i < 500; ++i) submission.add_recipients()->set_address(std::string(200, '\x01'));
  const absl::Status status = Submit(submission).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_FALSE(wire::FieldViolationsOf(status).empty());
}

// ---- SubmitStream ----

using Stream = grpc::ClientReaderWriter<v1::SubmitStreamRequest, v1::SubmitStreamResponse>;

v1::SubmitStreamRequest Frame(uint64_t id, const std::vector<v1::Submission>& submissions) {
  v1::SubmitStreamRequest frame;
  frame.set_frame_id(id);
  for (const v1::Submission& submission : submissions) *frame.add_submissions() = submission;
  return frame;
}

TEST_F(ServiceTest, AStreamAnswersEachFrameInItsOrder) {
  const auto context = Context();
  const auto stream = stub_->SubmitStream(context.get());
  ASSERT_TRUE(stream->Write(
      Frame(7, {Submission("a@example.com"), Submission("nobody"), Submission("b@example.com")})));
  v1::SubmitStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.frame_id(), 7U);
  ASSERT_EQ(response.outcomes_size(), 3);
  EXPECT_TRUE(response.outcomes(0).has_result());
  EXPECT_EQ(response.outcomes(1).error().code(),
            static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(wire::FieldViolationsOf(wire::FromProto(response.outcomes(1).error())).at(0).field,
            "recipients[0].address");
  EXPECT_TRUE(response.outcomes(2).has_result());
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServiceTest, AStreamTakesFarMoreFramesThanItsWindow) {
  constexpr uint64_t kFrames = 500;
  const auto context = Context();
  const auto stream = stub_->SubmitStream(context.get());
  std::thread writer([&] {
    for (uint64_t id = 1; id <= kFrames; ++id) {
      ASSERT_TRUE(stream->Write(
          Frame(id, {Submission(Cat("u", id, "@example.com")), Submission("v@example.com")})));
    }
    stream->WritesDone();
  });
  std::set<uint64_t> answered;
  v1::SubmitStreamResponse response;
  while (stream->Read(&response)) {
    EXPECT_TRUE(answered.insert(response.frame_id()).second) << "answered twice";
    EXPECT_EQ(response.outcomes_size(), 2);
  }
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_THAT(answered, SizeIs(kFrames));
  EXPECT_EQ(commit_.counts().messages, 2 * kFrames);
}

TEST_F(ServiceTest, AStreamStopsReadingAtItsWindow) {
  store_.Block();
  const auto context = Context();
  const auto stream = stub_->SubmitStream(context.get());
  constexpr uint64_t kFrames = 100;
  for (uint64_t id = 1; id <= kFrames; ++id)
    ASSERT_TRUE(stream->Write(Frame(id, {Submission("u@example.com")})));
  store_.WaitForBlocked(1);
  // What is held is what 64 frames hold; the rest waits in the connection.
  EXPECT_LE(admission_.held_bytes(),
            64 * HeldBytes(Frame(1, {Submission("u@example.com")}).ByteSizeLong(), 1));
  store_.Release();
  stream->WritesDone();
  v1::SubmitStreamResponse response;
  uint64_t answers = 0;
  while (stream->Read(&response)) ++answers;
  EXPECT_EQ(answers, kFrames);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServiceTest, AFrameOfNoneOrTooManyIsRefusedAndTheStreamGoesOn) {
  const auto context = Context();
  const auto stream = stub_->SubmitStream(context.get());
  v1::SubmitStreamResponse response;
  ASSERT_TRUE(stream->Write(Frame(1, {})));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.outcomes_size(), 0);
  ASSERT_TRUE(stream->Write(Frame(2, std::vector<v1::Submission>(1001))));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.outcomes_size(), 1001);
  EXPECT_EQ(response.outcomes(1000).error().code(),
            static_cast<int>(absl::StatusCode::kInvalidArgument));
  ASSERT_TRUE(stream->Write(Frame(3, {Submission("a@example.com")})));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.outcomes(0).has_result());
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServiceTest, AStreamWithoutAValidKeyEnds) {
  const auto context = Context("guess");
  const auto stream = stub_->SubmitStream(context.get());
  v1::SubmitStreamResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(ServiceTest, AStreamEndsWhenItsKeyIsRevoked) {
  const auto context = Context();
  const auto stream = stub_->SubmitStream(context.get());
  v1::SubmitStreamResponse response;
  ASSERT_TRUE(stream->Write(Frame(1, {Submission("a@example.com")})));
  ASSERT_TRUE(stream->Read(&response));
  directory_.Set(MakeDirectory(2, {}, {}));
  stream->Write(Frame(2, {Submission("a@example.com")}));
  while (stream->Read(&response)) {
    EXPECT_EQ(response.outcomes(0).error().code(),
              static_cast<int>(absl::StatusCode::kUnauthenticated));
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(ServiceTest, StoppingAnswersWhatWasReadAndEndsStreams) {
  store_.Block();
  const auto context = Context();
  const auto stream = stub_->SubmitStream(context.get());
  ASSERT_TRUE(stream->Write(Frame(1, {Submission("a@example.com")})));
  store_.WaitForBlocked(1);
  submissions_->EndStreams();
  store_.Release();
  v1::SubmitStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.outcomes(0).has_result());
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);

  const auto later = Context();
  const auto refused = stub_->SubmitStream(later.get());
  EXPECT_FALSE(refused->Read(&response));
  EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServiceTest, AClientThatGoesAwayHarmsNobody) {
  store_.Block();
  for (int i = 0; i < 20; ++i) {
    const auto context = Context();
    const auto stream = stub_->SubmitStream(context.get());
    for (uint64_t id = 0; id < 5; ++id) stream->Write(Frame(id, {Submission("gone@example.com")}));
    if (i == 0) store_.WaitForBlocked(1);
    context->TryCancel();
    stream->Finish();
  }
  store_.Release();
  EXPECT_TRUE(Submit(Submission("user@example.com")).ok());
}

// ---- GetMessage, Cancel ----

TEST_F(ServiceTest, GetMessageTellsEntriesAndEvents) {
  const std::string id = FormatMessageId(MessageId(77));
  entries_.Add(77, 77, "shop", "a@example.com");
  event_store_.Add(0, "shop", "a@example.com", "deferred", 77);
  v1::GetMessageRequest request;
  request.set_message_id(id);
  v1::GetMessageResponse response;
  ASSERT_TRUE(stub_->GetMessage(Context().get(), request, &response).ok());
  EXPECT_EQ(response.message_id(), id);
  ASSERT_EQ(response.entries_size(), 1);
  EXPECT_EQ(response.entries(0).recipient(), "a@example.com");
  ASSERT_EQ(response.events_size(), 1);
  EXPECT_EQ(response.events(0).kind(), v1::EVENT_KIND_DEFERRED);
  EXPECT_EQ(response.events(0).attempt().disposition(), v1::DISPOSITION_DEFERRED);

  request.set_message_id("nonsense");
  const absl::Status bad = wire::FromGrpc(stub_->GetMessage(Context().get(), request, &response));
  EXPECT_EQ(bad.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(wire::FieldViolationsOf(bad).at(0).field, "message_id");
  request.set_message_id(FormatMessageId(MessageId(78)));
  EXPECT_EQ(stub_->GetMessage(Context().get(), request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(stub_->GetMessage(Context("guess").get(), request, &response).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(ServiceTest, CancelTellsWhatWasInTime) {
  entries_.Add(77, 77, "shop", "a@example.com");
  v1::CancelRequest request;
  request.set_message_id(FormatMessageId(MessageId(77)));
  v1::CancelResponse response;
  ASSERT_TRUE(stub_->Cancel(Context().get(), request, &response).ok());
  ASSERT_EQ(response.outcomes_size(), 1);
  EXPECT_EQ(response.outcomes(0).recipient(), "a@example.com");
  EXPECT_TRUE(response.outcomes(0).cancelled());
}

// ---- Subscribe ----

TEST_F(ServiceTest, SubscribersGetWhatHappenedAndWhatHappens) {
  event_store_.Add(0, "shop", "a@example.com");
  event_store_.Add(0, "bank", "x@example.com");
  auto context = Context();
  auto reader = event_stub_->Subscribe(context.get(), {});
  v1::SubscribeResponse response;
  ASSERT_TRUE(reader->Read(&response));
  ASSERT_EQ(response.events_size(), 1);
  EXPECT_EQ(response.events(0).recipient(), "a@example.com");
  EXPECT_EQ(response.events(0).event_id(), "0-1");
  event_store_.Add(1, "shop", "b@example.com");
  ASSERT_TRUE(reader->Read(&response));
  ASSERT_EQ(response.events_size(), 1);
  EXPECT_EQ(response.events(0).recipient(), "b@example.com");
  const std::string cursor = response.cursor();
  context->TryCancel();
  reader->Finish();

  event_store_.Add(0, "shop", "c@example.com");
  v1::SubscribeRequest request;
  request.set_cursor(cursor);
  context = Context();
  reader = event_stub_->Subscribe(context.get(), request);
  ASSERT_TRUE(reader->Read(&response));
  ASSERT_EQ(response.events_size(), 1);
  EXPECT_EQ(response.events(0).recipient(), "c@example.com");
  context->TryCancel();
  reader->Finish();
}

TEST_F(ServiceTest, ASubscriptionThatCannotBeServedSaysWhy) {
  const auto status_of = [&](const v1::SubscribeRequest& request, const std::string& key) {
    const auto context = Context(key);
    const auto reader = event_stub_->Subscribe(context.get(), request);
    v1::SubscribeResponse response;
    while (reader->Read(&response)) {
    }
    return reader->Finish();
  };
  EXPECT_EQ(status_of({}, "guess").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  v1::SubscribeRequest request;
  request.set_cursor("nonsense");
  EXPECT_EQ(status_of(request, "secret").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.clear_cursor();
  request.add_kinds(static_cast<v1::EventKind>(999));
  EXPECT_EQ(status_of(request, "secret").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServiceTest, StoppingEndsSubscriptions) {
  event_store_.Add(0, "shop", "a@example.com");
  const auto context = Context();
  const auto reader = event_stub_->Subscribe(context.get(), {});
  v1::SubscribeResponse response;
  ASSERT_TRUE(reader->Read(&response));
  events_->EndStreams();
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace sluice::ingest
