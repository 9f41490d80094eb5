// Strings that repeat (tenants, domains, sites, sources) as small numbers, so that an index entry stays small.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sluice::scheduler {

// Numbers from 0 in order of appearance; never forgets. Not thread-safe.
class Names {
 public:
  uint32_t Number(std::string_view name) {
    if (const auto it = numbers_.find(name); it != numbers_.end()) return it->second;
    const auto number = static_cast<uint32_t>(names_.size());
    numbers_.emplace(names_.emplace_back(name), number);
    return number;
  }
  const std::string& Name(uint32_t number) const { return names_[number]; }
  size_t size() const { return names_.size(); }

 private:
  std::deque<std::string> names_;  // Stable: the map's views point into it.
  std::unordered_map<std::string_view, uint32_t> numbers_;
};

}  // namespace sluice::scheduler
