// Statements of the settling path. Internal; a test prepares and explains every one against the
// migrated schema. None joins a large table: with statistics from when the table was empty, a loop
// over all of it may look cheap, and cached plans stay. Rows are picked by `= any(array)`, or in a
// lateral subquery with a limit.
#pragma once

namespace sluice::storage::sql {

// A statement of its own before any that checks epochs: only then does the check see what a
// takeover committed.
inline constexpr const char* kFenceLock =
    "select count(*) from (select pg_advisory_xact_lock_shared(7, s::int)"
    " from unnest($1::smallint[]) s offset 0) locked";

// Ends and changes entries, and writes one event for each row that really was ended or changed,
// numbered on from last_seq per shard. A change that finds everything as it should be changes
// nothing: that is how a repeated call is found out. The rows travel narrow until the last join: a
// DELETE with USING would carry every column of the input along for its rechecks. Answers: per
// shard of the fence its last_seq, or null when the epoch is another's; the shards and numbers
// reached; which entries were written, when not all were.
inline constexpr const char* kSettle = R"sql(
with fence as materialized (
  select array(select case when l.epoch = s.epoch then s.last_seq end
               from unnest($1::smallint[], $2::bigint[], $3::bigint[]) with ordinality
                      as s(shard, epoch, last_seq, place)
               left join shard_lease l on l.shard = s.shard
               order by s.place) as last_seqs),
input as materialized (
  select i.* from unnest($4::bigint[], $5::smallint[], $6::smallint[], $7::boolean[])
                    with ordinality as i(entry_id, place, change, told, n)
  where (select last_seqs from fence)[i.place] is not null),
ended as (
  delete from queue_entry q
  where q.id = any(array(select entry_id from input where change = 0))
  returning q.id, q.message_id, q.tenant, q.stream, q.campaign, q.recipient, q.metadata),
changed as (
  update queue_entry q
  set due_at = case i.change when 1 then coalesce(i.due_at, q.due_at) else q.due_at end,
      attempts = case i.change when 1 then i.attempts else q.attempts end,
      last_source = case when i.change = 1 and i.source <> '' then i.source else q.last_source end,
      crashes = case i.change when 3 then q.crashes else i.crashes end,
      held = case i.change when 3 then q.held else i.held end,
      pool = case i.change when 3 then i.pool else q.pool end
  from unnest($4::bigint[], $6::smallint[], $8::timestamptz[], $9::smallint[], $10::smallint[],
              $11::text[], $12::text[], $27::text[])
         as i(entry_id, change, due_at, attempts, crashes, held, source, pool)
  where i.change in (1, 2, 3) and q.id = i.entry_id
    and q.id = any(array(select entry_id from input where change in (1, 2, 3)))
    and ((i.change = 3 and q.pool <> i.pool)
         or (i.change in (1, 2) and (q.crashes <> i.crashes or q.held <> i.held))
         or (i.change = 1 and (q.attempts <> i.attempts or q.due_at <> coalesce(i.due_at, q.due_at)
                               or (i.source <> '' and q.last_source <> i.source))))
  returning q.id, q.message_id, q.tenant, q.stream, q.campaign, q.recipient, q.metadata),
numbered as (
  select s.*, (select last_seqs from fence)[i.place]
                + row_number() over (partition by i.place order by i.n) as seq
  from (select * from ended union all select * from changed) s
  join input i on i.entry_id = s.id
  where i.told),
written as (
  insert into event (shard, seq, occurred_at, message_id, queue_entry_id, attempt_id, kind, attempt,
                     stage, reply_code, duration_micros, possible_duplicate, tenant, stream,
                     campaign, recipient, pool, provider, site, source, mx_host, mx_address,
                     enhanced_status, reply, reply_class, tls, egress, detail, due_at, metadata,
                     times)
  select s.id >> 56, s.seq, w.occurred_at, s.message_id, s.id, w.attempt_id, w.kind, w.attempts,
         w.stage, w.reply_code, w.duration_micros, w.possible_duplicate, s.tenant, s.stream,
         s.campaign, s.recipient, w.pool, w.provider, w.site, w.source, w.mx_host, w.mx_address,
         w.enhanced_status, w.reply, w.reply_class, w.tls, w.egress, w.detail, w.due_at, s.metadata,
         w.times
  from numbered s
  join unnest($4::bigint[], $8::timestamptz[], $9::smallint[], $12::text[], $13::bigint[],
              $14::bigint[], $15::timestamptz[], $16::smallint[], $17::boolean[], $18::text[],
              $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[],
              $25::text[], $26::text[], $27::text[], $28::text[], $29::text[], $30::text[],
              $31::text[])
         as w(entry_id, due_at, attempts, source, attempt_id, duration_micros, occurred_at,
              reply_code, possible_duplicate, kind, stage, mx_host, mx_address, enhanced_status,
              reply, reply_class, tls, egress, pool, provider, site, detail, times)
    on w.entry_id = s.id
  returning shard, seq),
reached as materialized (select shard, max(seq) as seq from written group by shard),
counted as materialized (
  select (select count(*) from ended) + (select count(*) from changed) as written,
         (select count(*) from input) as asked)
select (select last_seqs from fence),
       array(select shard::bigint from reached order by shard),
       array(select seq from reached order by shard),
       case when (select written < asked from counted)
            then array(select id from ended union all select id from changed) end)sql";

// Those of the given entries that are there.
inline constexpr const char* kStillThere =
    "select array(select id from queue_entry where id = any($1::bigint[]))";

