// Egress as a whole: the links to the schedulers, what is held, the sources, and the I/O threads
// that deliver. Joins the parts; decides little itself.
//
//   gRPC threads ──contents, releases──▶ I/O threads ──reports──▶ gRPC
//   control thread: links, heartbeats, assignment, recalls, test binds, drain
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "absl/container/flat_hash_map.h"
#include "egress/addresses.h"
#include "egress/content_cache.h"
#include "egress/custody.h"
#include "egress/dialer.h"
#include "egress/io_thread.h"
#include "egress/key_ring.h"
#include "egress/options.h"
#include "egress/scheduler_link.h"
#include "egress/share_teller.h"
#include "egress/source_table.h"
#include "egress/surroundings.h"
#include "net/https_fetch.h"

namespace sluice::egress {

// What egress is given; what is referred to outlives it.
struct EgressParts {
  const Clock& clock;
  const Logger& logger;
  std::unique_ptr<Resolver> resolver;
  TlsContext* tls = nullptr;
  // Null: no MTA-STS.
  std::unique_ptr<HttpsFetcher> https;
  telemetry::DeliveryLog* delivery_log = nullptr;
  telemetry::Metrics& metrics;
};

class Egress final : private LinkHost {
 public:
  // Dials and works from here on.
  Egress(const EgressOptions& options, EgressParts parts);
  // Stops at once; Drain first for a good end.
  ~Egress() override;
  Egress(const Egress&) = delete;
  Egress& operator=(const Egress&) = delete;

  // Gives back what has not begun, waits for what is past the dot, brings the last reports home;
  // each within its bound of the options. Blocks; once only counts.
  void Drain();

  CustodyStats Stats() const { return custody_.Stats(); }

 private:
  using Batches = std::vector<std::vector<EntryPtr>>;  // by I/O thread

  // LinkHost.
  void Received(const std::shared_ptr<Session>& session, v1::DeliverResponse& message) override;
  std::vector<BindResult> Assigned(std::vector<AssignedSource> sources) override;
  void SigningKeysCame(std::vector<SigningKey> keys) override;
  void ReplyRulesCame(const std::vector<ReplyRule>& rules) override;
  void Shaped(LimitBook book, std::vector<PlacedAutomation> automation, std::function<void()> done) override;
  void ReactionsKept(int64_t through) override;
  void SharesGiven(int64_t sent_at_micros, Duration valid_for, const std::vector<HeldShare>& shares) override {
    shares_.Given(sent_at_micros, valid_for, shares);
  }
  void Recalled(const std::shared_ptr<Session>& session, RecallOrder order,
                std::function<void()> done) override;
  void Lost(const std::shared_ptr<Session>& session) override;
  void Watched(const std::string& scheduler, std::vector<TraceFilter> filters) override;
  std::vector<RoomFor> Rooms() override;

  void Admit(EntryPtr entry, std::vector<EntryPtr>& ready);
  void HandOn(std::vector<EntryPtr> ready);
  // Gives back, everywhere, what has not begun and `filter` names; `done` is called when all
  // threads have.
  void GiveUp(const IoThread::Filter& filter, ReturnReason reason, std::function<void()> done);

  // On the control thread.
  void SetTargets(const std::vector<DialTarget>& targets);
  void AddLink(const DialTarget& target);
  void RoomChanged(RoomFor room);
  void BindFailed(const SourceName& source, const absl::Status& error);
  void TellAll(const std::vector<BindResult>& results);
  void SpreadSources();
  void Tick();

  void LookAtKeys(SteadyInstant now);
  // To the first scheduler that listens, every few seconds.
  void TellTlsResults(SteadyInstant now);
  void SendTrace();
  // To the first scheduler that listens; all that are not kept when it is another, or does not answer.
  void TellReactions(SteadyInstant now);
  // To the one of this place among the schedulers that listen.
  void TellShares(size_t place, int64_t sent_at_micros, const std::vector<HeldUse>& uses);
  void SetGauges();
  // Waits until `is_done` or the time is over.
  template <class Predicate>
  bool WaitFor(Duration most, const Predicate& is_done);
  // Runs on the control thread; returns when it has.
  void OnControl(const std::function<void()>& work);

  const EgressOptions options_;
  EgressParts parts_;
  EgressMetrics metrics_;
  const LinkIdentity identity_;
  Custody custody_;
  Trace trace_;
  ContentCache contents_;
  SourceTable table_;
  KeyRing keys_;  // control thread, but for Read
  ReplyBook replies_;
  Addresses addresses_;  // control thread
  std::shared_ptr<const LimitBook> book_ = std::make_shared<const LimitBook>();  // control thread
  // Held while a message of a scheduler is worked in: who takes it knows that all of it is with the
  // I/O threads.
  std::mutex intake_mutex_;
  std::unique_ptr<StsPolicies> sts_policies_;
  DomainTlsFinder domain_tls_;
  TlsResults tls_results_;
  Reactions reactions_;
  // Attempts that were recalled, maybe before they arrive, and until when that may be; under
  // intake_mutex_.
  absl::flat_hash_map<uint64_t, SteadyInstant> refused_;
  Surroundings around_;
  SignerPool signers_;
  std::vector<std::unique_ptr<IoThread>> threads_;

  asio::io_context control_{1};
  asio::executor_work_guard<asio::io_context::executor_type> control_work_ =
      asio::make_work_guard(control_);
  asio::steady_timer tick_{control_};
  ShareTeller shares_;
  SteadyInstant keys_looked_at_{};
  // The session that reactions were told to, up to which one, and when those are told again that are not kept by then.
  uint64_t reactions_session_ = 0;
  int64_t reactions_told_ = 0;
  SteadyInstant reactions_again_at_{};
  SteadyInstant tls_results_at_{};  // when they are told next
  // Those that are limited, by source and group; control thread.
  std::map<std::string, RoomFor> rooms_;
  std::map<std::string, std::shared_ptr<SchedulerLink>> links_;  // by address; control thread
  std::thread control_thread_;
  std::unique_ptr<Dialer> dialer_;
  bool is_drained_ = false;
};

}  // namespace sluice::egress
