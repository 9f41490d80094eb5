// What others say of our sources and sending domains (blocklists, DNS, SNDS, Postmaster Tools): the last good answer of each question,
// and since when there is none.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "storage/event_inbox.h"

namespace sluice::storage {

class ConnectionPool;

struct StoredSignal {
  // One of the two is named; neither: of the poller itself.
  std::string source = {}, sender_domain = {};
  std::string provider = {};  // Whose opinion it is; empty = nobody's in particular.
  std::string name = {};      // `zen.spamhaus.org`, `reverse_dns`, `snds` …
  std::string verdict = {};   // `good`, `warning`, `bad`, `unknown`.
  std::string word = {};      // Of the opinion that rules of health name; empty = none.
  std::string value = {}, detail = {}, raw = {};
  double amount = 0;  // What the word is about, as a share.
  Instant checked_at{}, changed_at{};
  std::optional<Instant> failed_at = {};
  std::string failure = {};
  int positives = 0, negatives = 0;  // In a row.
  std::optional<Instant> first_positive_at = {};
};

// Thread-safe.
class SignalStore {
 public:
  virtual ~SignalStore() = default;
  // In the order of source, domain, provider, name; `with_raw` also what was answered word for word.
  virtual absl::StatusOr<std::vector<StoredSignal>> List(bool with_raw) = 0;
  // All or none, with the events that tell of them; each replaces its row.
  virtual absl::Status Save(const std::vector<StoredSignal>& signals, const std::vector<InboxNote>& notes) = 0;
  // Of sources and domains that are not ours any more, or questions that are not asked.
  virtual absl::Status Forget(const std::vector<StoredSignal>& signals) = 0;
};
std::unique_ptr<SignalStore> MakeSignalStore(ConnectionPool& pool);

}  // namespace sluice::storage
