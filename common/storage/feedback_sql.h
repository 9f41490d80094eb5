// Statements about feedback and about what events add up to. Internal.
#pragma once

namespace sluice::storage::sql {

// The attempt that counts is the one that was delivered, else the last. What is still queued and was
// never tried is found by its entry.
inline constexpr const char* kMatchFeedback = R"sql(
select k.n, f.message_id, f.queue_entry_id, f.tenant, f.stream, f.campaign, f.recipient, f.pool,
       f.provider, f.source, f.metadata
from unnest($1::bigint[], $2::bigint[], $3::text[]) with ordinality
       as k(message_id, queue_entry_id, recipient, n)
cross join lateral (
  select * from (
    (select e.message_id, e.queue_entry_id, e.tenant, e.stream, e.campaign, e.recipient, e.pool,
            e.provider, e.source, e.metadata
     from event e
     where e.message_id = k.message_id
       and case when k.queue_entry_id <> 0 then e.queue_entry_id = k.queue_entry_id
                else lower(e.recipient collate "C") = k.recipient end
     order by e.kind = 'delivered' desc, e.source <> '' desc, e.seq desc limit 1)
    union all
    (select q.message_id, q.id, q.tenant, q.stream, q.campaign, q.recipient, '', '', q.last_source,
            q.metadata
     from queue_entry q
     where q.id between k.message_id and k.message_id + 65535 and q.message_id = k.message_id
       and case when k.queue_entry_id <> 0 then q.id = k.queue_entry_id
                else lower(q.recipient collate "C") = k.recipient end
     limit 1)) found
  limit 1) f)sql";

inline constexpr const char* kTellFeedback = R"sql(
insert into feedback_told (digest, told_at)
select digest, timestamptz 'epoch' + $2::bigint * interval '1 microsecond'
from (select distinct digest from unnest($1::uuid[]) digest order by digest) d
on conflict do nothing
returning digest)sql";

inline constexpr const char* kForgetFeedback =
    "delete from feedback_told where ctid = any(array(select ctid from feedback_told"
    " where told_at < timestamptz 'epoch' + $1::bigint * interval '1 microsecond' limit 10000))";

// ---- what events add up to ----
// Refusals that may concern source or sender are told apart by how their text begins: whom they blame stands there.

// How far each shard was added up, and how far at most it shall be now. Numbers have no gaps.
inline constexpr const char* kTallyRange = R"sql(
select f.shard, f.seq, least(f.last_seq, f.seq + $1::int)
from (select l.shard, coalesce((select t.seq from event_tally t where t.shard = l.shard), l.event_floor, 0) as seq,
             (select max(e.seq) from event e where e.shard = l.shard) as last_seq
      from shard_lease l where l.shard >= 0 offset 0) f
where f.last_seq > f.seq
order by f.shard)sql";

// Of one shard: one row a kind of outcome, with the reply heard last. Replies that blame somebody count apart by how they begin.
inline constexpr const char* kTallyCounts = R"sql(
select g.source, g.provider, g.tenant, g.kind, g.reply_class, g.count, micros(g.last_at),
       trim(l.reply_code || ' ' || l.enhanced_status || ' ' || l.reply), l.stage, l.mx_host
from (select source, provider, tenant, kind, reply_class, count(*) as count, max(occurred_at) as last_at, max(seq) as last_seq
      from event
      where shard = $1::smallint and seq > $2::bigint and seq <= $3::bigint and source <> ''
        and kind in ('delivered', 'deferred', 'bounced', 'complained', 'bounced_later')
      group by source, provider, tenant, kind, reply_class,
               case when reply_class in ('throttle', 'conn_limit', 'block_ip', 'block_domain', 'dnsbl', 'auth', 'content', 'policy')
                    then left(reply, 120) else '' end) g
cross join lateral (select * from event where shard = $1::smallint and seq = g.last_seq limit 1) l)sql";

// Of one shard: hard bounces, the last of each recipient.
inline constexpr const char* kTallyBounces = R"sql(
select distinct on (e.tenant, lower(e.recipient collate "C"))
       e.tenant, lower(e.recipient collate "C"), micros(e.occurred_at),
       trim(e.reply_code || ' ' || e.enhanced_status || ' ' || e.reply)
from event e
where e.shard = $1::smallint and e.seq > $2::bigint and e.seq <= $3::bigint
  and e.kind = 'bounced' and e.reply_class = 'rcpt_bad' and e.recipient <> '' and e.stage <> 'dns'
order by e.tenant, lower(e.recipient collate "C"), e.seq desc)sql";

// Answers the shards that still stood where they were found: those of the others somebody else has added up.
inline constexpr const char* kTallyDone = R"sql(
with found as (select * from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as f(shard, from_seq, to_seq))
insert into event_tally (shard, seq) select shard, to_seq from found order by shard
on conflict (shard) do update set seq = excluded.seq
where event_tally.seq = (select f.from_seq from found f where f.shard = excluded.shard)
returning shard)sql";

inline constexpr const char* kTallyAdd = R"sql(
insert into reputation_count as c (bucket_at, source, provider, tenant, kind, reply_class, count,
                                   last_at, last_reply, reply_rule, reply_scope, sender_domain)
select date_bin('5 minutes', n.last_at, timestamptz 'epoch'), n.source, n.provider, n.tenant, n.kind,
       n.reply_class, n.count, n.last_at, n.last_reply, n.reply_rule, n.reply_scope, n.sender_domain
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
            $7::timestamptz[], $8::text[], $9::text[], $10::text[], $11::text[])
       as n(source, provider, tenant, kind, reply_class, count, last_at, last_reply, reply_rule, reply_scope, sender_domain)
order by 1, 2, 3, 4, 5, 6, 10, 12
on conflict (bucket_at, source, provider, tenant, kind, reply_class, reply_rule, sender_domain) do update
set count = c.count + excluded.count, last_at = greatest(c.last_at, excluded.last_at),
    last_reply = excluded.last_reply)sql";

inline constexpr const char* kTallyRead = R"sql(
select source, provider, tenant, kind, reply_class, sum(count)::bigint, micros(max(last_at)),
       (array_agg(last_reply order by last_at desc))[1], reply_rule, max(reply_scope), sender_domain
from reputation_count
where bucket_at >= timestamptz 'epoch' + $1::bigint * interval '1 microsecond'
  and ($2 = '' or source = $2) and ($3 = '' or provider = $3)
group by case when $4 then bucket_at end, source, provider, tenant, kind, reply_class, reply_rule, sender_domain)sql";

inline constexpr const char* kTallyForget =
    "delete from reputation_count where ctid = any(array(select ctid from reputation_count"
    " where bucket_at < timestamptz 'epoch' + $1::bigint * interval '1 microsecond' limit 10000))";

}  // namespace sluice::storage::sql
