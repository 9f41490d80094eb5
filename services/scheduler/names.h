// Strings that repeat (tenants, campaigns, sources) as small numbers, so that an index entry stays small.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice::scheduler {

// Numbers from 0; those of forgotten names come again. How something is found out to be in use no more: forgetting.h. Not thread-safe.
class Names {
 public:
  uint32_t Number(std::string_view name) {
    if (const auto it = numbers_.find(name); it != numbers_.end()) {
      Mark(it->second);
      return it->second;
    }
    const uint32_t number = Free();
    names_[number] = {.text = std::string(name), .is_marked = mark_, .is_used = true};
    numbers_.emplace(names_[number].text, number);
    return number;
  }
  const std::string& Name(uint32_t number) const { return names_[number].text; }
  // Those that are not forgotten.
  size_t size() const { return numbers_.size(); }

  // Nothing is marked any more.
  void BeginMarks() { mark_ = !mark_; }
  void Mark(uint32_t number) { names_[number].is_marked = mark_; }
  // Looks at the next `most` from `at` on and forgets those that are not marked. True: there are no more.
  bool ForgetUnmarked(size_t& at, size_t most) {
    for (const size_t end = std::min(names_.size(), at + most); at < end; ++at) {
      Named& named = names_[at];
      if (!named.is_used || named.is_marked == mark_) continue;
      numbers_.erase(named.text);
      named = Named();
      free_.push_back(static_cast<uint32_t>(at));
    }
    return at >= names_.size();
  }

 private:
  struct Named {
    std::string text = {};
    bool is_marked = false, is_used = false;
  };
  uint32_t Free() {
    if (free_.empty()) {
      names_.emplace_back();
      return static_cast<uint32_t>(names_.size() - 1);
    }
    const uint32_t number = free_.back();
    free_.pop_back();
    return number;
  }

  std::deque<Named> names_;  // Stable: the map's views point into it.
  std::unordered_map<std::string_view, uint32_t> numbers_;
  std::vector<uint32_t> free_;
  bool mark_ = false;
};

}  // namespace sluice::scheduler
