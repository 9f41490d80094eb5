#include "unit/egress/fake_scheduler.h"

#include <grpcpp/server_builder.h>

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace sluice::egress {

size_t Heard::CountReports(v1::Disposition disposition) const {
  return static_cast<size_t>(std::count_if(reports.begin(), reports.end(), [&](const auto& report) {
    return report.attempt().disposition() == disposition;
  }));
}

size_t Heard::CountReturns(const std::string& reason) const {
  return static_cast<size_t>(std::count_if(
      returns.begin(), returns.end(), [&](const auto& item) { return item.reason() == reason; }));
}

FakeScheduler::FakeScheduler(int port) {
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(-1);
  builder.AddListeningPort(Cat("127.0.0.1:", port), grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  SLUICE_CHECK(server_ != nullptr);
}

FakeScheduler::~FakeScheduler() { server_->Shutdown(std::chrono::system_clock::now()); }

std::string FakeScheduler::address() const { return Cat("127.0.0.1:", port_); }

void FakeScheduler::AnswerHeartbeats(bool yes, Duration valid_for) {
  const std::lock_guard lock(mutex_);
  answers_heartbeats_ = yes;
  valid_for_ = valid_for;
}

void FakeScheduler::Acknowledge(bool yes) {
  const std::lock_guard lock(mutex_);
  acknowledges_ = yes;
}

void FakeScheduler::Say(const v1::ControlResponse& message) {
  std::unique_lock lock(mutex_);
  SLUICE_CHECK(
      changed_.wait_for(lock, std::chrono::seconds(20), [this] { return control_ != nullptr; }));
  control_->Write(message);
}

void FakeScheduler::Own(const std::vector<int>& shards) {
  v1::ControlResponse message;
  message.mutable_shards();
  for (const int shard : shards) message.mutable_shards()->add_shards(shard);
  Say(message);
}

void FakeScheduler::Assign(const std::vector<v1::AssignedSource>& sources) {
  v1::ControlResponse message;
  message.mutable_assignment();
  for (const auto& source : sources) *message.mutable_assignment()->add_sources() = source;
  Say(message);
}

void FakeScheduler::Shape(const v1::Shaping& shaping) {
  v1::ControlResponse message;
  *message.mutable_shaping() = shaping;
  Say(message);
}

void FakeScheduler::Recall(int64_t generation, const std::string& source) {
  v1::ControlResponse message;
  message.mutable_recall()->set_generation(generation);
  message.mutable_recall()->set_source(source);
  Say(message);
}

void FakeScheduler::Send(const v1::DeliverResponse& message) {
  std::unique_lock lock(mutex_);
  SLUICE_CHECK(
      changed_.wait_for(lock, std::chrono::seconds(20), [this] { return deliver_ != nullptr; }));
  deliver_->Write(message);
}

void FakeScheduler::Cut() {
  const std::lock_guard lock(mutex_);
  if (control_context_ != nullptr) control_context_->TryCancel();
  if (deliver_context_ != nullptr) deliver_context_->TryCancel();
}

bool FakeScheduler::WaitUntil(const std::function<bool(const Heard&)>& is_so, Duration most) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, most, [&] { return is_so(heard_); });
}

Heard FakeScheduler::heard() {
  const std::lock_guard lock(mutex_);
  return heard_;
}

grpc::Status FakeScheduler::Control(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<v1::ControlResponse, v1::ControlRequest>* stream) {
  v1::ControlRequest request;
  while (stream->Read(&request)) {
    const std::lock_guard lock(mutex_);
    if (request.has_hello()) {
      control_ = stream;
      control_context_ = context;
      v1::ControlResponse welcome;
      welcome.mutable_welcome()->set_scheduler_incarnation(1);
      stream->Write(welcome);
    }
    if (request.has_heartbeat() && answers_heartbeats_) {
      v1::ControlResponse reply;
      reply.mutable_heartbeat()->set_sent_at_micros(request.heartbeat().sent_at_micros());
      reply.mutable_heartbeat()->set_valid_for_micros(valid_for_.count());
      stream->Write(reply);
    }
    HearControl(request);
    changed_.notify_all();
  }
  const std::lock_guard lock(mutex_);
  if (control_ == stream) {
    control_ = nullptr;
    control_context_ = nullptr;
  }
  return grpc::Status::OK;
}

void FakeScheduler::HearControl(const v1::ControlRequest& message) {
  if (message.has_hello()) {
    ++heard_.hello_count;
    heard_.hello = message.hello();
  }
  if (message.has_assignment_result()) {
    heard_.assignment_results.push_back(message.assignment_result());
  }
  if (message.has_order_result()) heard_.orders_done.push_back(message.order_result().generation());
  heard_.rooms.insert(heard_.rooms.end(), message.rooms().rooms().begin(), message.rooms().rooms().end());
  heard_.reactions.insert(heard_.reactions.end(), message.reactions().reactions().begin(), message.reactions().reactions().end());
  if (message.has_drain()) heard_.is_draining = true;
}

grpc::Status FakeScheduler::Deliver(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<v1::DeliverResponse, v1::DeliverRequest>* stream) {
  v1::DeliverRequest request;
  while (stream->Read(&request)) {
    const std::lock_guard lock(mutex_);
    if (!request.egress_id().empty()) {
      deliver_ = stream;
      deliver_context_ = context;
      ++heard_.deliver_count;
    }
    if (acknowledges_ && request.reports_size() > 0) {
      v1::DeliverResponse answer;
      answer.set_settled_through(request.reports(request.reports_size() - 1).report_number());
      stream->Write(answer);
    }
    HearDeliver(request);
    changed_.notify_all();
  }
  const std::lock_guard lock(mutex_);
  if (deliver_ == stream) {
    deliver_ = nullptr;
    deliver_context_ = nullptr;
  }
  return grpc::Status::OK;
}

void FakeScheduler::HearDeliver(const v1::DeliverRequest& message) {
  heard_.begun.insert(message.begun().begin(), message.begun().end());
  heard_.reports.insert(heard_.reports.end(), message.reports().begin(), message.reports().end());
  heard_.returns.insert(heard_.returns.end(), message.returns().begin(), message.returns().end());
  heard_.content_needed.insert(heard_.content_needed.end(), message.content_needed().begin(),
                               message.content_needed().end());
  if (message.has_inventory()) heard_.inventories.push_back(message.inventory());
}

}  // namespace sluice::egress
