// How many connections some paths may have at once: those of an I/O thread, of a source, those that
// share limits, or those of a source to one address (peer_budgets.h). When it is used up, the
// connection that has been idle longest makes room, and paths that got none are served as soon as
// one ends. Belongs to one thread.
#pragma once

#include <cstddef>
#include <deque>
#include <list>

#include "absl/container/flat_hash_set.h"

namespace sluice::egress {

class Connection;
class Path;

class ConnectionBudget {
 public:
  using IdleList = std::list<Connection*>;

  explicit ConnectionBudget(size_t most) : most_(most) {}

  // Takes one, or notes that `path` wants one and asks the longest idle connection to end.
  bool Take(Path& path);
  // So many are there already, whether or not they may: they count from now on, or (`n` of them) no more.
  void Join(size_t n) { used_ += n; }
  void Part(size_t n) { used_ -= n; }
  // Gives back what Take gave a moment ago: another budget had none.
  void Untake() { --used_; }
  // Fewer: idle connections beyond it end, busy ones after their transaction (IsOver). More: paths
  // that want one are to be pumped.
  void SetMost(size_t most);
  bool IsOver() const { return used_ > most_; }
  // Gives one back. Returns a path that wants one, or null.
  Path* GiveBack();
  // The path goes away.
  void Forget(Path& path);

  IdleList::iterator AddIdle(Connection& connection) {
    return idle_.insert(idle_.end(), &connection);
  }
  void RemoveIdle(IdleList::iterator place) { idle_.erase(place); }

  size_t used() const { return used_; }
  bool is_blank() const { return used_ == 0 && wanting_.empty(); }

 private:
  size_t most_;
  size_t used_ = 0;
  IdleList idle_;  // longest idle first
  std::deque<Path*> wanting_;
  absl::flat_hash_set<Path*> is_wanting_;
};

}  // namespace sluice::egress
