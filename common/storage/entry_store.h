// Questions about what still waits, for people: never on the path of a message.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

// A row of `queue_entry` as a person sees it.
struct QueueEntryRow {
  int64_t id = 0, message_id = 0;
  Instant accepted_at{}, due_at{}, expires_at{};
  int16_t attempts = 0, priority = 1;
  std::string tenant{}, stream{}, campaign{}, domain{}, sender_domain{}, recipient{}, last_source{},
      held{}, tags{};
  std::string provider{};  // By domain_route; `unresolved` before the first lookup.
  std::string metadata_json{};
};

// Empty fields match everything.
struct QueueFilter {
  std::string tenant{}, stream{}, campaign{}, domain{}, sender_domain{}, provider{}, last_source{};
  bool only_held = false;
};

struct QueueGroup {
  std::string name{};
  int64_t entries = 0;
  Instant oldest_accepted_at{}, next_due_at{};
};

// Thread-safe.
class EntryStore {
 public:
  virtual ~EntryStore() = default;
  // Entries of the message that are still there, in order of recipient.
  virtual absl::StatusOr<std::vector<QueueEntryRow>> ByMessage(int64_t message_id) = 0;
  // In order of id, above `after_id`.
  virtual absl::StatusOr<std::vector<QueueEntryRow>> List(const QueueFilter& filter,
                                                          int64_t after_id, int limit) = 0;
  // Largest groups first. `group_by`: provider, tenant, stream, campaign, domain, sender_domain or
  // source (of the last attempt); anything else is InvalidArgument. Counts all that waits: seconds
  // on tens of millions.
  virtual absl::StatusOr<std::vector<QueueGroup>> Summarize(const QueueFilter& filter,
                                                            const std::string& group_by,
                                                            int limit) = 0;
};
std::unique_ptr<EntryStore> MakeEntryStore(ConnectionPool& pool);

}  // namespace sluice::storage
