#include "scheduler/watermarks.h"

namespace sluice::scheduler {

void Watermarks::Set(int shard, int64_t writer, int64_t seq) {
  State& state = states_[{shard, writer}];
  if (!state.above.empty()) --gaps_;
  state = {.mark = seq, .above = {}};
  known_.insert(writer);
}

void Watermarks::ForgetShard(int shard) {
  for (auto it = states_.begin(); it != states_.end();) {
    if (it->first.first == shard) {
      if (!it->second.above.empty()) --gaps_;
      states_.erase(it++);
    } else {
      ++it;
    }
  }
}

void Watermarks::Retire(int64_t writer) {
  known_.erase(writer);
  for (auto it = states_.begin(); it != states_.end();) {
    if (it->first.second == writer) {
      if (!it->second.above.empty()) --gaps_;
      states_.erase(it++);
    } else {
      ++it;
    }
  }
}

bool Watermarks::Take(int shard, int64_t writer, int64_t seq) {
  State& state = states_[{shard, writer}];
  if (seq <= state.mark) return false;
  const bool had_gap = !state.above.empty();
  if (!state.above.insert(seq).second) return false;
  while (!state.above.empty() && *state.above.begin() == state.mark + 1) {
    ++state.mark;
    state.above.erase(state.above.begin());
  }
  gaps_ += static_cast<int>(!state.above.empty()) - static_cast<int>(had_gap);
  return true;
}

std::vector<Mark> Watermarks::All() const {
  std::vector<Mark> marks;
  marks.reserve(states_.size());
  for (const auto& [key, state] : states_) marks.push_back({key.first, key.second, state.mark});
  return marks;
}

}  // namespace sluice::scheduler
