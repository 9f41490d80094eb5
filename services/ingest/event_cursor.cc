#include "ingest/event_cursor.h"

#include "mail/ids.h"

namespace sluice::ingest {
namespace {

// Version, then pairs of varints: shard, number.
constexpr char kVersion = 1;

void AppendVarint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

bool TakeVarint(std::string_view& bytes, uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 63 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace

std::string EncodeCursor(const EventCursor& cursor) {
  std::string bytes(1, kVersion);
  for (const auto& [shard, seq] : cursor) {
    AppendVarint(bytes, static_cast<uint64_t>(shard));
    AppendVarint(bytes, static_cast<uint64_t>(seq));
  }
  return bytes;
}

absl::StatusOr<EventCursor> DecodeCursor(std::string_view bytes) {
  const auto bad = [] {
    return absl::InvalidArgumentError(
        "it is no cursor: give one from an earlier response, whole, or none");
  };
  if (bytes.empty() || bytes.front() != kVersion) return bad();
  bytes.remove_prefix(1);
  EventCursor cursor;
  while (!bytes.empty()) {
    uint64_t shard = 0;
    uint64_t seq = 0;
    if (!TakeVarint(bytes, shard) || !TakeVarint(bytes, seq) ||
        shard >= static_cast<uint64_t>(kMaxShards))
      return bad();
    if (!cursor.emplace(static_cast<int>(shard), static_cast<int64_t>(seq)).second) return bad();
  }
  return cursor;
}

}  // namespace sluice::ingest
