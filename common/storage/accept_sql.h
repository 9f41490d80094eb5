// Statements of the accept path. Internal; a test prepares and explains every one against the
// migrated schema.
#pragma once

namespace sluice::storage::sql {

inline constexpr const char* kOpenPartition =
    "select max(part) from content_partition where closed_at is null and dropped_at is null";

// Keys first; what repeats a key is left out of everything that follows. Answers how many keys were
// new, and which when not all were. Keys arrive sorted, and the nested loop keeps their order. The
// look into the other generation is a subquery and no join: as a join the planner may read all of
// it. A rotation of the generations does not come in between: it locks the one that it empties, and a
// statement locks all tables of its plan before it looks at what they hold.
inline constexpr const char* kAccept = R"sql(
with generation as materialized (select current from submission_generation),
fresh as (
  insert into submission (generation, key_hash, digest, message_id, verdicts)
  select g.current, k.key_hash, k.digest, k.message_id, k.verdicts
  from generation g,
       unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bytea[])
         as k(key_hash, digest, message_id, verdicts)
  where (select o.message_id from submission o
         where o.generation = 1 - g.current and o.key_hash = k.key_hash) is null
  on conflict do nothing
  returning message_id),
contents as (
  insert into message (part, id, accepted_at, size_bytes, encoding, flags, dsn_return, return_path,
                       sender_domain, dsn_envelope_id, prepended_headers, content)
  select $35::int, m.id, m.accepted_at, m.size_bytes, m.encoding, m.flags, m.dsn_return, m.return_path,
         m.sender_domain, m.dsn_envelope_id, m.prepended_headers, m.content
  from unnest($5::bigint[], $6::boolean[], $7::timestamptz[], $8::int[], $9::smallint[],
              $10::smallint[], $11::smallint[], $12::text[], $13::text[], $14::text[],
              $15::bytea[], $16::bytea[])
         as m(id, keyed, accepted_at, size_bytes, encoding, flags, dsn_return, return_path,
              sender_domain, dsn_envelope_id, prepended_headers, content)
  where not m.keyed or m.id in (select message_id from fresh)),
entries as (
  insert into queue_entry (id, message_id, accepted_at, due_at, expires_at, part, priority,
                           engagement, dsn_notify, tenant, stream, campaign, domain, sender_domain,
                           recipient, tags, metadata, merge_values)
  select e.id, e.message_id, e.accepted_at, e.due_at, e.expires_at, $35::int, e.priority, e.engagement,
         e.dsn_notify, e.tenant, e.stream, e.campaign, e.domain, e.sender_domain, e.recipient,
         e.tags, e.metadata, e.merge_values
  from unnest($17::bigint[], $18::bigint[], $19::boolean[], $20::timestamptz[],
              $21::timestamptz[], $22::timestamptz[], $23::smallint[], $24::smallint[],
              $25::smallint[], $26::text[], $27::text[], $28::text[], $29::text[], $30::text[],
              $31::text[], $32::text[], $33::bytea[], $34::bytea[])
         as e(id, message_id, keyed, accepted_at, due_at, expires_at, priority, engagement,
              dsn_notify, tenant, stream, campaign, domain, sender_domain, recipient, tags,
              metadata, merge_values)
  where not e.keyed or e.message_id in (select message_id from fresh)),
batch as (
  insert into accept_batch (shard, writer, seq, first_entry_id, last_entry_id, accepted_at)
  select $36::smallint, $37::bigint, $38::bigint, $39::bigint, $40::bigint,
         timestamptz 'epoch' + $41::bigint * interval '1 microsecond'
  where $42::boolean or exists (select from fresh))
select count(*), case when count(*) < coalesce(array_length($3::bigint[], 1), 0)
                      then array_agg(message_id) end
from fresh)sql";

// The rows that stood in the way. A key is in one generation only.
inline constexpr const char* kEarlier = R"sql(
select k.n, s.digest, s.message_id, s.verdicts
from unnest($1::uuid[]) with ordinality as k(key_hash, n)
cross join lateral (select * from submission o
                    where o.generation in (0, 1) and o.key_hash = k.key_hash limit 1) s)sql";

}  // namespace sluice::storage::sql
