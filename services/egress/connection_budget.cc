#include "egress/connection_budget.h"

#include <algorithm>

#include "egress/connection.h"

namespace sluice::egress {

bool ConnectionBudget::Take(Path& path) {
  if (used_ < most_) {
    ++used_;
    return true;
  }
  if (is_wanting_.insert(&path).second) wanting_.push_back(&path);
  if (!idle_.empty()) idle_.front()->Retire();
  return false;
}

void ConnectionBudget::SetMost(size_t most) {
  most_ = most;
  for (size_t over = used_ > most ? used_ - most : 0; over > 0 && !idle_.empty(); --over) {
    idle_.front()->Retire();
  }
}

Path* ConnectionBudget::GiveBack() {
  --used_;
  if (wanting_.empty()) return nullptr;
  Path* path = wanting_.front();
  wanting_.pop_front();
  is_wanting_.erase(path);
  return path;
}

void ConnectionBudget::Forget(Path& path) {
  if (is_wanting_.erase(&path) > 0) std::erase(wanting_, &path);
}

}  // namespace sluice::egress
