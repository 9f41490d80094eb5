// What came back after acceptance (bounces, complaints, unsubscribes), matched to what was sent and told
// once: the event's note, the suppression and the memory that it was told are one transaction.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "mail/suppression.h"

namespace sluice::storage {

class ConnectionPool;

// What a report names: an entry, or a recipient of a message.
struct FeedbackKey {
  int64_t message_id = 0;
  int64_t queue_entry_id = 0;  // 0 = by `recipient`, in any letter case.
  std::string recipient{};
};

// Whose copy of which message it is about. Without a message: tenant and recipient alone.
struct FeedbackSubject {
  int64_t message_id = 0, queue_entry_id = 0;
  std::string tenant{}, stream{}, campaign{}, recipient{}, pool{}, provider{}, source{}, metadata_json{};
};

struct Feedback {
  std::string kind{};  // `complained`, `bounced_later`, `unsubscribed`.
  FeedbackSubject subject{};
  std::string enhanced_status{}, reply{}, reply_class{}, detail{};
  Instant occurred_at{};
  std::optional<Suppression> suppression{};
};

// Thread-safe.
class FeedbackStore {
 public:
  virtual ~FeedbackStore() = default;
  // In the order of the keys; nothing where neither an event nor an entry is known any more.
  virtual absl::StatusOr<std::vector<std::optional<FeedbackSubject>>> Match(
      const std::vector<FeedbackKey>& keys) = 0;
  // Tells each once: of a message once per kind and recipient, without one once per kind, recipient and
  // instant. Answers whether each was new. At most 1,000.
  virtual absl::StatusOr<std::vector<bool>> Record(const std::vector<Feedback>& feedback,
                                                   Instant now) = 0;
  // Forgets what was told before; longer than events are kept.
  virtual absl::Status Forget(Instant before) = 0;
};
std::unique_ptr<FeedbackStore> MakeFeedbackStore(ConnectionPool& pool);

}  // namespace sluice::storage
