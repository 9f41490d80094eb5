// One I/O thread: an event loop and the sources that belong to it, whole. Everything about a source
// (its paths, their queues and connections) is touched on this thread alone, so that limits need no
// locks. Work comes in batches.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "absl/container/flat_hash_map.h"
#include "egress/connection_budget.h"
#include "egress/path.h"
#include "egress/shared_connections.h"
#include "egress/surroundings.h"
#include "egress/waiting_room.h"

namespace sluice::egress {

class IoThread {
 public:
  using Filter = std::function<bool(const Entry&)>;

  // `around` outlives it.
  IoThread(const Surroundings& around, SignerPool& signers, size_t most_connections);
  // Stops.
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  // ---- from any thread; each returns at once and runs in the order of the calls ----
  // Entries with their content. Those whose source is not here go back.
  void Take(std::vector<EntryPtr> entries);
  // All sources of this thread. Those left out are given up: what waits goes back, connections end.
  void SetSources(std::vector<BoundSourcePtr> sources);
  // Gives back what has not begun and that `filter` says yes to. `done` runs on this thread
  // afterwards.
  void GiveUp(Filter filter, ReturnReason reason, std::function<void()> done);
  // What is used here of limits that are shared; `use` runs on this thread. Then what this thread has of them.
  void AskShares(std::function<void(std::vector<ShareUse>)> use);
  void GiveShares(std::vector<GivenShare> shares, SteadyInstant until);
  // Ends transactions under way, see Path::Abort.
  void Abort(bool also_past_dot);

  // Ends the thread; what is open is dropped. Once only counts.
  void Stop();

 private:
  static constexpr Duration kTickInterval = std::chrono::milliseconds(250);

  // Beyond this many, what is known of the hosts of a path without work is forgotten at once.
  static constexpr size_t kMostPathsRemembered = 10'000;

  struct Source {
    BoundSourcePtr bound;  // null: given up, waiting for its connections to end
    std::unique_ptr<ConnectionBudget> connections;
    std::unique_ptr<PeerBudgets> peers;
    absl::flat_hash_map<std::string, std::unique_ptr<PathGroup>> groups;  // outlive the paths
    absl::flat_hash_map<std::string, std::unique_ptr<Path>> paths;  // by site and MX hosts
  };
  void Run();
  asio::awaitable<void> TickForEver();
  // Gives back entries whose lease or time has ended, and forgets paths that nothing goes on in.
  void Tick(SteadyInstant now, Instant wall);
  void TakeHere(std::vector<EntryPtr> entries);
  void AskDomain(const std::string& domain);
  // To their paths; what is wished of TLS is known.
  void Place(std::vector<EntryPtr> entries);
  void SetSourcesHere(std::vector<BoundSourcePtr> sources);
  SharedConnectionTable::Limits SharedOf(const BoundSource& source, const Destination& to) const;
  void GiveUpHere(const Filter& filter, ReturnReason reason);
  Path* PathOf(const Entry& entry);
  PathGroup& GroupOf(Source& source, const Entry& entry);

  const Surroundings& around_;
  ConnectionBudget budget_;
  WaitingRoom waiting_;
  SharedConnectionTable shared_;
  absl::flat_hash_map<std::string, Source> sources_;
  // After the sources: coroutines that it holds refer to paths.
  asio::io_context io_{1};
  SignDesk desk_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  std::thread thread_;
};

}  // namespace sluice::egress
