// What events add up to: counts per (source, provider, tenant, kind, reply class), and hard bounces that
// suppress. Follows the event tables beside the path of a message; how far it came is stored with the
// sums, so that nothing is counted twice or left out, whoever owns `control`.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "mail/disposition.h"
#include "mail/policy_document.h"

namespace sluice::storage {

class ConnectionPool;

struct TallyCount {
  std::string source{}, provider{}, tenant{};
  std::string kind{}, reply_class{};  // As in events.
  int64_t count = 0;
  Instant last_at{};
  std::string last_reply{};  // `550 5.7.1 text`.
  std::string reply_rule{};  // That read the reply (policy/classification.h); empty = none.
  ReplyScope reply_scope = ReplyScope::kMessage;
  std::string sender_domain{};  // That the reply blames; empty = none named.
};

struct Tally {
  std::vector<TallyCount> counts{};
  int suppressed = 0;
  bool is_all = true;  // False: there is more, ask again.
};

// One at a time.
class EventTally {
 public:
  virtual ~EventTally() = default;
  // Adds up what is new, some `limit` events of all shards together, twice that at most. `lives` says for which tenants a hard
  // bounce suppresses, and how long.
  virtual absl::StatusOr<Tally> Take(const std::map<std::string, SuppressionLife>& lives, int limit) = 0;
  // The sums since `from`, of one source or provider or all (empty); each five minutes by themselves, or together.
  virtual absl::StatusOr<std::vector<TallyCount>> Read(Instant from, const std::string& source,
                                                       const std::string& provider, bool by_time = false) = 0;
  virtual absl::Status Forget(Instant before) = 0;
};
std::unique_ptr<EventTally> MakeEventTally(ConnectionPool& pool);

}  // namespace sluice::storage
