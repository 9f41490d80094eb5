// Entries of one path that wait for a connection: two classes, high before normal, each in the
// order it came. Shallow: credit bounds it. Belongs to one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "egress/work.h"

namespace sluice::egress {

class ReadyQueue {
 public:
  void Push(EntryPtr entry) {
    auto& queue = entry->is_high ? high_ : normal_;
    queue.push_back(std::move(entry));
  }
  // For an entry that was taken and not attempted: it is the next of its class again.
  void PushFront(EntryPtr entry) {
    auto& queue = entry->is_high ? high_ : normal_;
    queue.push_front(std::move(entry));
  }
  // Null when empty.
  EntryPtr Pop() {
    auto& queue = high_.empty() ? normal_ : high_;
    if (queue.empty()) return nullptr;
    EntryPtr entry = std::move(queue.front());
    queue.pop_front();
    return entry;
  }
  // The one that Pop would give last, if it has not begun; null otherwise.
  EntryPtr PopBack() {
    auto& queue = normal_.empty() ? high_ : normal_;
    if (queue.empty() || queue.back()->is_begun) return nullptr;
    EntryPtr entry = std::move(queue.back());
    queue.pop_back();
    return entry;
  }
  // The entry that Pop would give; null when empty.
  const Entry* Front() const {
    const auto& queue = high_.empty() ? normal_ : high_;
    return queue.empty() ? nullptr : queue.front().get();
  }
  // Entries that may share a transaction with `first` (the same content, and no other need of
  // SMTPUTF8) and stand near the front of its class; at most `most`, appended to `out` in order.
  void PopMates(const Entry& first, size_t most, std::vector<EntryPtr>& out) {
    auto& queue = first.is_high ? high_ : normal_;
    const auto end = queue.begin() + static_cast<std::ptrdiff_t>(std::min(queue.size(), kLookAhead));
    const auto kept_end = std::remove_if(queue.begin(), end, [&](EntryPtr& entry) {
      if (most == 0 || &*entry->content != &*first.content ||
          entry->has_utf8_address != first.has_utf8_address) {
        return false;
      }
      --most;
      out.push_back(std::move(entry));
      return true;
    });
    queue.erase(kept_end, end);
  }
  // Removes the entries that `filter(const Entry&)` says yes to.
  template <class Filter>
  std::vector<EntryPtr> Extract(const Filter& filter) {
    std::vector<EntryPtr> taken;
    for (auto* queue : {&high_, &normal_}) {
      std::erase_if(*queue, [&](EntryPtr& entry) {
        if (!filter(*entry)) return false;
        taken.push_back(std::move(entry));
        return true;
      });
    }
    return taken;
  }
  size_t size() const { return high_.size() + normal_.size(); }
  bool empty() const { return high_.empty() && normal_.empty(); }

 private:
  static constexpr size_t kLookAhead = 256;

  std::deque<EntryPtr> high_, normal_;
};

}  // namespace sluice::egress
