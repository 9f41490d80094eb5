#include "egress/content_cache.h"

#include <algorithm>
#include <utility>

#include "mail/limits.h"

namespace sluice::egress {
namespace {

// Encoded bytes of one content: a block encoder adds a little to what it cannot shrink.
constexpr size_t kMostDataBytes = limits::kContentBytes + (size_t{2} << 20);

}  // namespace

EntryPtr ContentCache::Attach(EntryPtr entry, SteadyInstant now, bool& must_ask) {
  must_ask = false;
  const std::lock_guard lock(mutex_);
  if (const auto found = slots_.find(entry->message.value()); found != slots_.end()) {
    entry->content = PinLocked(found->second);
    return entry;
  }
  auto& waiting = waiting_[entry->message.value()];
  const uint64_t session = entry->session->number();
  must_ask = std::none_of(waiting.begin(), waiting.end(), [session](const Waiting& other) {
    return other.entry->session->number() == session;
  });
  waiting.push_back({std::move(entry), now});
  return nullptr;
}

void ContentCache::Add(uint64_t session, ContentPart part, std::vector<EntryPtr>& ready) {
  const std::lock_guard lock(mutex_);
  const PartialKey key(session, part.fields.id.value());
  const bool is_first = !partials_.contains(key);
  if (is_first && part.is_last && Fits(part.fields.data.size(), part.fields.data.size())) {
    StoreLocked(std::move(part.fields), ready);
    return;
  }
  Partial& partial = partials_[key];
  AppendLocked(partial, is_first, std::move(part.fields));
  if (!part.is_last) return;
  Partial whole = std::move(partial);
  partials_.erase(key);
  if (whole.is_broken) return;
  bytes_ -= whole.fields.data.size();
  StoreLocked(std::move(whole.fields), ready);
}

bool ContentCache::Fits(size_t data_bytes, size_t more) const {
  return data_bytes <= kMostDataBytes && bytes_ + more <= 2 * options_.most_bytes;
}

void ContentCache::AppendLocked(Partial& partial, bool is_first, ContentFields fields) {
  if (partial.is_broken) return;
  const size_t more = fields.data.size();
  if (!Fits(partial.fields.data.size() + more, more)) {
    bytes_ -= partial.fields.data.size();
    partial.fields.data = std::string();
    partial.is_broken = true;
    return;
  }
  bytes_ += more;
  if (is_first) {
    partial.fields = std::move(fields);
  } else {
    partial.fields.data += fields.data;
  }
}

void ContentCache::Trim() {
  const std::lock_guard lock(mutex_);
  EvictLocked();
}

void ContentCache::Forget(uint64_t session) {
  const std::lock_guard lock(mutex_);
  absl::erase_if(partials_, [&](const auto& item) {
    if (item.first.first != session) return false;
    bytes_ -= item.second.fields.data.size();
    return true;
  });
}

std::vector<EntryPtr> ContentCache::TakeWaiting(const Filter& filter) {
  std::vector<EntryPtr> taken;
  const std::lock_guard lock(mutex_);
  absl::erase_if(waiting_, [&](auto& item) {
    std::erase_if(item.second, [&](Waiting& waiting) {
      if (!filter(*waiting.entry)) return false;
      taken.push_back(std::move(waiting.entry));
      return true;
    });
    return item.second.empty();
  });
  return taken;
}

std::vector<EntryPtr> ContentCache::TakeOverdue(SteadyInstant now) {
  std::vector<EntryPtr> taken;
  const std::lock_guard lock(mutex_);
  absl::erase_if(waiting_, [&](auto& item) {
    std::erase_if(item.second, [&](Waiting& waiting) {
      if (now - waiting.since < options_.most_wait) return false;
      taken.push_back(std::move(waiting.entry));
      return true;
    });
    return item.second.empty();
  });
  return taken;
}

void ContentCache::Discard(const Content& content) {
  const std::lock_guard lock(mutex_);
  const int64_t id = content.fields().id.value();
  const auto found = slots_.find(id);
  if (found != slots_.end() && found->second.content.get() == &content) DropLocked(id);
}

size_t ContentCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}
size_t ContentCache::content_count() const {
  const std::lock_guard lock(mutex_);
  return slots_.size();
}
size_t ContentCache::waiting_count() const {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const auto& [id, waiting] : waiting_) count += waiting.size();
  return count;
}

void ContentCache::Unpin(const Content& content) {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(content.fields().id.value());
  // Discarded meanwhile, or discarded and sent anew.
  if (found == slots_.end() || found->second.content.get() != &content) return;
  if (--found->second.pin_count > 0) return;
  found->second.idle = idle_.insert(idle_.end(), found->first);
  idle_bytes_ += content.cost_bytes();
  EvictLocked();
}

PinnedContent ContentCache::PinLocked(Slot& slot) {
  if (slot.pin_count++ == 0) {
    idle_.erase(slot.idle);
    idle_bytes_ -= slot.content->cost_bytes();
  }
  return PinnedContent(this, slot.content);
}

void ContentCache::StoreLocked(ContentFields fields, std::vector<EntryPtr>& ready) {
  const int64_t id = fields.id.value();
  Slot& slot = slots_[id];
  if (slot.content != nullptr) {
    // Sent again because it is needed again: the newest, if nobody holds it.
    if (slot.pin_count == 0) idle_.splice(idle_.end(), idle_, slot.idle);
  } else {
    slot.content = std::make_shared<const Content>(std::move(fields), memory_);
    slot.idle = idle_.insert(idle_.end(), id);
    bytes_ += slot.content->cost_bytes();
    idle_bytes_ += slot.content->cost_bytes();
  }
  if (const auto found = waiting_.find(id); found != waiting_.end()) {
    for (Waiting& waiting : found->second) {
      waiting.entry->content = PinLocked(slot);
      ready.push_back(std::move(waiting.entry));
    }
    waiting_.erase(found);
  }
}

void ContentCache::EvictLocked() {
  // The newest stays: the entries that need it may be in the next batch.
  while (idle_.size() > 1 &&
         (idle_bytes_ > options_.most_idle_bytes || bytes_ > options_.most_bytes)) {
    DropLocked(idle_.front());
  }
}

void ContentCache::DropLocked(int64_t id) {
  const auto found = slots_.find(id);
  const size_t cost = found->second.content->cost_bytes();
  bytes_ -= cost;
  if (found->second.pin_count == 0) {
    idle_bytes_ -= cost;
    idle_.erase(found->second.idle);
  }
  slots_.erase(found);
}

}  // namespace sluice::egress
