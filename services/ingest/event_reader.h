// Reads a tenant's events (of all, where it is empty) from a cursor on, in bounded steps: what Subscribe sends, without the
// sending.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/event_cursor.h"
#include "storage/event_store.h"

namespace sluice::ingest {

// Empty fields match everything.
struct EventFilter {
  std::set<std::string> kinds;  // As in the event table.
  std::string stream;
  std::string campaign;
  int64_t message_id = 0;
};

// One subscriber's. Not thread-safe.
class EventReader {
 public:
  EventReader(storage::EventStore& store, std::string tenant, EventFilter filter)
      : store_(store), tenant_(std::move(tenant)), filter_(std::move(filter)) {}

  // Where to begin: after the cursor given, else at the newest or the oldest event.
  absl::Status StartAt(const EventCursor& cursor);
  absl::Status StartNow();
  absl::Status StartAtOldest();

  struct Step {
    std::vector<storage::StoredEvent> events;
    // The cursor moved, with or without events that pass the filter.
    bool moved = false;
  };
  // Waits for the database, never for events. OutOfRange: what follows the cursor is no longer
  // kept.
  absl::StatusOr<Step> Read();
  const EventCursor& cursor() const { return cursor_; }

 private:
  bool Passes(const storage::StoredEvent& event) const;

  storage::EventStore& store_;
  const std::string tenant_;
  const EventFilter filter_;
  EventCursor cursor_;
  int last_shard_ = -1;  // Shards take turns.
};

}  // namespace sluice::ingest
