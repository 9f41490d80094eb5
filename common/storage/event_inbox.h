// Events of those who own no shard: feedback, decisions about sources, suppressed recipients. A note waits in `event_inbox` until
// the owner of its shard has given it a number (Settler::TakeInbox), usually within a second.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace sluice::storage {

class ConnectionPool;

// Fields as in StoredEvent (event_store.h). Without a message the shard is 0: happenings to sources, providers, tenants.
struct InboxNote {
  int64_t message_id = 0, queue_entry_id = 0;
  std::string kind{};  // Event kind in lower case; not empty.
  std::string tenant{}, stream{}, campaign{}, recipient{}, pool{}, provider{}, source{},
      enhanced_status{}, reply{}, reply_class{}, detail{};
  std::string metadata_json{};  // Empty = none.
};

// Thread-safe.
class EventInbox {
 public:
  virtual ~EventInbox() = default;
  // All of them or none, in one transaction of its own.
  virtual absl::Status Post(const std::vector<InboxNote>& notes) = 0;
};
std::unique_ptr<EventInbox> MakeEventInbox(ConnectionPool& pool);

}  // namespace sluice::storage
