-- How many entries of a tenant wait, by shard, as its owner counted them a moment ago: for the quota that ingest keeps. Only tenants that
-- have one. A row of no tenant says up to when a shard's counts hold: what was committed before is in them.
create table tenant_pending (
  shard smallint not null,
  tenant text not null,
  epoch bigint not null,                -- Of the owner's lease: the last owner is right.
  entries bigint not null,
  counted_at timestamptz not null,
  primary key (shard, tenant)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
