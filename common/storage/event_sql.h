// Statements that read events. Internal; a test prepares and explains every one against the
// migrated schema.
#pragma once

namespace sluice::storage::sql {

#define SLUICE_EVENT_COLUMNS                                                                      \
  "shard, seq, micros(occurred_at), message_id, queue_entry_id, attempt_id, kind, attempt, "      \
  "reply_code, duration_micros, possible_duplicate, stage, tenant, stream, campaign, recipient, " \
  "pool, provider, site, source, mx_host, mx_address, enhanced_status, reply, reply_class, tls, " \
  "egress, detail, times, micros(due_at), metadata"

// Rows of other tenants come as their numbers alone: only the last one matters, to go on from.
inline constexpr const char* kReadEvents =
    "with page as materialized ("
    "  select * from event where shard = $1::smallint and seq > $2::bigint order by seq limit "
    "$3::int) "
    "select " SLUICE_EVENT_COLUMNS
    ", $4 in ('', tenant) as asked from page"
    " where $4 in ('', tenant) or seq = (select max(seq) from page) order by seq";

inline constexpr const char* kEventsOfMessage =
    "select " SLUICE_EVENT_COLUMNS
    " from event where message_id = $1::bigint order by seq limit $2::int";
#undef SLUICE_EVENT_COLUMNS

inline constexpr const char* kEventFloor =
    "select coalesce((select event_floor from shard_lease where shard = $1::smallint), 0)";

inline constexpr const char* kLastSeqs =
    "select l.shard, greatest(l.event_floor, (select max(seq) from event e where e.shard = "
    "l.shard))"
    " from shard_lease l where l.shard >= 0 order by l.shard";

inline constexpr const char* kOldestSeqs =
    "select l.shard, coalesce((select min(seq) from event e where e.shard = l.shard and e.seq > "
    "l.event_floor),"
    "                         l.event_floor + 1)"
    " from shard_lease l where l.shard >= 0 order by l.shard";

}  // namespace sluice::storage::sql
