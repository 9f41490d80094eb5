// Questions and orders about one message of a tenant: what is known of it, and cancelling what has
// not begun.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "mail/ids.h"
#include "storage/entry_store.h"
#include "storage/event_store.h"

namespace sluice::ingest {

// Thread-safe; waits for the database.
class Lookup {
 public:
  // Asks the owner of the message's shard to cancel entries; answers each entry's id and whether it
  // was in time. Unavailable: no owner answers now.
  using CancelEntries = std::function<absl::StatusOr<std::vector<std::pair<int64_t, bool>>>(
      MessageId message, const std::vector<int64_t>& entries)>;

  Lookup(storage::EntryStore& entries, storage::EventStore& events, CancelEntries cancel_entries)
      : entries_(entries), events_(events), cancel_entries_(std::move(cancel_entries)) {}

  struct Message {
    std::vector<storage::QueueEntryRow> entries;
    std::vector<storage::StoredEvent> events;  // Oldest first.
  };
  // NotFound when nothing is known of it, or it is another tenant's.
  absl::StatusOr<Message> Get(std::string_view tenant, MessageId message, int most_events);

  struct Cancelled {
    std::string recipient;
    bool cancelled = false;
  };
  // One answer per recipient named, or per entry still waiting when none is named. NotFound as Get.
  absl::StatusOr<std::vector<Cancelled>> Cancel(std::string_view tenant, MessageId message,
                                                const std::vector<std::string>& recipients);

 private:
  storage::EntryStore& entries_;
  storage::EventStore& events_;
  const CancelEntries cancel_entries_;
};

}  // namespace sluice::ingest
