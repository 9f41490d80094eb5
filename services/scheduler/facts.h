// What routing asks of an entry, interned: entries of one kind of mail share one number.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/check.h"
#include "scheduler/names.h"

namespace sluice::scheduler {

// Numbers of Names: of what a policy names, which is few; and of the rest, of which clients make ever more.
struct Facts {
  uint32_t tenant = 0, stream = 0;
  uint32_t pool = 0;  // Moved there by an operator; the empty name = by the routes.
  uint32_t campaign = 0, sender_domain = 0, tags = 0;
  friend bool operator==(const Facts&, const Facts&) = default;
  template <class H>
  friend H AbslHashValue(H h, const Facts& f) {
    return H::combine(std::move(h), f.tenant, f.stream, f.campaign, f.sender_domain, f.tags, f.pool);
  }
};

// Content partitions as small numbers. Never forgets: there are a few a day. Not thread-safe.
class Parts {
 public:
  uint16_t Number(int32_t part) {
    const auto [it, fresh] = numbers_.try_emplace(part, static_cast<uint16_t>(parts_.size()));
    if (fresh) {
      SLUICE_CHECK(parts_.size() < UINT16_MAX);
      parts_.push_back(part);
    }
    return it->second;
  }
  int32_t operator[](uint16_t number) const { return parts_[number]; }

 private:
  std::vector<int32_t> parts_;
  absl::flat_hash_map<int32_t, uint16_t> numbers_;
};

// Numbers of what is forgotten come again (forgetting.h). Not thread-safe.
class FactsTable {
 public:
  static constexpr size_t kMost = size_t{1} << 24;  // An entry has 24 bits for it.
  uint32_t Number(const Facts& facts) {
    const auto [it, fresh] = numbers_.try_emplace(facts, 0);
    if (!fresh) {
      Mark(it->second);
      return it->second;
    }
    if (free_.empty()) {
      SLUICE_CHECK(all_.size() < kMost);
      it->second = static_cast<uint32_t>(all_.size());
      all_.emplace_back();
      states_.push_back(State::kFree);
    } else {
      it->second = free_.back();
      free_.pop_back();
    }
    all_[it->second] = facts;
    Mark(it->second);
    return it->second;
  }
  const Facts& operator[](uint32_t number) const { return all_[number]; }
  // Those that are not forgotten.
  size_t size() const { return numbers_.size(); }

  // Nothing is marked any more.
  void BeginMarks() { mark_ = mark_ == State::kOne ? State::kOther : State::kOne; }
  void Mark(uint32_t number) { states_[number] = mark_; }
  // Looks at the next `most` from `at` on and forgets those that are not marked; calls stays(facts) for the others. True: there are
  // no more.
  template <class Stays>
  bool ForgetUnmarked(size_t& at, size_t most, Stays stays) {
    for (const size_t end = std::min(all_.size(), at + most); at < end; ++at) {
      if (states_[at] == State::kFree) continue;
      if (states_[at] == mark_) {
        stays(all_[at]);
        continue;
      }
      numbers_.erase(all_[at]);
      states_[at] = State::kFree;
      free_.push_back(static_cast<uint32_t>(at));
    }
    return at >= all_.size();
  }

 private:
  // Marked is what has the state of the last BeginMarks.
  enum class State : uint8_t { kFree, kOne, kOther };

  std::vector<Facts> all_;
  std::vector<State> states_;
  absl::flat_hash_map<Facts, uint32_t> numbers_;
  std::vector<uint32_t> free_;
  State mark_ = State::kOne;
};

}  // namespace sluice::scheduler
