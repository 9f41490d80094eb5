// Contents and payloads that are in memory: handed off and not yet released, fetched, or in flight. A content stays while some
// entry uses it; everything else is read again from PostgreSQL when its turn comes.
#pragma once

#include <memory>

#include "absl/container/flat_hash_map.h"
#include "scheduler/types.h"

namespace sluice::scheduler {

// Not thread-safe.
class ContentStore {
 public:
  // One more entry uses the message's content; `content` may be null when it is here already.
  void Attach(int64_t message_id, std::shared_ptr<const Content> content);
  void Detach(int64_t message_id);
  std::shared_ptr<const Content> Find(int64_t message_id) const;

  // A waiting entry's payload, with its content attached.
  void Keep(int64_t entry_id, int64_t message_id, EntryPayload payload, std::shared_ptr<const Content> content);
  // Moves the payload out; the content stays attached for the caller. False when it is not here.
  bool Take(int64_t entry_id, EntryPayload& payload);
  // Drops payload and content of a waiting entry.
  void Drop(int64_t entry_id, int64_t message_id);

  int64_t bytes() const { return bytes_; }

 private:
  struct Used {
    std::shared_ptr<const Content> content;
    uint32_t entries = 0;
  };
  absl::flat_hash_map<int64_t, Used> contents_;
  absl::flat_hash_map<int64_t, EntryPayload> payloads_;
  int64_t bytes_ = 0;
};

}  // namespace sluice::scheduler
