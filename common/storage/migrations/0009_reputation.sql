-- Feedback that was told, so that what is reported twice is told once. digest: of kind, message and recipient.
create table feedback_told (
  digest uuid primary key,
  told_at timestamptz not null
);
create index feedback_told_by_time on feedback_told (told_at);

-- How far the events of a shard are added up in reputation_count, and hard bounces suppressed. Moves in the same
-- transaction as the sums.
create table event_tally (
  shard smallint primary key,
  seq bigint not null
);
create table reputation_count (
  bucket_at timestamptz not null,
  source text not null,
  provider text not null,
  tenant text not null,
  kind text not null,
  reply_class text not null,
  count bigint not null,
  last_at timestamptz not null,
  last_reply text not null,
  primary key (bucket_at, source, provider, tenant, kind, reply_class)
);

-- Health as decided last: so that the owner of `control` goes on where the one before stopped. provider '' = the
-- source as a whole.
create table source_health (
  source text not null,
  provider text not null,
  state text not null constraint health_is_known
    check (state in ('healthy', 'watch', 'throttled', 'suspended', 'quarantined')),
  score double precision not null,
  evidence text not null,               -- lines, worst first
  since timestamptz not null,
  until timestamptz,                    -- when the restriction ends and probes begin
  level smallint not null default 0,    -- how often in a row it was restricted
  by_operator text not null default '', -- reason of an override; '' = judged
  primary key (source, provider)
);
