-- Names are fixed by the design; every hot statement goes by primary key with arrays.
-- Ids of messages and entries share one space: shard (7 bits) | writer (24) | counter (32); a message's id is the
-- id of its first recipient's entry, so `id >> 56` is the shard of both.

-- Times leave the database as microseconds since the Unix epoch: exact, and far cheaper than their text.
create function micros(at timestamptz) returns bigint language sql stable strict parallel safe
  return (date_part('epoch', at) * 1000000)::bigint;

-- ---- leases -----------------------------------------------------------------------------------
-- One row a shard; shard -1 is `control`. epoch = counter << 20 | random nonce, so that a restored backup never
-- repeats one. Kept below tens of updates a second.
create table shard_lease (
  shard smallint primary key,
  owner text not null default '',
  endpoint text not null default '',
  epoch bigint not null default 0,
  expires_at timestamptz not null default 'epoch',
  -- Events up to this number are gone with their partitions; the numbering goes on above it.
  event_floor bigint not null default 0
);

-- One ingest connection is one writer. It holds session advisory lock (9, id): gone = the lock can be taken.
create sequence writer_id maxvalue 16777215 cycle;
create table writer (
  id bigint primary key,
  started_at timestamptz not null
);

-- One committed batch. (shard, writer, seq) is consecutive, so commit order is number order.
create table accept_batch (
  shard smallint not null,
  writer bigint not null,
  seq bigint not null,
  first_entry_id bigint not null,
  last_entry_id bigint not null,
  accepted_at timestamptz not null,
  -- Refused recipients whose events the owner still has to number; null = none or told.
  verdicts bytea,
  primary key (shard, writer, seq)
);

-- ---- what is to be sent -------------------------------------------------------------------------
create table content_partition (
  part int primary key,
  opened_at timestamptz not null,
  closed_at timestamptz,
  dropped_at timestamptz
);

create table message (
  part int not null,
  id bigint not null,
  accepted_at timestamptz not null,
  size_bytes int not null,
  encoding smallint not null constraint message_encoding_is_known check (encoding in (1, 2)),
  flags smallint not null,              -- 1 has_8bit, 2 needs_smtputf8, 4 merge
  dsn_return smallint not null,
  return_path text not null,
  sender_domain text not null,
  dsn_envelope_id text not null,
  prepended_headers bytea not null,
  content bytea not null,
  primary key (part, id)
) partition by list (part);
-- Content arrives compressed: nothing to gain from trying again.
alter table message alter column content set storage external;

create table queue_entry (
  id bigint primary key,
  message_id bigint not null,
  accepted_at timestamptz not null,
  due_at timestamptz not null,
  expires_at timestamptz not null,
  part int not null,
  attempts smallint not null default 0,
  crashes smallint not null default 0,
  priority smallint not null,           -- 1 normal, 2 high
  engagement smallint not null default 0,
  tenant text not null,
  stream text not null,
  campaign text not null,
  domain text not null,
  sender_domain text not null,
  recipient text not null,
  last_source text not null default '',
  held text not null default '',        -- why it waits for a person; '' = it does not
  tags text not null default '',        -- `name=value` lines
  metadata bytea,                       -- JSON object, null = none
  merge_values bytea,                   -- JSON object, null = none
  dsn_notify smallint not null default 0 -- bit set: 1 never, 2 success, 4 failure, 8 delay
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_threshold = 1000000);

-- ---- idempotency: two generations, 24 hours each --------------------------------------------------
create table submission_generation (
  only_row boolean primary key default true check (only_row),
  current smallint not null,
  rotated_at timestamptz not null
);
create table submission (
  generation smallint not null,
  key_hash uuid not null,
  digest uuid not null,
  message_id bigint not null,
  verdicts bytea,                       -- refused recipients as answered; null = all accepted
  primary key (generation, key_hash)
) partition by list (generation);
-- Only inserted into, then truncated: nothing to vacuum.
create table submission_0 partition of submission for values in (0) with (autovacuum_enabled = off);
create table submission_1 partition of submission for values in (1) with (autovacuum_enabled = off);

-- ---- what happened --------------------------------------------------------------------------------
-- Numbered gapless per shard by its owner. kind: the names of sluice.v1.EventKind in lower case.
create table event (
  shard smallint not null,
  seq bigint not null,
  occurred_at timestamptz not null,
  message_id bigint not null,
  queue_entry_id bigint not null,
  attempt_id bigint not null,
  kind text not null,
  attempt smallint not null,
  stage text not null,
  reply_code smallint not null,
  duration_micros bigint not null,
  possible_duplicate boolean not null,
  tenant text not null,
  stream text not null,
  campaign text not null,
  recipient text not null,
  pool text not null,
  provider text not null,
  site text not null,
  source text not null,
  mx_host text not null,
  mx_address text not null,
  enhanced_status text not null,
  reply text not null,
  reply_class text not null,
  tls text not null,                    -- `TLSv1.3 CIPHER verified`, '' = plain
  egress text not null,
  detail text not null,
  due_at timestamptz,
  metadata bytea
) partition by range (occurred_at);
create index event_by_number on event (shard, seq);
create index event_by_message on event (message_id);

-- ---- routing facts --------------------------------------------------------------------------------
create table domain_route (
  domain text primary key,
  site text not null,
  provider text not null,
  resolved_at timestamptz not null
);
create view queue_by_provider as
  select coalesce(r.provider, 'unresolved') as provider, q.stream, count(*) as entries,
         min(q.accepted_at) as oldest_accepted_at, min(q.due_at) as next_due_at
  from queue_entry q left join domain_route r using (domain)
  group by 1, 2;

-- ---- policy and sources ---------------------------------------------------------------------------
create table policy_revision (
  revision bigint primary key,
  applied_at timestamptz not null,
  author text not null,
  reason text not null,
  document text not null                -- proto JSON of sluice.v1.Policy
);
create table egress_source (
  name text primary key,
  address text not null,
  bind text not null,
  ehlo text not null
);
create table egress_pool (
  name text primary key,
  overflow text not null default ''
);
create table pool_member (
  pool text not null references egress_pool(name) on delete cascade,
  source text not null references egress_source(name),
  weight int not null constraint weight_is_a_share check (weight between 0 and 1000),
  reserve boolean not null default false,
  primary key (pool, source)
);
-- Who holds a source. The epoch rises with every assignment; `lease_until` is renewed while the egress is heard.
create table source_assignment (
  source text primary key,
  egress text not null,
  epoch bigint not null,
  assigned_at timestamptz not null,
  lease_until timestamptz not null,
  state text not null constraint assignment_state_is_known check (state in ('assigned', 'bound', 'bind_failed')),
  detail text not null default ''
);

create table sending_constraint (
  id bigint generated always as identity primary key,
  scope text not null,                  -- proto JSON of sluice.v1.Match
  cause text not null constraint cause_is_known
    check (cause in ('operator', 'shaping', 'automation', 'aimd', 'warmup', 'health', 'assignment')),
  value text not null,
  evidence text not null,
  since timestamptz not null,
  until timestamptz,
  author text not null
);

-- ---- people ---------------------------------------------------------------------------------------
create table api_key (
  id text primary key,
  tenant text not null,
  label text not null,
  secret_hash bytea not null constraint secret_hash_is_sha256 check (length(secret_hash) = 32),
  created_at timestamptz not null,
  revoked_at timestamptz
);
create table suppression (
  tenant text not null,                 -- '' = all tenants
  address text not null,
  reason text not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  primary key (address, tenant)
);
create table audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  actor text not null,
  method text not null,
  request text not null,
  outcome text not null
);
