// The names and numbers by which mail is known, each a type of its own, and the layout of ids.
//
// A message id and a queue-entry id are one kind of number: a positive 63-bit integer,
//     shard (7 bits, 56–62) | writer (24 bits, 32–55) | counter (32 bits, 0–31)
// so that ids of one writer grow in commit order and each id says whose shard it is. A message's id
// is the id of its first recipient's entry. Layout and text form are stored and public: neither may
// change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/strong.h"

namespace sluice {

using MessageId = Strong<struct MessageIdTag, int64_t>;
using QueueEntryId = Strong<struct QueueEntryIdTag, int64_t>;
// 0 ≤ shard < kMaxShards.
using ShardId = Strong<struct ShardIdTag, int>;
// One connection of one ingest process; 0 ≤ writer < kMaxWriters, never given out twice.
using WriterId = Strong<struct WriterIdTag, int32_t>;
using TenantName = Strong<struct TenantNameTag, std::string>;
using StreamName = Strong<struct StreamNameTag, std::string>;
using PoolName = Strong<struct PoolNameTag, std::string>;
using SourceName = Strong<struct SourceNameTag, std::string>;
// One egress process; its name is stable over restarts.
using EgressId = Strong<struct EgressIdTag, std::string>;
// A name of the provider catalogue, or "other".
using Provider = Strong<struct ProviderTag, std::string>;
// Canonical name of the set of MX hosts behind a domain.
using SiteName = Strong<struct SiteNameTag, std::string>;
using CampaignName = Strong<struct CampaignNameTag, std::string>;

inline constexpr int kMaxShards = 1 << 7;
inline constexpr int32_t kMaxWriters = 1 << 24;
// Characters of an id in its public text form.
inline constexpr size_t kIdTextSize = 13;

// Shard and writer must be in range (checked). MakeId(0, 0, 0) is 0 and names nothing.
int64_t MakeId(ShardId shard, WriterId writer, uint32_t counter);

constexpr ShardId ShardOf(int64_t id) { return ShardId(static_cast<int>(id >> 56)); }
constexpr WriterId WriterOf(int64_t id) {
  return WriterId(static_cast<int32_t>((id >> 32) & 0xff'ffff));
}
constexpr uint32_t CounterOf(int64_t id) { return static_cast<uint32_t>(id & 0xffff'ffff); }
constexpr ShardId ShardOf(MessageId id) { return ShardOf(id.value()); }
constexpr ShardId ShardOf(QueueEntryId id) { return ShardOf(id.value()); }

// 13 lower-case characters of Crockford's base32 (no i, l, o, u): text order is number order. An id
// has one text form only, so Parse refuses capitals and look-alikes. The errors name the cure.
std::string FormatMessageId(MessageId id);
std::string FormatQueueEntryId(QueueEntryId id);
[[nodiscard]] absl::StatusOr<MessageId> ParseMessageId(std::string_view text);
[[nodiscard]] absl::StatusOr<QueueEntryId> ParseQueueEntryId(std::string_view text);

}  // namespace sluice
