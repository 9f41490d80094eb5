-- Orders on many entries. Each owner of shards carries them out on its own, and says so per shard.
create table operation (
  id bigint generated always as identity primary key,
  kind text not null constraint operation_kind_is_known
    check (kind in ('cancel', 'bounce', 'move', 'retry_now', 'release_held')),
  filter text not null,                 -- proto JSON of sluice.v1.Match
  message_id bigint not null,           -- 0 = any
  target_pool text not null,
  reason text not null,
  author text not null,
  started_at timestamptz not null,      -- What was accepted later is not meant.
  ended_at timestamptz,
  stopped boolean not null default false
);
create index operation_open on operation (id) where ended_at is null;
create table operation_shard (
  operation bigint not null references operation on delete cascade,
  shard smallint not null,
  done_count bigint not null,
  too_late_count bigint not null,
  ended boolean not null,
  primary key (operation, shard)
);

-- Where an operator has moved the entry; '' = where the routes say.
alter table queue_entry add column pool text not null default '';
