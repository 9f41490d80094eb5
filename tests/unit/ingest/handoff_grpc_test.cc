// The hand-off stream against a scheduler's Intake that says what it is told to.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "ingest/cancel_client.h"
#include "ingest/handoff_link.h"
#include "sluice/v1/intake.grpc.pb.h"
#include "wire/server.h"

namespace sluice::ingest {
namespace {

using ::testing::ElementsAre;

class FakeIntake final : public v1::IntakeService::Service {
 public:
  grpc::Status Handoff(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::HandoffResponse, v1::HandoffRequest>* stream) override {
    v1::HandoffRequest request;
    int64_t handled = 0;
    while (stream->Read(&request)) {
      v1::HandoffResponse response;
      {
        const std::lock_guard lock(mutex_);
        for (v1::AcceptedBatch& batch : *request.mutable_batches())
          batches_.push_back(std::move(batch));
        handled += request.batches_size();
        response.set_handled_count(handled);
        response.set_content_budget_bytes(budget_);
        if (not_owned_ >= 0) response.add_not_owned(not_owned_);
      }
      changed_.notify_all();
      stream->Write(response);
    }
    return grpc::Status::OK;
  }
  grpc::Status CancelEntries(grpc::ServerContext*, const v1::CancelEntriesRequest* request,
                             v1::CancelEntriesResponse* response) override {
    for (const int64_t id : request->queue_entry_ids()) {
      auto& outcome = *response->add_outcomes();
      outcome.set_queue_entry_id(id);
      outcome.set_cancelled(id % 2 == 0);
    }
    return grpc::Status::OK;
  }

  void Say(int64_t budget, int not_owned) {
    const std::lock_guard lock(mutex_);
    budget_ = budget;
    not_owned_ = not_owned;
  }
  std::vector<v1::AcceptedBatch> WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return batches_.size() >= count; });
    return batches_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<v1::AcceptedBatch> batches_;
  int64_t budget_ = 1 << 20;
  int not_owned_ = -1;
};

CommittedBatch Batch(int64_t seq) {
  CommittedBatch batch{.shard = 3, .writer = 9, .seq = seq, .content_partition = 5, .messages = {}};
  storage::AcceptedMessage message;
  message.tenant = "shop";
  message.stream = "news";
  message.tags = "x-kind=big\nlist-id=\n";
  message.content = "content";
  message.encoding = 2;
  message.size_bytes = 20;
  message.flags = 1;
  message.prepended_headers = "Date: x\r\n";
  message.priority = 2;
  message.due_at = FromMicros(12);
  message.recipients.push_back({.address = "a@example.com",
                                .domain = "example.com",
                                .metadata_json = "",
                                .merge_values_json = "",
                                .engagement = 7,
                                .dsn_notify = 2 | 8});
  batch.messages.push_back({seq * 100, std::move(message)});
  return batch;
}

class HandoffLinkTest : public ::testing::Test {
 protected:
  void StartServer(const std::string& listen = "127.0.0.1:0") {
    wire::ServerOptions options;
    options.listen = {listen};
    options.credentials.plaintext = true;
    server_ = wire::Server::Start(options, {&intake_}).value();
  }
  std::unique_ptr<HandoffLink> Open() {
    HandoffLinkOptions options;
    options.channel.credentials.plaintext = true;
    options.reconnect_delay = std::chrono::milliseconds(10);
    return OpenHandoffLink(
        server_->addresses().front(), options, [this] { not_owned_.store(true); }, log_);
  }

  FakeClock clock_;
  CapturingSink sink_;
  Logger log_{sink_, clock_, "ingest"};
  FakeIntake intake_;
  std::unique_ptr<wire::Server> server_;
  std::atomic<bool> not_owned_{false};
};

