// One path (source × site, to one set of MX hosts): its ready queue, the connections that serve it, and what it knows of
// its MX hosts. Opens connections as work comes, up to the limits; reuses them; when no host can be
// reached, every waiting entry gets its deferral instead of piling up.
//
// Belongs to one thread. Outlives its connections.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include <asio/io_context.hpp>

#include "egress/attempt.h"
#include "egress/connection_budget.h"
#include "egress/host_book.h"
#include "egress/open_session.h"
#include "egress/path_group.h"
#include "egress/ready_queue.h"
#include "egress/shared_connections.h"
#include "egress/shipment.h"
#include "egress/signer.h"
#include "egress/surroundings.h"

namespace sluice::egress {

// Where a path leads, as rules name it.
struct Destination {
  Provider provider;
  SiteName site;
};

class Path {
 public:
  // `around`, `io`, `budget`, `group` and `desk` outlive the path.
  Path(const Surroundings& around, asio::io_context& io, ConnectionBudget& budget, PathGroup& group, SignDesk& desk,
       BoundSourcePtr source, Destination to);
  ~Path();
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;

  // Adds to the queue; Pump starts the work.
  void Push(EntryPtr entry);
  // Wakes idle connections and opens new ones for what waits.
  void Pump();
  // What its group's limits let wait nowhere near goes back, the last first.
  void GiveBackExcess();
  // Idle connections to an address that now may have fewer end.
  void EndIdleExcess();
  // Limits, name or address of the source have changed, or it is back: connections made as another
  // end after their transaction.
  void UseSource(BoundSourcePtr source);
  // Which limits that hold for several sources together cover it; what is open counts for them from now on.
  void UseShared(SharedConnectionTable::Limits limits);
  const Destination& to() const { return to_; }
  // Ends everything where a share of such a limit has lapsed too long ago.
  void EndLapsed(SteadyInstant now);
  // Takes entries out of the queue. None of them is begun.
  template <class Filter>
  std::vector<EntryPtr> Extract(const Filter& filter);
  // Opens nothing more; connections end after their transaction.
  void Close();
  // Ends transactions: those that have not sent their last byte of content, or all.
  void Abort(bool also_past_dot);

  bool IsBusy() const { return !connections_.empty() || starting_count_ > 0 || !queue_.empty(); }
  // Nothing is going on and nothing is remembered.
  bool IsDisposable(SteadyInstant now) const { return !IsBusy() && book_.IsBlank(now); }

  // ---- for its connections ----
  const BoundSourcePtr& source() const { return source_; }
  bool is_closing() const { return is_closing_; }
  const EffectiveLimits& limits() const { return group_.limits(); }
  TlsMode WantedTls() const { return limits().tls.value.value_or(TlsMode::kOpportunistic); }
  // There are more connections than may be, or more to the address that `peer` counts: those that have nothing under way end.
  bool HasTooMany(const ConnectionBudget& peer) const;
  const Surroundings& around() const { return around_; }
  asio::io_context& io() { return io_; }
  SignDesk& desk() { return desk_; }
  HostBook& book() { return book_; }
  AttemptCounters& counters() { return counters_; }
  // What a new connection is for: the entry that is next. Nothing when none waits.
  std::optional<OpenRequest> NextRequest();
  // What goes in the next transaction, rendered for this peer; empty when nothing waits. None of it
  // is begun.
  Shipment TakeNext(const Extensions& peer);
  // An entry that was not attempted after all: it is the next of its class again.
  void PutBack(EntryPtr entry);
  // Begins (unless it was) and ends at once; an entry that may not begin goes back.
  void End(Entry& entry, AttemptFacts facts);
  // How many messages one connection may carry.
  size_t MostMessages() const;
  // The peer ended a busy connection after so many messages. Twice the same number: its limit.
  void ClosedAfter(size_t messages);
  // The peer wants no more recipients than this in a transaction.
  void LimitRecipients(size_t most);
  void Opened(const OpenedSession& opened);
  void OpenFailed(const OpenedSession& opened);
  // An address that was full takes a connection again.
  void PeerFreed();
  void BecameIdle(Connection& connection);
  void NoLongerIdle(Connection& connection);
  void WokeUp() { --waking_count_; }
  void Joined(Connection& connection);
  // `was_open`: it had been opened, whatever became of it.
  void Left(Connection& connection, bool was_open);
  // After Left, from the coroutine and not from a destructor: serves what waits.
  void AfterLeft();

 private:
  static constexpr Duration kCeilingFor = std::chrono::seconds(60);
  static constexpr Duration kLearntFor = std::chrono::minutes(10);
  static constexpr Duration kFullFor = std::chrono::seconds(1);

  // A number that the peer has shown to be its limit.
  struct Learnt {
    size_t most = 0;  // 0 = none
    SteadyInstant until{};

    size_t Bound(size_t wanted, SteadyInstant now) const {
      return most != 0 && now < until ? std::min(wanted, most) : wanted;
    }
  };

  bool MayOpen() const;
  // By the rates of new connections that it shares; as PathGroup::MayConnect.
  bool MayConnectShared();
  // Connections at once to one address.
  size_t MostPerAddress() const;
  bool TakeConnection();
  void WakeIdle(Connection& connection);
  void WakeAllIdle();
  // Whether there is memory to decode the next entry now; if not, it stays where it is until Pump
  // is called again.
  bool HasRoomForNext() const;
  // False: it went back, or was reported.
  bool Prepare(Entry& entry, const Extensions& peer, Rendered& rendered);
  size_t MostRecipients() const;
  void StartConnection();
  void FailWaiting(const OpenedSession& opened);
  void BindFailed(const OpenedSession& opened);

  // Counts what waits in the queue.
  void CountReady(int64_t more);
  // Of the content of the entry that is next; 0 when none waits.
  size_t NextBytes() const;

  const Surroundings& around_;
  asio::io_context& io_;
  PathGroup& group_;
  const Destination to_;
  static constexpr size_t kOwnBudgets = 3;
  // Each must give a connection: the thread's, the source's, those of the paths that share limits; then those of shared_.
  std::vector<ConnectionBudget*> budgets_;
  SharedConnectionTable::Limits shared_;
  SignDesk& desk_;
  BoundSourcePtr source_;
  ReadyQueue queue_;
  HostBook book_;
  AttemptCounters counters_;
  std::vector<Connection*> connections_;  // owned by their coroutines
  std::vector<Connection*> idle_;         // used last is last
  size_t starting_count_ = 0;             // spawned or opening
  size_t open_count_ = 0;                 // open, until the last byte of the QUIT
  size_t waking_count_ = 0;               // told to look at the queue, not there yet
  // A peer that refused a connection while others were open has told us its limit.
  size_t ceiling_ = 0;  // 0 = none
  SteadyInstant ceiling_until_{};
  Learnt recipients_;         // of a transaction
  Learnt messages_;           // of a connection
  size_t closed_after_ = 0;  // messages on the connection that the peer ended last
  // Every address was full; tried again when one is freed, at latest then.
  SteadyInstant full_until_{};
  Path* wanting_peer_ = nullptr;  // got what Left gave back; told by AfterLeft
  bool is_closing_ = false;
};

template <class Filter>
std::vector<EntryPtr> Path::Extract(const Filter& filter) {
  auto taken = queue_.Extract([&](const Entry& entry) { return !entry.is_begun && filter(entry); });
  CountReady(-static_cast<int64_t>(taken.size()));
  return taken;
}

}  // namespace sluice::egress
