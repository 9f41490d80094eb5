// Housekeeping of the tables, run by the owner of `control` every minute or so. Each step is a
// transaction of its own with a short lock timeout: what does not get its lock is left for the next
// time, so the path of a message never waits long.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

struct ConnectionOptions;

struct ContentUpkeep {
  // The open partition is closed and a new one opened when it is this old, or this large.
  Duration max_age = std::chrono::hours(6);
  int64_t max_bytes = int64_t{16} << 30;
  // A closed partition is looked at after this; dropped only when no entry names it.
  Duration drop_after = std::chrono::hours(1);
};

struct UpkeepReport {
  std::vector<std::string> created{}, dropped{};  // Names of partitions.
  // Steps left for the next run, with the reason.
  std::vector<std::string> postponed{};
};

// Not thread-safe; a connection of its own. Two at once do no harm: an advisory lock lets one of
// them pass.
class Upkeep {
 public:
  virtual ~Upkeep() = default;
  virtual absl::StatusOr<UpkeepReport> KeepContent(const ContentUpkeep& options, Instant now) = 0;
  // Partitions for today and a week ahead; drops those whose last day ended `keep` ago. Event
  // numbers go on above them.
  virtual absl::StatusOr<UpkeepReport> KeepEvents(Duration keep, Instant now) = 0;
  // Swaps the generations of idempotency keys when the last swap is at least `every` ago; a key is
  // therefore known for at least `every`. True = swapped.
  virtual absl::StatusOr<bool> RotateSubmissions(Duration every, Instant now) = 0;
  // Registrations of writers that are gone, never wrote a batch that is still known, and began
  // before `before`.
  virtual absl::Status TrimWriters(Instant before) = 0;
};
absl::StatusOr<std::unique_ptr<Upkeep>> OpenUpkeep(const ConnectionOptions& options);

}  // namespace sluice::storage
