// Paths of one source that share limits: all to one provider, or where every site counts for itself
// (policy/shaping.h, architecture §3), those to one site. Belongs to one thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "egress/connection_budget.h"
#include "egress/attempt.h"
#include "egress/limit_windows.h"
#include "egress/peer_budgets.h"
#include "egress/surroundings.h"
#include "policy/aimd.h"

namespace sluice::egress {

class PathGroup {
 public:
  // All but the names outlive it; `source_connections` and `peers` are of the source as a whole.
  PathGroup(const Surroundings& around, asio::io_context& io, SourceName source, Provider provider, SiteName site,
            ConnectionBudget& source_connections, PeerBudgets& peers);
  ~PathGroup();
  // The io_context ends before the group does, as coroutines that it holds refer to paths: what belongs to it goes first.
  void LeaveThread() { timer_.reset(); }
  PathGroup(const PathGroup&) = delete;
  PathGroup& operator=(const PathGroup&) = delete;

  // Which group an entry belongs to, among those of its source.
  static std::string KeyOf(const Provider& provider, const SiteName& site);

  // Looks the limits up when the source has another book, or the last look is a while ago:
  // constraints end by themselves.
  void Refresh(const BoundSource& source, Instant now);
  const EffectiveLimits& limits() const { return limits_; }

  ConnectionBudget& connections() { return connections_; }
  ConnectionBudget& source_connections() { return source_connections_; }
  PeerBudgets& peers() { return peers_; }

  // Whether a message of `bytes` may begin now, `ahead` others being about to. When not, `path` is pumped as soon as it may.
  bool MayBegin(Path& path, size_t ahead, size_t bytes);
  // How many recipients may be in one that begins now, at most `most`.
  size_t MostRecipients(size_t most) const;
  void Began(size_t recipients, size_t bytes);
  // Whether a connection may be opened now; as MayBegin.
  bool MayConnect(Path& path);
  // Pumps `path` then.
  void Await(Path& path, SteadyInstant at);
  void Connecting();
  // The last one was not opened after all: nobody was dialled.
  void NotConnecting();

  // ---- what its attempts say ----
  // False for further recipients of a transaction that was answered as a whole.
  bool CountsAnew(Instant started_at, std::string_view reply);
  // Messages a second that were taken lately.
  double Taken() const { return taken_.PerSecond(around_.clock.Steady()); }
  const SiteName& site() const { return site_; }
  void Concluded(const egress::Concluded& concluded, bool counts, Duration duration);

  // Entries that wait in its paths have become more or fewer.
  void CountWaiting(int64_t more) { waiting_count_ += more; }
  // There are more than can begin soon: those that came last go back.
  bool IsOverfull() const { return room_ && waiting_count_ > *room_; }

  void Joined() { ++path_count_; }
  void Left(Path& path);
  // Nobody belongs to it, and it remembers nothing.
  bool IsDisposable() const;

 private:
  static constexpr Duration kLookEvery = std::chrono::seconds(1);
  static constexpr Duration kHandOverAfter = std::chrono::seconds(10);

  void PumpWaiting();
  // Tells the schedulers when there is much more or less room than they know.
  void TellRoom();
  ShapingFacts Facts(const BoundSource& source) const;
  // The limits of the book, tightened by what this egress has found out since.
  void Tighten(Instant now);
  // A suspension that the scheduler has in its table acts there, and ends there: a person may lift it.
  void HandOver(Instant now);
  void TickAimd();
  // Limits by the rate of aimd_, and has it kept.
  void KeepAimd(double before, std::string_view why);

  const Surroundings& around_;
  const SourceName source_;
  const Provider provider_;
  const SiteName site_;
  ConnectionBudget& source_connections_;
  PeerBudgets& peers_;
  ConnectionBudget connections_{0};
  std::shared_ptr<const LimitBook> book_;
  EffectiveLimits limits_;
  Instant looked_at_{};
  size_t path_count_ = 0;
  LimitWindows windows_;
  RateMeter taken_;
  Aimd aimd_;
  bool is_seeded_ = false;
  EffectiveLimits of_book_;         // Its rate is the ceiling of aimd_.
  std::vector<Reaction> reactions_;     // Of this group, in force: acted on at once, whenever they come back in the book.
  std::optional<Instant> suspended_until_;
  std::pair<Instant, std::string> counted_;
  std::optional<int64_t> room_;  // As it was told.
  int64_t waiting_count_ = 0;
  std::deque<Path*> waiting_;  // For a window, each once, in the order of their turns.
  std::optional<asio::steady_timer> timer_;  // none: its I/O thread has ended
  std::optional<SteadyInstant> timer_at_;
  // What the timer calls is gone when this is.
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace sluice::egress