TEST_F(HandoffLinkTest, ABatchArrivesWhole) {
  StartServer();
  const auto link = Open();
  link->queue().Push(Batch(1));
  const auto batches = intake_.WaitFor(1);
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].shard(), 3);
  EXPECT_EQ(batches[0].writer(), 9);
  EXPECT_EQ(batches[0].seq(), 1);
  const v1::AcceptedMessage& message = batches[0].messages(0);
  EXPECT_EQ(message.message_id(), 100);
  EXPECT_EQ(message.content_partition(), 5);
  EXPECT_EQ(message.tenant(), "shop");
  EXPECT_THAT(message.tags(), ElementsAre("x-kind=big", "list-id="));
  EXPECT_EQ(message.priority(), v1::PRIORITY_HIGH);
  EXPECT_EQ(message.due_at_micros(), 12);
  EXPECT_EQ(message.content().data(), "content");
  EXPECT_EQ(message.content().encoding(), v1::CONTENT_ENCODING_LZ4);
  EXPECT_EQ(message.content().size_bytes(), 20);
  EXPECT_EQ(message.content().prepended_headers(), "Date: x\r\n");
  EXPECT_TRUE(message.content().has_8bit());
  EXPECT_FALSE(message.content().needs_smtputf8());
  EXPECT_EQ(message.recipients(0).address(), "a@example.com");
  EXPECT_EQ(message.recipients(0).domain(), "example.com");
  EXPECT_EQ(message.recipients(0).engagement(), 7);
  EXPECT_THAT(message.recipients(0).dsn_notify(), ElementsAre(2, 4));
}

TEST_F(HandoffLinkTest, WithoutBudgetContentStaysHere) {
  intake_.Say(0, -1);
  StartServer();
  const auto link = Open();
  link->queue().Push(Batch(1));
  ASSERT_EQ(intake_.WaitFor(1).size(), 1U);
  // The first answer may still be on its way; it arrives while these go out one by one.
  for (size_t seq = 2;; ++seq) {
    link->queue().Push(Batch(static_cast<int64_t>(seq)));
    const auto batches = intake_.WaitFor(seq);
    ASSERT_EQ(batches.size(), seq);
    ASSERT_LT(seq, 1000U) << "content is still sent";
    if (batches.back().messages(0).content().data().empty()) {
      EXPECT_EQ(batches.back().messages(0).recipients(0).address(), "a@example.com");
      return;
    }
  }
}

TEST_F(HandoffLinkTest, HearsThatTheShardIsNotOwned) {
  intake_.Say(1 << 20, 3);
  StartServer();
  auto link = Open();
  link->queue().Push(Batch(1));
  ASSERT_EQ(intake_.WaitFor(1).size(), 1U);
  link.reset();  // Its end waits for the last answer.
  EXPECT_TRUE(not_owned_);
}

TEST_F(HandoffLinkTest, WhatIsQueuedGoesOutBeforeTheLinkCloses) {
  StartServer();
  auto link = Open();
  link->queue().Push(Batch(1));
  ASSERT_EQ(intake_.WaitFor(1).size(), 1U);
  for (int64_t seq = 2; seq <= 50; ++seq) link->queue().Push(Batch(seq));
  link.reset();
  EXPECT_EQ(intake_.WaitFor(50).size(), 50U);
}

TEST_F(HandoffLinkTest, ComesBackWhenTheSchedulerDoes) {
  StartServer();
  const std::string address = server_->addresses().front();
  const auto link = Open();
  link->queue().Push(Batch(1));
  ASSERT_EQ(intake_.WaitFor(1).size(), 1U);
  server_.reset();
  StartServer(address);
  // What falls into the gap is forgotten; sooner or later one arrives.
  for (int64_t seq = 2; intake_.WaitFor(0).size() < 2; ++seq) {
    ASSERT_LT(seq, 100'000);
    link->queue().Push(Batch(seq));
    std::this_thread::yield();
  }
  EXPECT_GE(intake_.WaitFor(2)[1].seq(), 2);
}

TEST_F(HandoffLinkTest, AnAbsentSchedulerDelaysNothing) {
  StartServer();
  const std::string address = server_->addresses().front();
  server_.reset();
  HandoffLinkOptions options;
  options.channel.credentials.plaintext = true;
  auto link = OpenHandoffLink(
      address, options, [] {}, log_);
  for (int64_t seq = 1; seq <= 1000; ++seq) link->queue().Push(Batch(seq));
  link.reset();
}

TEST_F(HandoffLinkTest, CancelAsksTheOwnerOfTheShard) {
  StartServer();
  wire::ChannelOptions options;
  options.credentials.plaintext = true;
  CancelClient client(options, std::chrono::seconds(10));
  const MessageId message(MakeId(ShardId(3), WriterId(1), 1));
  EXPECT_EQ(client.Cancel(message, {1}).status().code(), absl::StatusCode::kUnavailable);
  client.SetOwners({{3, server_->addresses().front()}});
  EXPECT_THAT(client.Cancel(message, {4, 5}).value(),
              ElementsAre(std::pair(4, true), std::pair(5, false)));
  server_.reset();
  EXPECT_EQ(client.Cancel(message, {4}).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace sluice::ingest
