#include "egress/scheduler_link.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include <grpcpp/channel.h>
#include <asio/post.hpp>

#include "base/text.h"
#include "egress/client_stream.h"
#include "egress/convert.h"
#include "egress/deliver_stream.h"
#include "sluice/v1/dispatch.grpc.pb.h"

namespace sluice::egress {
namespace {

using ControlCall = ClientStream<v1::ControlRequest, v1::ControlResponse>;
// Heartbeats that pile up unsent say nothing new.
constexpr size_t kMostUnsentHeartbeats = 4;
constexpr size_t kMostUnsentTraces = 3;
// A session that lived this long was no failure: the next one is dialled at once.
constexpr Duration kLongEnough = std::chrono::seconds(5);

v1::ControlRequest HelloOf(const LinkIdentity& identity) {
  v1::ControlRequest request;
  v1::Hello& hello = *request.mutable_hello();
  hello.set_egress_id(identity.egress_id);
  hello.set_incarnation(identity.incarnation);
  hello.set_version(identity.version);
  hello.set_credit_entries(identity.credit_entries);
  hello.set_credit_bytes(identity.credit_bytes);
  for (const std::string& address : identity.bind_addresses) hello.add_bind_addresses(address);
  return request;
}

}  // namespace

// One try: a Control call, and once welcomed a session and a Deliver call.
struct SchedulerLink::Run {
  std::shared_ptr<ControlCall> control;
  std::shared_ptr<DeliverStream> deliver;
  std::shared_ptr<Session> session;
  SteadyInstant started_at{};
  bool has_ended = false;
  // What waits for the answer to a heartbeat sent at `asked_at` or later: releases follow on it,
  // and must find the lease.
  SteadyInstant asked_at{};
  bool wants_deliver = false;
  std::optional<std::vector<int>> shards;
  std::atomic<bool> has_waiting{false};
  // For gRPC threads: the session once there is one, and when its scheduler was heard last.
  std::atomic<Session*> leased{nullptr};
  std::atomic<int64_t> heard_at_micros{0};
};

SchedulerLink::SchedulerLink(std::string address, Channels channels, const LinkIdentity& identity,
                             LinkHost& host, Custody& custody, asio::io_context& control,
                             const Clock& clock, const Logger& logger)
    : address_(std::move(address)),
      channels_(std::move(channels)),
      identity_(identity),
      host_(host),
      custody_(custody),
      control_(control),
      clock_(clock),
      logger_(logger),
      beat_(control),
      pause_(control),
      random_(static_cast<std::minstd_rand::result_type>(identity.incarnation ^
                                                         std::hash<std::string>{}(address_))) {}

SchedulerLink::~SchedulerLink() = default;

void SchedulerLink::Start() { Dial(); }

void SchedulerLink::Dial() {
  if (is_stopped_) return;
  auto run = std::make_shared<Run>();
  run_ = run;
  run->started_at = clock_.Steady();
  run->heard_at_micros = run->started_at.time_since_epoch().count();
  std::shared_ptr<v1::DispatchService::Stub> stub = v1::DispatchService::NewStub(channels_.control);
  ControlCall::Events events;
  events.received = [self = shared_from_this(), run](v1::ControlResponse& message) {
    self->Received(run, message);
  };
  events.ended = [self = shared_from_this(), run, stub](const absl::Status& status) {
    asio::post(self->control_, [self, run, status] { self->CallEnded(run, "control", status); });
  };
  ++call_count_;
  run->control = std::make_shared<ControlCall>(std::move(events));
  run->control->Start([&stub](grpc::ClientContext* context, ControlCall* call) {
    stub->async()->Control(context, call);
  });
  run->control->Send(HelloOf(identity_));
  Beat(run);
}

void SchedulerLink::Received(const RunPtr& run, v1::ControlResponse& message) {
  const SteadyInstant now = clock_.Steady();
  run->heard_at_micros = now.time_since_epoch().count();
  if (message.has_heartbeat()) {
    // Without a detour over the control thread, which may be busy.
    const SteadyInstant sent_at{Duration(message.heartbeat().sent_at_micros())};
    Session* session = run->leased;
    if (session != nullptr) {
      session->Renew(std::min(sent_at, now), Duration(message.heartbeat().valid_for_micros()));
    }
    if (run->has_waiting) {
      asio::post(control_,
                 [self = shared_from_this(), run, sent_at] { self->Answered(run, sent_at); });
    }
    return;
  }
  auto moved = std::make_shared<v1::ControlResponse>(std::move(message));
  asio::post(control_, [self = shared_from_this(), run, moved] {
    if (!run->has_ended) self->Handle(run, *moved);
  });
}

void SchedulerLink::Handle(const RunPtr& run, v1::ControlResponse& message) {
  if (message.has_welcome()) return Welcomed(run, message.welcome().scheduler_incarnation());
  if (run->session == nullptr) return;
  if (message.has_signing_keys()) {
    host_.SigningKeysCame(FromProto(message.signing_keys()));
  } else if (message.has_assignment()) {
    Tell(host_.Assigned(FromProto(message.assignment())));
  } else if (message.has_shaping()) {
    host_.ReplyRulesCame(ReplyRulesOf(message.shaping()));
    host_.Shaped(FromProto(message.shaping()), AutomationOf(message.shaping()), Answer(run, message.shaping().generation()));
  } else if (message.has_reactions_kept()) {
    host_.ReactionsKept(message.reactions_kept().through());
  } else if (message.has_shares()) {
    const v1::Shares& shares = message.shares();
    host_.SharesGiven(shares.sent_at_micros(), Duration(shares.valid_for_micros()), FromProto(shares));
  } else if (message.has_recall()) {
    HandleRecall(run, message);
  } else if (message.has_trace()) {
    host_.Watched(address_, FromProto(message.trace()));
  } else if (message.has_shards()) {
    const auto& shards = message.shards().shards();
    run->shards = std::vector<int>(shards.begin(), shards.end());
    Ask(run);
  }
}

void SchedulerLink::HandleRecall(const RunPtr& run, const v1::ControlResponse& message) {
  const v1::Recall& recall = message.recall();
  RecallOrder order{
      .generation = recall.generation(), .source = SourceName(recall.source()), .entries = {}};
  for (int i = 0; i < recall.queue_entry_ids_size(); ++i) {
    order.entries.emplace(QueueEntryId(static_cast<int64_t>(recall.queue_entry_ids(i))),
                          i < recall.attempt_ids_size() ? recall.attempt_ids(i) : 0);
  }
  host_.Recalled(run->session, std::move(order), Answer(run, recall.generation()));
}

std::function<void()> SchedulerLink::Answer(const RunPtr& run, int64_t generation) {
  return [run, generation] {
    v1::ControlRequest answer;
    answer.mutable_order_result()->set_generation(generation);
    run->control->Send(std::move(answer));
  };
}

void SchedulerLink::Welcomed(const RunPtr& run, uint64_t scheduler) {
  if (run->session != nullptr) return;
  run->session = custody_.Open();
  run->leased = run->session.get();
  logger_.Info("scheduler_connected", {{"scheduler", address_}, {"incarnation", scheduler}});
  if (is_draining_) TellDrain();
  Tell(host_.Rooms());
  run->wants_deliver = true;
  Ask(run);
}

void SchedulerLink::Ask(const RunPtr& run) {
  run->asked_at = clock_.Steady();
  run->has_waiting = true;
  Beat(run);
}

void SchedulerLink::Answered(const RunPtr& run, SteadyInstant sent_at) {
  if (run->has_ended || sent_at < run->asked_at) return;
  run->has_waiting = false;
  if (std::exchange(run->wants_deliver, false)) StartDeliver(run);
  const std::optional<std::vector<int>> shards = std::exchange(run->shards, std::nullopt);
  if (shards.has_value()) custody_.OwnShards(*run->session, *shards);
}

void SchedulerLink::StartDeliver(const RunPtr& run) {
  v1::DeliverRequest first;
  first.set_egress_id(identity_.egress_id);
  first.set_incarnation(identity_.incarnation);
  DeliverStream::Events events;
  events.received = [self = shared_from_this(), session = run->session](
                        v1::DeliverResponse& message) { self->host_.Received(session, message); };
  events.ended = [self = shared_from_this(), run](const absl::Status& status) {
    asio::post(self->control_, [self, run, status] { self->CallEnded(run, "deliver", status); });
  };
  ++call_count_;
  run->deliver = std::make_shared<DeliverStream>(custody_, run->session, control_, clock_);
  run->deliver->Start(channels_.deliver, std::move(first), std::move(events));
}

void SchedulerLink::Beat(const RunPtr& run) {
  if (run->has_ended) return;
  const SteadyInstant now = clock_.Steady();
  if (now - SteadyInstant(Duration(run->heard_at_micros)) > kMostSilence &&
      run->session != nullptr) {
    logger_.Warn("scheduler_silent", {{"scheduler", address_}});
    return EndRun(run);
  }
  if (run->session != nullptr && run->control->pending() < kMostUnsentHeartbeats) {
    v1::ControlRequest request;
    request.mutable_heartbeat()->set_sent_at_micros(now.time_since_epoch().count());
    run->control->Send(std::move(request));
  }
  beat_.expires_after(kHeartbeatInterval);
  beat_.async_wait([self = shared_from_this(), run](const asio::error_code& error) {
    if (!error) self->Beat(run);
  });
}

void SchedulerLink::Tell(const std::vector<BindResult>& results) {
  if (session() == nullptr) return;
  for (const BindResult& result : results) {
    v1::ControlRequest request;
    *request.mutable_assignment_result() = ToProto(result);
    run_->control->Send(std::move(request));
  }
}

void SchedulerLink::Tell(const std::vector<RoomFor>& rooms) {
  constexpr size_t kMostAtOnce = 1000;
  if (session() == nullptr) return;
  for (size_t begin = 0; begin < rooms.size(); begin += kMostAtOnce) {
    v1::ControlRequest request;
    const std::span part = std::span(rooms).subspan(begin, std::min(kMostAtOnce, rooms.size() - begin));
    *request.mutable_rooms() = ToProto(part);
    run_->control->Send(std::move(request));
  }
}

void SchedulerLink::Tell(const std::vector<NumberedReaction>& reactions) {
  if (session() == nullptr) return;
  v1::ControlRequest request;
  *request.mutable_reactions() = ToProto(reactions);
  run_->control->Send(std::move(request));
}

void SchedulerLink::Tell(int64_t sent_at_micros, const std::vector<HeldUse>& uses) {
  if (session() == nullptr) return;
  v1::ControlRequest request;
  *request.mutable_share_uses() = ToProto(uses);
  request.mutable_share_uses()->set_sent_at_micros(sent_at_micros);
  run_->control->Send(std::move(request));
}

void SchedulerLink::TellDrain() {
  is_draining_ = true;
  if (session() == nullptr) return;
  v1::ControlRequest request;
  request.mutable_drain();
  run_->control->Send(std::move(request));
}

bool SchedulerLink::Tell(const std::vector<TlsResults::Counted>& results) {
  if (session() == nullptr) return false;
  v1::ControlRequest request;
  *request.mutable_tls_results() = ToProto(results);
  run_->control->Send(std::move(request));
  return true;
}

void SchedulerLink::SendTrace(const std::deque<TracedLine>& lines, int64_t dropped) {
  if (session() == nullptr) return;
  // A scheduler that does not keep up gets the rest, not all.
  if (run_->control->pending() >= kMostUnsentTraces) return;
  v1::ControlRequest request;
  *request.mutable_trace() = ToProto(lines, dropped);
  for (v1::TraceLine& line : *request.mutable_trace()->mutable_lines()) {
    line.set_egress_id(identity_.egress_id);
  }
  run_->control->Send(std::move(request));
}

std::shared_ptr<Session> SchedulerLink::session() const {
  return run_ == nullptr ? nullptr : run_->session;
}

void SchedulerLink::CallEnded(const RunPtr& run, std::string_view stream,
                              const absl::Status& status) {
  --call_count_;
  if (run->has_ended) return;
  logger_.Warn("scheduler_stream_ended",
               {{"scheduler", address_}, {"stream", stream}, {"error", View(status.message())}});
  EndRun(run);
}

void SchedulerLink::EndRun(const RunPtr& run) {
  if (std::exchange(run->has_ended, true)) return;
  if (run_ == run) run_ = nullptr;
  beat_.cancel();
  run->control->Cancel();
  if (run->deliver != nullptr) run->deliver->Cancel();
  if (run->session != nullptr) {
    custody_.Close(*run->session);
    host_.Lost(run->session);
    host_.Watched(address_, {});
    if (clock_.Steady() - run->started_at > kLongEnough) failure_count_ = 0;
  }
  DialLater();
}

void SchedulerLink::DialLater() {
  if (is_stopped_) return;
  const Duration most =
      std::min(kFirstPause * (int64_t{1} << std::min(failure_count_++, 10)), kMostPause);
  std::uniform_int_distribution<int64_t> jitter(most.count() / 2, most.count());
  pause_.expires_after(Duration(jitter(random_)));
  pause_.async_wait([self = shared_from_this()](const asio::error_code& error) {
    if (!error) self->Dial();
  });
}

void SchedulerLink::Stop() {
  is_stopped_ = true;
  pause_.cancel();
  const RunPtr run = run_;  // EndRun forgets run_
  if (run != nullptr) EndRun(run);
}

}  // namespace sluice::egress
