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
