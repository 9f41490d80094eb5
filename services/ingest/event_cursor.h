// Where a subscriber stands: per shard, the number of the last event it has seen. Opaque to
// clients.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::ingest {

// Shard → last number seen. A shard that is absent has not been seen at all.
using EventCursor = std::map<int, int64_t>;

// Kept by clients for as long as they like: what was once encoded must stay readable.
std::string EncodeCursor(const EventCursor& cursor);
[[nodiscard]] absl::StatusOr<EventCursor> DecodeCursor(std::string_view bytes);

}  // namespace sluice::ingest
