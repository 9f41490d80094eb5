// Contents by message id, bounded in bytes, and the entries that wait for one. Entries pin what
// they need; the rest goes oldest first. What was dropped is asked for again from the scheduler.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "egress/content.h"
#include "egress/work.h"

namespace sluice::egress {

// A content or a part of one, in order. The first part of a message carries all fields; later ones
// only data.
struct ContentPart {
  ContentFields fields;
  bool is_last = true;
};

struct ContentCacheOptions {
  // Pinned and unpinned together aim at this; what a scheduler sends beyond twice this is dropped.
  size_t most_bytes = size_t{256} << 20;
  // Unpinned contents kept for other recipients that follow. Few: what lies idle has left the
  // processor's caches by the time its memory is used again.
  size_t most_idle_bytes = size_t{4} << 20;
  // An entry waits this long for a content that was asked for.
  Duration most_wait = std::chrono::seconds(10);
};

// Thread-safe. Must outlive every PinnedContent.
class ContentCache {
 public:
  using Filter = std::function<bool(const Entry&)>;

  explicit ContentCache(ContentCacheOptions options) : options_(options) {}

  // Gives the entry its content and hands it back; or keeps it waiting and returns null. `must_ask`
  // is then set when its session has not been asked for this content by an earlier entry.
  EntryPtr Attach(EntryPtr entry, SteadyInstant now, bool& must_ask);
  // Takes a part from a session. Entries that waited for a content now complete are appended to
  // `ready`. A part that does not fit (nonsense, too large, no room) is dropped with all of its
  // message.
  void Add(uint64_t session, ContentPart part, std::vector<EntryPtr>& ready);
  // Drops what is over the bounds and not pinned. Called when a batch's entries have pinned what
  // came with it.
  void Trim();
  // The session is gone: its half-received contents are dropped. Entries that wait are taken with
  // TakeWaiting.
  void Forget(uint64_t session);
  // Waiting entries that `filter` says yes to.
  std::vector<EntryPtr> TakeWaiting(const Filter& filter);
  // Entries that have waited too long.
  std::vector<EntryPtr> TakeOverdue(SteadyInstant now);
  // Drops a content that proved to be broken, as soon as nobody holds it; it can be asked for
  // again.
  void Discard(const Content& content);

  // Whether decoding this content now keeps all decoded bytes within `most_bytes`. The first is
  // always let through, so that one large message cannot stop everything.
  bool HasRoomToDecode(const Content& content) const {
    const size_t more = content.decoded_bytes();
    const size_t now = memory_->decoded_bytes();
    return more == 0 || now == 0 || now + more <= options_.most_bytes;
  }

  // For whoever receives contents: a string to receive the next one in.
  std::string TakeString() { return memory_->TakeString(); }

  size_t bytes() const;
  size_t content_count() const;
  size_t waiting_count() const;

 private:
  friend class PinnedContent;
  struct Slot {
    std::shared_ptr<const Content> content;
    int pin_count = 0;
    std::list<int64_t>::iterator idle;  // valid when pin_count == 0
  };
  struct Waiting {
    EntryPtr entry;
    SteadyInstant since{};
  };
  struct Partial {
    ContentFields fields;
    bool is_broken = false;
  };
  using PartialKey = std::pair<uint64_t, int64_t>;  // session, message

  void Unpin(const Content& content);
  PinnedContent PinLocked(Slot& slot);
  void StoreLocked(ContentFields fields, std::vector<EntryPtr>& ready);
  bool Fits(size_t data_bytes, size_t more) const;
  void AppendLocked(Partial& partial, bool is_first, ContentFields fields);
  void EvictLocked();
  void DropLocked(int64_t id);

  const ContentCacheOptions options_;
  // Shared with contents and bodies, which may live longer.
  const std::shared_ptr<ContentMemory> memory_ = std::make_shared<ContentMemory>();
  mutable std::mutex mutex_;
  absl::flat_hash_map<int64_t, Slot> slots_;
  std::list<int64_t> idle_;  // oldest first
  absl::flat_hash_map<PartialKey, Partial> partials_;
  absl::flat_hash_map<int64_t, std::vector<Waiting>> waiting_;
  size_t bytes_ = 0;  // of slots and partials
  size_t idle_bytes_ = 0;
};

}  // namespace sluice::egress
