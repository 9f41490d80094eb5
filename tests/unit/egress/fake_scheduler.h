// A scheduler for tests: the Dispatch service in this process, with whatever the test wants to say
// and everything that egress said kept for the test to look at. Decides nothing by itself but
// acknowledging reports and answering heartbeats, each of which can be switched off.
#pragma once

#include <grpcpp/server.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sluice/v1/dispatch.grpc.pb.h"

namespace sluice::egress {

// What egress has said, over all its streams.
struct Heard {
  int hello_count = 0;
  v1::Hello hello;
  std::vector<v1::AssignmentResult> assignment_results;
  std::vector<int64_t> orders_done;
  std::vector<v1::Room> rooms;
  std::vector<v1::Reaction> reactions;
  bool is_draining = false;
  std::set<uint64_t> begun;
  std::vector<v1::AttemptReport> reports;
  std::vector<v1::Return> returns;
  std::vector<uint64_t> content_needed;
  std::vector<v1::Inventory> inventories;  // of all streams
  int deliver_count = 0;                   // Deliver streams that were opened

  size_t CountReports(v1::Disposition disposition) const;
  size_t CountReturns(const std::string& reason) const;
};

class FakeScheduler final : public v1::DispatchService::Service {
 public:
  // Listens on `port` of 127.0.0.1; 0 picks one.
  explicit FakeScheduler(int port = 0);
  ~FakeScheduler() override;

  int port() const { return port_; }
  std::string address() const;

  // How it behaves from now on.
  void AnswerHeartbeats(bool yes, Duration valid_for = std::chrono::seconds(5));
  void Acknowledge(bool yes);

  // Each waits for the streams to be there.
  void Own(const std::vector<int>& shards);
  void Shape(const v1::Shaping& shaping);
  void Assign(const std::vector<v1::AssignedSource>& sources);
  void Recall(int64_t generation, const std::string& source = "");
  void Send(const v1::DeliverResponse& message);
  // Ends both streams, as a lost connection does.
  void Cut();

  // Waits until `is_so` of what was heard, at most `most`. False: it never was.
  bool WaitUntil(const std::function<bool(const Heard&)>& is_so,
                 Duration most = std::chrono::seconds(20));
  Heard heard();

  grpc::Status Control(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::ControlResponse, v1::ControlRequest>* stream) override;
  grpc::Status Deliver(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::DeliverResponse, v1::DeliverRequest>* stream) override;

 private:
  void HearControl(const v1::ControlRequest& message);
  void HearDeliver(const v1::DeliverRequest& message);
  void Say(const v1::ControlResponse& message);

  std::mutex mutex_;
  std::condition_variable changed_;
  Heard heard_;
  bool answers_heartbeats_ = true;
  bool acknowledges_ = true;
  Duration valid_for_ = std::chrono::seconds(5);
  grpc::ServerContext* control_context_ = nullptr;
  grpc::ServerContext* deliver_context_ = nullptr;
  grpc::ServerReaderWriter<v1::ControlResponse, v1::ControlRequest>* control_ = nullptr;
  grpc::ServerReaderWriter<v1::DeliverResponse, v1::DeliverRequest>* deliver_ = nullptr;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace sluice::egress
