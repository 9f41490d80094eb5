#include "ingest/event_reader.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace sluice::ingest {
namespace {

// Rows looked at in one shard, and events sent together.
constexpr int kRowsPerShard = 500;
constexpr size_t kMostEvents = 500;

}  // namespace

absl::Status EventReader::StartAt(const EventCursor& cursor) {
  cursor_ = cursor;
  return absl::OkStatus();
}

absl::Status EventReader::StartNow() {
  ASSIGN_OR_RETURN(const std::vector<storage::ShardSeq> last, store_.LastSeqs());
  cursor_ = EventCursor(last.begin(), last.end());
  return absl::OkStatus();
}

absl::Status EventReader::StartAtOldest() {
  ASSIGN_OR_RETURN(const std::vector<storage::ShardSeq> oldest, store_.OldestSeqs());
  cursor_.clear();
  for (const auto& [shard, seq] : oldest) cursor_[shard] = seq - 1;
  return absl::OkStatus();
}

absl::StatusOr<EventReader::Step> EventReader::Read() {
  Step step;
  ASSIGN_OR_RETURN(std::vector<storage::ShardSeq> last, store_.LastSeqs());
  std::sort(last.begin(), last.end());
  // Begin after the shard that was read last, so that a busy one delays nobody.
  const auto turn = std::upper_bound(last.begin(), last.end(), std::pair(last_shard_, INT64_MAX));
  std::rotate(last.begin(), turn, last.end());
  for (const auto& [shard, last_seq] : last) {
    int64_t& seen = cursor_[shard];
    if (last_seq <= seen) continue;
    if (step.events.size() >= kMostEvents) break;
    ASSIGN_OR_RETURN(storage::EventPage page, store_.Read(shard, seen, kRowsPerShard, tenant_));
    step.moved = step.moved || page.scanned_to > seen;
    seen = std::max(seen, page.scanned_to);
    last_shard_ = shard;
    for (storage::StoredEvent& event : page.events) {
      if (Passes(event)) step.events.push_back(std::move(event));
    }
  }
  return step;
}

bool EventReader::Passes(const storage::StoredEvent& event) const {
  return (filter_.kinds.empty() || filter_.kinds.contains(event.kind)) &&
         (filter_.stream.empty() || filter_.stream == event.stream) &&
         (filter_.campaign.empty() || filter_.campaign == event.campaign) &&
         (filter_.message_id == 0 || filter_.message_id == event.message_id);
}

}  // namespace sluice::ingest