// Events without a change, for shards whose fence held. Tenant and recipient come from the entry,
// else from the last event of it, else from the caller.
inline constexpr const char* kNote = R"sql(
with input as materialized (
  select i.* from unnest(
      $1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[],
      $7::smallint[], $8::smallint[], $9::boolean[], $10::text[], $11::text[], $12::text[],
      $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[],
      $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[],
      $27::text[], $28::bytea[], $29::text[], $30::bigint[]) with ordinality
    as i(message_id, entry_id, attempt_id, duration_micros, occurred_at, due_at, attempts,
         reply_code, possible_duplicate, kind, stage, source, mx_host, mx_address, enhanced_status,
         reply, reply_class, tls, egress, pool, provider, site, detail, tenant, stream, campaign,
         recipient, metadata, times, last_seq, n)
  where i.attempt_id = 0
     or not exists (select from event e
                    where e.message_id = i.message_id and e.attempt_id = i.attempt_id)),
written as (
  insert into event (shard, seq, occurred_at, message_id, queue_entry_id, attempt_id, kind, attempt,
                     stage, reply_code, duration_micros, possible_duplicate, tenant, stream,
                     campaign, recipient, pool, provider, site, source, mx_host, mx_address,
                     enhanced_status, reply, reply_class, tls, egress, detail, due_at, metadata,
                     times)
  select i.message_id >> 56,
         i.last_seq + row_number() over (partition by i.message_id >> 56 order by i.n),
         i.occurred_at, i.message_id, i.entry_id, i.attempt_id, i.kind, i.attempts, i.stage,
         i.reply_code, i.duration_micros, i.possible_duplicate,
         coalesce(nullif(i.tenant, ''), q.tenant, e.tenant, ''),
         coalesce(nullif(i.stream, ''), q.stream, e.stream, ''),
         coalesce(nullif(i.campaign, ''), q.campaign, e.campaign, ''),
         coalesce(nullif(i.recipient, ''), q.recipient, e.recipient, ''),
         i.pool, i.provider, i.site, i.source, i.mx_host, i.mx_address, i.enhanced_status, i.reply,
         i.reply_class, i.tls, i.egress, i.detail, i.due_at,
         coalesce(i.metadata, q.metadata, e.metadata), i.times
  from input i
  left join lateral (select * from queue_entry o where o.id = i.entry_id limit 1) q on true
  left join lateral (select * from event e
                     where e.message_id = i.message_id and e.queue_entry_id = i.entry_id
                     order by e.seq desc limit 1) e on true
  returning shard, seq),
reached as materialized (select shard, max(seq) as seq from written group by shard)
select array(select shard::bigint from reached order by shard),
       array(select seq from reached order by shard))sql";

// Notes become events; by the first statement's locks nobody else does the same for these shards.
inline constexpr const char* kTakeInbox = R"sql(
with fence as materialized (
  select s.shard, s.place, case when l.epoch = s.epoch then s.last_seq end as last_seq
  from unnest($1::smallint[], $2::bigint[], $3::bigint[]) with ordinality
         as s(shard, epoch, last_seq, place)
  left join shard_lease l on l.shard = s.shard),
taken as (
  delete from event_inbox b
  where b.id = any(array(select i.id from fence f
                         cross join lateral (select id from event_inbox o where o.shard = f.shard
                                             order by o.id limit $4::int) i
                         where f.last_seq is not null
                         limit $4::int))
  returning b.*),
written as (
  insert into event (shard, seq, occurred_at, message_id, queue_entry_id, attempt_id, kind, attempt,
                     stage, reply_code, duration_micros, possible_duplicate, tenant, stream,
                     campaign, recipient, pool, provider, site, source, mx_host, mx_address,
                     enhanced_status, reply, reply_class, tls, egress, detail, metadata)
  select t.shard, f.last_seq + row_number() over (partition by t.shard order by t.id),
         timestamptz 'epoch' + $5::bigint * interval '1 microsecond',
         t.message_id, t.queue_entry_id, 0, t.kind, 0, '', 0, 0, false, t.tenant, t.stream,
         t.campaign, t.recipient, t.pool, t.provider, '', t.source, '', '', t.enhanced_status,
         t.reply, t.reply_class, '', '', t.detail, t.metadata
  from taken t join fence f on f.shard = t.shard
  returning shard, seq),
reached as materialized (select shard, max(seq) as seq from written group by shard)
select array(select last_seq from fence order by place),
       array(select shard::bigint from reached order by shard),
       array(select seq from reached order by shard))sql";

inline constexpr const char* kLastSeq = R"sql(
select greatest((select max(seq) from event where shard = $1::smallint),
                (select event_floor from shard_lease where shard = $1::smallint), 0))sql";

inline constexpr const char* kTrimBatches = R"sql(
delete from accept_batch
where ctid = any(array(
  select b.ctid
  from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as m(shard, writer, seq)
  cross join lateral (
    select a.ctid from accept_batch a
    where a.shard = m.shard and a.writer = m.writer and a.seq <= m.seq
      and a.accepted_at < timestamptz 'epoch' + $5::bigint * interval '1 microsecond'
      and (a.writer = any($4::bigint[])
           or a.seq < (select max(n.seq) from accept_batch n
                       where n.shard = m.shard and n.writer = m.writer))
    offset 0) b)))sql";

inline constexpr const char* kTrimWriters = R"sql(
delete from writer w
where w.id = any($1::bigint[])
  and not exists (select from shard_lease l
                  cross join lateral (select from accept_batch b
                                      where b.shard = l.shard and b.writer = w.id limit 1) b))sql";

}  // namespace sluice::storage::sql
