// Statements of a shard's owner that read. A key of several columns is asked for in a lateral
// subquery with a limit, not in a join: of a join the planner may take part of the key and filter
// by the rest. Internal; a test prepares and explains every one against the migrated schema.
#pragma once

namespace sluice::storage::sql {

#define SLUICE_ENTRY_COLUMNS                                                                   \
  "id, message_id, micros(accepted_at), micros(due_at), micros(expires_at), part, attempts, "  \
  "crashes, priority, engagement, tenant, stream, campaign, domain, last_source, held, tags, " \
  "sender_domain, pool"

inline constexpr const char* kMarks =
    "select writer, max(seq) from accept_batch where shard = $1::smallint group by writer";

// Both ends included.
inline constexpr const char* kLoadCursor =
    "declare load no scroll cursor for select " SLUICE_ENTRY_COLUMNS
    " from queue_entry where id between $1::bigint and $2::bigint order by id";
inline constexpr const char* kLoadRange =
    "select " SLUICE_ENTRY_COLUMNS
    " from queue_entry where id between $1::bigint and $2::bigint order by id";
#undef SLUICE_ENTRY_COLUMNS

// Writers with a mark from there on, registered writers without one from the start. Each by a short
// range of the primary key.
inline constexpr const char* kTail = R"sql(
with mark as materialized (
  select * from unnest($2::smallint[], $3::bigint[], $4::bigint[]) as m(shard, writer, seq)),
start as (
  select m.shard, m.writer, m.seq from mark m where m.shard = any($1::smallint[])
  union all
  select s.shard, w.id, 0 from unnest($1::smallint[]) as s(shard), writer w
  where (s.shard, w.id) not in (select m.shard, m.writer from mark m))
select b.shard, b.writer, b.seq, b.first_entry_id, b.last_entry_id
from start t
cross join lateral (
  select * from accept_batch a
  where a.shard = t.shard and a.writer = t.writer and a.seq > t.seq
  order by a.seq limit $5::int) b
order by b.shard, b.writer, b.seq
limit $5::int)sql";

inline constexpr const char* kFetchEntries = R"sql(
select q.id, q.message_id, q.recipient, q.merge_values, q.dsn_notify,
       case when position('"traceparent"'::bytea in q.metadata) > 0 then q.metadata end
from queue_entry q where q.id = any($1::bigint[]))sql";

inline constexpr const char* kFetchMessages = R"sql(
select m.id, m.return_path, m.dsn_envelope_id, m.prepended_headers, m.content, m.encoding, m.flags,
       m.dsn_return, m.size_bytes
from unnest($1::int[], $2::bigint[]) as k(part, id)
cross join lateral (select * from message c where c.part = k.part and c.id = k.id limit 1) m)sql";

// A writer holds its lock as long as its connection lives. CASE: the lock that was taken is always
// given back.
inline constexpr const char* kGoneWriters = R"sql(
select array(select w from unnest($1::bigint[]) as w
             where case when pg_try_advisory_lock(9, w::int) then pg_advisory_unlock(9, w::int)
                   else false end))sql";

}  // namespace sluice::storage::sql
