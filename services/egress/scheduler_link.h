// The link to one scheduler process: dials it for ever, and while it is welcome keeps a session
// with its two streams, heartbeats and lease. What comes in is handed to a LinkHost.
//
//   dialling ─▶ Hello sent ─▶ welcomed: session, heartbeats, Deliver stream ─▶ a stream lost:
//   session ended ─▶ pause ─▶ dialling
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "absl/container/flat_hash_map.h"
#include "base/log.h"
#include "egress/addresses.h"
#include "egress/custody.h"
#include "egress/session.h"
#include "egress/share_teller.h"
#include "egress/tls_results.h"
#include "mail/reply_rule.h"
#include "mail/signing_key.h"
#include "policy/shaping.h"
#include "egress/trace.h"
#include "egress/surroundings.h"

namespace grpc {
class Channel;
}
namespace sluice::v1 {
class ControlRequest;
class ControlResponse;
class DeliverResponse;
}  // namespace sluice::v1

namespace sluice::egress {

// Who we are, as Hello says it.
struct LinkIdentity {
  std::string egress_id;
  uint64_t incarnation = 0;
  std::string version;
  int64_t credit_entries = 0;
  int64_t credit_bytes = 0;
  std::vector<std::string> bind_addresses;
};

struct RecallOrder {
  int64_t generation = 0;
  SourceName source;                  // empty: any
  // And as which attempt it was released, 0 = whichever; empty: any.
  absl::flat_hash_map<QueueEntryId, uint64_t> entries;
};

// What a link needs of egress.
class LinkHost {
 public:
  virtual ~LinkHost() = default;
  // Contents, releases and acknowledgements. On a gRPC thread, one at a time a session; may take
  // the message apart.
  virtual void Received(const std::shared_ptr<Session>& session, v1::DeliverResponse& message) = 0;
  // The rest on the control thread.
  virtual std::vector<BindResult> Assigned(std::vector<AssignedSource> sources) = 0;
  virtual void SigningKeysCame(std::vector<SigningKey> keys) = 0;
  // What replies mean from now on; before Shaped, which answers for it.
  virtual void ReplyRulesCame(const std::vector<ReplyRule>& rules) = 0;
  // What limits the sources from now on. `done` as below, when every thread keeps to it.
  virtual void Shaped(LimitBook book, std::vector<PlacedAutomation> automation, std::function<void()> done) = 0;
  // All reactions up to this one are in the scheduler's table.
  virtual void ReactionsKept(int64_t through) = 0;
  // Of limits that several egresses share: the answer to what was told with this time.
  virtual void SharesGiven(int64_t sent_at_micros, Duration valid_for, const std::vector<HeldShare>& shares) = 0;
  // `done` may be called from any thread, once.
  virtual void Recalled(const std::shared_ptr<Session>& session, RecallOrder order,
                        std::function<void()> done) = 0;
  virtual void Lost(const std::shared_ptr<Session>& session) = 0;
  // Whose dialogs somebody watches at this scheduler; none when it is lost.
  virtual void Watched(const std::string& scheduler, std::vector<TraceFilter> filters) = 0;
  // A session has begun: what its scheduler has to know at once.
  virtual std::vector<RoomFor> Rooms() = 0;
};

// Belongs to the control thread. Lives in a shared_ptr, because calls that are ending refer to it.
class SchedulerLink final : public std::enable_shared_from_this<SchedulerLink> {
 public:
  static constexpr Duration kHeartbeatInterval = std::chrono::seconds(1);
  static constexpr Duration kFirstPause = std::chrono::milliseconds(100);
  static constexpr Duration kMostPause = std::chrono::seconds(2);
  // A scheduler that answers no heartbeat for this long is dialled anew.
  static constexpr Duration kMostSilence = std::chrono::seconds(15);

  // Two connections, so that a heartbeat never waits behind content.
  struct Channels {
    std::shared_ptr<grpc::Channel> control, deliver;
  };

  // All outlive the link and its calls; `is_idle` tells when.
  SchedulerLink(std::string address, Channels channels, const LinkIdentity& identity,
                LinkHost& host, Custody& custody, asio::io_context& control, const Clock& clock,
                const Logger& logger);
  ~SchedulerLink();

  void Start();
  // To the scheduler, if it is connected.
  void Tell(const std::vector<BindResult>& results);
  void Tell(const std::vector<RoomFor>& rooms);
  void Tell(const std::vector<NumberedReaction>& reactions);
  void Tell(int64_t sent_at_micros, const std::vector<HeldUse>& uses);
  void TellDrain();
  // False: it is not connected.
  bool Tell(const std::vector<TlsResults::Counted>& results);
  void SendTrace(const std::deque<TracedLine>& lines, int64_t dropped);
  // Ends the session and dials no more.
  void Stop();

  const std::string& address() const { return address_; }
  // The session under way; null while there is none.
  std::shared_ptr<Session> session() const;
  bool is_stopped() const { return is_stopped_; }
  // No call is under way.
  bool is_idle() const { return call_count_ == 0; }

 private:
  struct Run;
  using RunPtr = std::shared_ptr<Run>;

  void Dial();
  void StartDeliver(const RunPtr& run);
  // On a gRPC thread.
  void Received(const RunPtr& run, v1::ControlResponse& message);
  void Handle(const RunPtr& run, v1::ControlResponse& message);
  // Says that the order of this generation is carried out.
  static std::function<void()> Answer(const RunPtr& run, int64_t generation);
  void HandleRecall(const RunPtr& run, const v1::ControlResponse& message);
  void Welcomed(const RunPtr& run, uint64_t scheduler);
  void Beat(const RunPtr& run);
  // A heartbeat now; what waits in the run goes on when it is answered.
  void Ask(const RunPtr& run);
  void Answered(const RunPtr& run, SteadyInstant sent_at);
  void CallEnded(const RunPtr& run, std::string_view stream, const absl::Status& status);
  void EndRun(const RunPtr& run);
  void DialLater();

  const std::string address_;
  const Channels channels_;
  const LinkIdentity& identity_;
  LinkHost& host_;
  Custody& custody_;
  asio::io_context& control_;
  const Clock& clock_;
  const Logger& logger_;
  asio::steady_timer beat_;
  asio::steady_timer pause_;
  std::minstd_rand random_;
  RunPtr run_;  // null while pausing
  int failure_count_ = 0;
  int call_count_ = 0;
  bool is_draining_ = false;
  bool is_stopped_ = false;
};

}  // namespace sluice::egress
